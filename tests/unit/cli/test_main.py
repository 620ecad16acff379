"""The frame of the command line: help without imports, exit codes, errors as text and as JSON."""

from __future__ import annotations

import json
import sys

import pytest

from platformctl import __version__
from platformctl.cli import main


def test_version_and_help_answer_without_heavy_imports(capsys: pytest.CaptureFixture[str]) -> None:
    heavy = {"pydantic", "boto3", "rich", "ruamel.yaml", "jinja2", "kubernetes"}
    before = heavy & sys.modules.keys()
    assert main.run(["--version"]) == 0
    assert main.run(["--help"]) == 0
    assert heavy & sys.modules.keys() == before
    out = capsys.readouterr().out
    assert __version__ in out
    assert "sandbox" in out


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["dctor"]) == 2
    err = capsys.readouterr().err
    assert "error: No such command 'dctor'. Did you mean 'doctor'?" in err
    assert "hint: platformctl --help" in err


def test_a_usage_error_is_json_on_stdout_when_json_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["runs", "nonsense", "--output", "json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["type"] == "UsageError"
    assert captured.err == ""


def test_working_in_a_directory_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["-C", "/does/not/exist", "doctor"]) == 2
    assert "no such directory" in capsys.readouterr().err
