"""The report page: what it says, that it needs nothing else, and that foreign text stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.core.events import EventKind
from platformctl.reporters import html
from tests.unit.reporters import sample_runs
from tests.unit.reporters.sample_runs import DIGEST, RUN, Recording


class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, and its text without the style."""

    void: ClassVar[set[str]] = {"meta", "rect"}

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.style = ""
        self._words: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def section(self, name: str) -> str:
        """The text of the section of that id."""
        source = re.split(r"<section", self.source)
        return Page(
            "<section" + next(part for part in source if f'id="{name}"' in part).partition("</section>")[0]
        ).text


def page(recording: Recording, directory: Path) -> Page:
    return Page(html.render(recording.write(directory)).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["succeeded", "failed", "waiting", "sixty_steps", "hostile"])
def test_every_page_is_well_formed_and_needs_nothing_from_outside(name: str, tmp_path: Path) -> None:
    made = page(getattr(sample_runs, name)(), tmp_path)
    assert made.open == []
    assert {tag for tag, _ in made.elements}.isdisjoint({"script", "link", "img", "iframe", "object", "form", "base"})
    assert not any("src" in attributes or "style" in attributes for _, attributes in made.elements)
    assert "url(" not in made.style
    assert "@import" not in made.style


def test_the_policy_allows_nothing_but_the_page_s_own_style(tmp_path: Path) -> None:
    made = page(sample_runs.failed(), tmp_path)
    policy = next(meta["content"] for meta in made.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(made.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path) -> None:
    made = page(sample_runs.hostile(), tmp_path)
    assert "<script>alert(1)</script>" in made.text
    assert "{{7*7}}" in made.text
    assert "\x1b" not in made.source
    assert not any(key.startswith("on") for _, attributes in made.elements for key in attributes)
    assert not any((link["href"] or "").startswith("javascript") for link in made.all("a"))


def test_a_command_to_paste_is_quoted_against_hostile_names(tmp_path: Path) -> None:
    recording = Recording().start(environment="dev; rm -rf ~")
    recording.add(1, EventKind.RUN_FINISHED, status="FAILED", error={"message": "no"})
    assert f"platformctl run provision --env 'dev; rm -rf ~' --resume {RUN}" in page(recording, tmp_path).text


def test_a_step_that_ran_by_itself_is_run_again(tmp_path: Path) -> None:
    recording = Recording().start(pipeline="step-stack-plan", stages=["step"], parameters={"stack": "net"})
    recording.add(1, EventKind.RUN_FINISHED, status="FAILED", error={"message": "no"})
    said = page(recording, tmp_path).section("next")
    assert said.endswith("run the step again: platformctl steps run stack-plan --env dev --stack net")


def test_who_what_when_and_at_which_revision_are_told_in_the_environment_s_time_zone(tmp_path: Path) -> None:
    facts = page(sample_runs.succeeded(), tmp_path).section("facts")
    for said in (
        "2026-09-26 19:15:00 KST",
        "21m06s , 1m05s of it at work",
        "Kim Minji",
        "3f2a1bc94d5e",
        "Parameter verify full",
    ):
        assert said in facts


def test_an_unknown_time_zone_falls_back_to_utc(tmp_path: Path) -> None:
    recording = Recording().start(timezone="../../etc/passwd").add(1, EventKind.RUN_FINISHED, status="SUCCEEDED")
    assert "2026-09-26 10:15:00 UTC" in page(recording, tmp_path).section("facts")


def test_a_failed_run_tells_the_cause_the_last_lines_the_hint_and_how_to_go_on(tmp_path: Path) -> None:
    made = page(sample_runs.failed(), tmp_path)
    errors = made.section("errors")
    assert "ended with code 1" in errors
    assert 'resource "aws_eip" "nat"' in errors
    assert "Hint: check the quota of elastic addresses" in errors
    assert f"platformctl run provision --env dev --resume {RUN}" in made.section("next")
    link = next(link["href"] for link in made.all("a") if (link["href"] or "").startswith("#step-"))
    assert any(f"#{division.get('id')}" == link for division in made.all("div"))


def test_an_error_without_lines_of_its_own_brings_the_end_of_the_step_s_log(tmp_path: Path) -> None:
    recording = Recording().start().stage(0, "plan", ("plan/a", "stack-plan", []))
    recording.step(0, 1, "plan/a", "FAILED", error={"type": "StepFailed", "message": "the policy says no"})
    recording.files["logs/plan.a.log"] = "".join(f"line {number}\n" for number in range(1, 101))
    errors = page(recording, tmp_path).section("errors")
    assert "line 81 line 82" in errors
    assert "line 80 " not in errors


def test_a_recorded_name_never_reads_a_file_outside_the_run(tmp_path: Path) -> None:
    (tmp_path / "secret.log").write_text("canary", encoding="utf-8")
    (tmp_path / "secret.json").write_text('{"changes": {"canary": {"actions": ["create"]}}}', encoding="utf-8")
    recording = Recording().start().stage(0, "plan", ("../../secret", "stack-plan", []))
    artifacts = [{"name": "../../secret.json", "kind": "proposal"}]
    recording.step(0, 1, "../../secret", "FAILED", error={"message": "no"}, artifacts=artifacts)
    assert "canary" not in page(recording, tmp_path).source


def test_a_waiting_run_shows_the_question_then_the_plan_then_the_steps(tmp_path: Path) -> None:
    made = page(sample_runs.waiting(), tmp_path)
    order = [attributes["id"] for tag, attributes in made.elements if tag == "h2"]
    assert order == ["next", "facts", "gates", "plan", "timeline", "outputs"]
    assert f"platformctl runs approve {RUN} {DIGEST} --env dev" in made.section("next")
    gate = made.section("gates")
    assert "waiting" in gate
    assert "of platform-leads, open until 2026-09-27 19:15:09 KST" in gate


def test_the_answer_to_a_gate_is_shown_with_who_and_when(tmp_path: Path) -> None:
    gate = page(sample_runs.succeeded(), tmp_path).section("gates")
    assert "approved by Lee Jun 2026-09-26 19:35:00 KST : go" in gate


def test_a_plan_is_counted_per_stack_and_shown_attribute_by_attribute(tmp_path: Path) -> None:
    plan = page(sample_runs.succeeded(), tmp_path).section("plan")
    assert "network 1 1 0 0 cluster 0 1 1 1" in plan
    assert "ingress[0].from_port 443 8443" in plan
    assert "role_arn forces replacement arn:aws:iam::123456789012:role/old-cluster-role known after apply" in plan
    assert "secret_string secret, not shown secret, not shown" in plan
    assert "tags.Name nodes" not in plan


def test_a_plan_that_can_t_be_read_is_named(tmp_path: Path) -> None:
    recording = sample_runs.waiting()
    recording.files["artifacts/stacks/network.json"] = "{half"
    assert "Its plan can't be shown: JSONDecodeError" in page(recording, tmp_path).section("plan")


def test_each_attempt_of_a_step_has_its_bar_and_a_long_wait_is_cut_out(tmp_path: Path) -> None:
    made = page(sample_runs.succeeded(), tmp_path)
    kinds = [rect["class"] for rect in made.all("rect")]
    assert kinds.count("again") == 1
    assert kinds.count("cut") == 6
    for rect in made.all("rect"):
        left, width = (float((rect[side] or "").rstrip("%")) for side in ("x", "width"))
        assert 0 <= left <= left + width <= 100.001
    assert "Gap in the bars: 20m01s in which nothing ran." in made.section("timeline")


def test_sixty_steps_are_sixty_rows_with_headers_a_screen_reader_can_use(tmp_path: Path) -> None:
    made = page(sample_runs.sixty_steps(), tmp_path)
    assert sum(th.get("scope") == "row" for th in made.all("th")) == 60
    assert all(th.get("scope") for th in made.all("th"))
    assert made.all("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in made.all("meta"))


def test_a_run_that_died_in_the_middle_of_a_line_can_still_be_shown(tmp_path: Path) -> None:
    run = Recording().start().stage(0, "plan", ("plan/a", "stack-plan", [])).write(tmp_path)
    with (run / "events.jsonl").open("a", encoding="utf-8") as record:
        record.write('{"time": "2026-09-26T10:15:05Z", "kind": "step-fini')
        record.write("\n" + json.dumps({"time": "2026-09-26T10:15:06Z", "kind": "of-the-future", "run": RUN}) + "\n")
    made = Page(html.render(run).read_text(encoding="utf-8"))
    assert "RUNNING" in made.text
    assert "If its process is gone, go on with" in made.text


def test_the_page_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    run = sample_runs.failed().write(tmp_path)
    assert html.render(run, tmp_path / "elsewhere.html") == tmp_path / "elsewhere.html"
    assert not (run / "report.html").exists()
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="holds no record of a run") as refused:
        html.render(tmp_path)
    assert refused.value.hint == "platformctl runs list"
