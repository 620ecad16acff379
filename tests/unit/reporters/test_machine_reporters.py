"""What machines read of a run: JSON lines and JUnit XML."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.core.events import Event, EventKind
from platformctl.reporters import html, junit
from platformctl.reporters.jsonl import JsonLinesReporter
from tests.unit.reporters import sample_runs
from tests.unit.reporters.sample_runs import Recording


def junit_of(recording: Recording, directory: Path) -> ET.Element:
    return ET.parse(junit.render(recording.write(directory))).getroot()  # noqa: S314 - we made it ourselves


def test_each_event_is_one_json_line_and_reads_back_as_the_same_event() -> None:
    stream = io.StringIO()
    reporter = JsonLinesReporter(stream)
    events = sample_runs.succeeded().add(0, EventKind.STEP_LINE, "plan", "plan/x", line="a\nb").events
    for event in events:
        reporter.handle(event)
    reporter.close()
    assert [Event.from_json(json.loads(line)) for line in stream.getvalue().splitlines()] == events


def test_every_step_is_a_test_case_in_the_suite_of_its_stage(tmp_path: Path) -> None:
    root = junit_of(sample_runs.succeeded(), tmp_path)
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [
        ("plan", "2"),
        ("apply", "2"),
        ("verify", "2"),
    ]
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert cases[0] == ("provision.plan", "plan/network")
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == ("6", "0", "0", "1")


def test_a_case_lasts_as_long_as_its_attempts_without_the_wait_between_them(tmp_path: Path) -> None:
    root = junit_of(sample_runs.succeeded(), tmp_path)
    cluster = next(case for case in root.iter("testcase") if case.get("name") == "apply/cluster")
    assert float(cluster.get("time", "0")) == pytest.approx(33.9)


def test_what_could_not_be_done_is_an_error_with_its_last_lines_and_hint(tmp_path: Path) -> None:
    error = junit_of(sample_runs.failed(), tmp_path).find(".//error")
    assert error is not None
    assert error.get("type") == "CommandFailed"
    assert "AddressLimitExceeded" in (error.text or "")
    assert "hint: check the quota" in (error.text or "")


def test_a_no_is_a_failure(tmp_path: Path) -> None:
    root = junit_of(sample_runs.hostile(), tmp_path)
    assert root.find(".//failure") is not None
    assert root.find(".//error") is None


def test_characters_that_xml_forbids_are_left_out(tmp_path: Path) -> None:
    text = junit.render(sample_runs.hostile().write(tmp_path)).read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "<script>" not in text


def test_steps_that_never_ran_count_as_skipped(tmp_path: Path) -> None:
    recording = Recording().start().stage(0, "plan", ("plan/a", "stack-plan", []), ("plan/b", "stack-plan", []))
    recording.step(0, 1, "plan/a", "FAILED", error={"type": "StepFailed", "message": "no"})
    root = junit_of(recording, tmp_path)
    assert (root.get("failures"), root.get("skipped")) == ("1", "1")


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="holds no record of a run"):
        junit.render(tmp_path)


@pytest.mark.parametrize("render", [html.render, junit.render], ids=["html", "junit"])
def test_a_report_that_cannot_be_written_says_where_and_leaves_nothing(
    tmp_path: Path, render: Callable[[Path, Path], Path]
) -> None:
    run = sample_runs.succeeded().write(tmp_path / "run")
    (tmp_path / "taken").mkdir()
    with pytest.raises(PreconditionError, match="taken: Is a directory"):
        render(run, tmp_path / "taken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "taken"]
