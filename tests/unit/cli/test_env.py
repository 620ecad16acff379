"""``platformctl env``: what is printed, in which form, with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platformctl.cli import main

DEV = """\
# The first of them.
apiVersion: platform/v1
kind: Environment
name: dev
cloud: {region: ap-northeast-2, account: "123456789012"}
state: {bucket: acme-dev-state}   # bootstrapped by hand
tags: {device: dev, owner: platform}
notify: {webhook: {url: {env: HOOK_OF_THIS_TEST}}}
"""


@dataclass(frozen=True)
class Answer:
    """What a command line answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines" / "environments"
    folder.mkdir(parents=True)
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\ndefaults: {timezone: Asia/Seoul}\n")
    (folder / "dev.yaml").write_text(DEV)
    return tmp_path


@pytest.fixture
def env(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``platformctl env ...`` in the root."""

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main.run(["-C", str(root), "env", *arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


def break_it(root: Path) -> None:
    text = DEV.replace("name: dev", "name: broken") + "protcted: true\ntags: {}\n"
    (root / "pipelines/environments/broken.yaml").write_text(text)


def test_a_valid_file_is_said_to_be_valid_by_name_and_by_path(env: Run, root: Path) -> None:
    assert env("validate", "dev").out == "pipelines/environments/dev.yaml is valid\n"
    path = root / "pipelines/environments/dev.yaml"
    assert env("validate", str(path), "--output", "json").json == {
        "environment": "dev",
        "file": str(path),
        "valid": True,
    }


def test_every_problem_goes_to_stderr_with_file_and_line(env: Run, root: Path) -> None:
    break_it(root)
    answer = env("validate", "broken")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.splitlines()[:-1] == [
        "error: pipelines/environments/broken.yaml:9: unknown key 'protcted' in the file; did you mean 'protected'?",
        "error: pipelines/environments/broken.yaml:10: the key 'tags' stands here a second time",
    ]
    assert "docs/reference/environment.md" in answer.err.splitlines()[-1]
    problems = env("validate", "broken", "--output", "json").json["error"]["problems"]
    assert [(problem["line"], problem["file"]) for problem in problems] == [
        (9, "pipelines/environments/broken.yaml"),
        (10, "pipelines/environments/broken.yaml"),
    ]


def test_secrets_that_are_not_set_are_named_when_they_are_asked_for(env: Run) -> None:
    answer = env("validate", "dev", "--secrets")
    assert answer.code == 3
    assert "dev.yaml:8: notify.webhook.url: the variable HOOK_OF_THIS_TEST is not set" in answer.err


def test_a_name_that_is_not_there_comes_with_those_that_are(env: Run) -> None:
    answer = env("validate", "dve")
    assert answer.code == 4
    assert "hint: did you mean 'dev'?" in answer.err


def test_the_list_has_faulty_environments_too(env: Run, root: Path) -> None:
    break_it(root)
    listed = env("list", "--output", "json").json["environments"]
    assert [(row["name"], row["valid"], row.get("problems")) for row in listed] == [
        ("broken", False, 2),
        ("dev", True, None),
    ]
    assert {"region": "ap-northeast-2", "account": "123456789012", "stacks": 0, "protected": False}.items() <= listed[
        1
    ].items()
    assert "2 problems: platformctl env validate broken" in env("list").out


def test_showing_explains_where_each_value_comes_from(env: Run) -> None:
    explained = env(
        "show", "dev", "--explain", "--set", "cloud.profile=mine", "--set", "timezone=UTC", "--output", "json"
    ).json
    assert explained["cloud.profile"] == {"value": "mine", "from": "command line"}
    assert explained["timezone"]["from"] == "command line"
    assert explained["cloud.region"]["from"] == "pipelines/environments/dev.yaml:5"
    assert explained["protected"] == {"value": False, "from": "default"}
    assert env("show", "dev", "--explain", "--output", "json").json["timezone"]["from"] == "platform.yaml:2"


def test_showing_prints_references_and_not_secrets(env: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_OF_THIS_TEST", "hunter2")
    shown = env("show", "dev")
    assert "HOOK_OF_THIS_TEST" in shown.out
    assert "hunter2" not in shown.out + shown.err


def test_what_looks_like_markup_is_printed_as_it_is(env: Run, root: Path) -> None:
    path = root / "pipelines/environments/dev.yaml"
    path.write_text(DEV.replace("url: {env: HOOK_OF_THIS_TEST}", "url: {aws_secret: '[bold]hook[/]'}"))
    assert "[bold]hook[/]" in env("show", "dev").out


@pytest.mark.parametrize("assignment", ["protected=false", "timezone", "timezone=", "=x"])
def test_what_was_reviewed_cannot_be_set(env: Run, assignment: str) -> None:
    assert env("show", "dev", "--set", assignment).code == 2


def test_a_copy_is_the_same_to_the_last_space_and_says_what_still_has_the_old_name(env: Run, root: Path) -> None:
    answer = env("new", "stage", "--from", "dev", "--output", "json")
    assert answer.code == 0
    text = (root / "pipelines/environments/stage.yaml").read_text()
    assert text == DEV.replace("name: dev", "name: stage")
    assert answer.json["mentions"] == [
        {"key": "state.bucket", "value": "acme-dev-state", "line": 6},
        {"key": "tags.device", "value": "dev", "line": 7},
    ]


def test_a_copy_never_goes_over_a_file_and_is_never_faulty(env: Run, root: Path) -> None:
    assert env("new", "dev", "--from", "dev").code == 4
    faulty = env("new", "Not-A-Name", "--from", "dev")
    assert faulty.code == 2
    assert "lower-case letters" in faulty.err
    break_it(root)
    assert env("new", "other", "--from", "broken").code == 3
    assert sorted(path.name for path in (root / "pipelines/environments").iterdir()) == ["broken.yaml", "dev.yaml"]


def test_differences_are_told_key_by_key(env: Run) -> None:
    env("new", "stage", "--from", "dev")
    assert env("diff", "dev", "stage").out == "no differences\n"
    path = "pipelines/environments/stage.yaml"
    assert env("diff", "dev", "stage", "--output", "json").json == {"differences": []}
    root = Path(json.loads(env("validate", "stage", "--output", "json").out)["file"]).parents[2]
    (root / path).write_text((root / path).read_text().replace("acme-dev-state", "acme-stage-state"))
    assert env("diff", "dev", "stage", "--output", "json").json == {
        "differences": [{"key": "state.bucket", "a": "acme-dev-state", "b": "acme-stage-state"}]
    }
    assert "acme-stage-state" in env("diff", "dev", "stage").out
