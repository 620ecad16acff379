"""``tools`` and ``doctor`` as a user types them, on a machine whose PATH and home are the test's."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command, Completed
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost

StandIn = Callable[[Path, str, str], Path]


@dataclass
class Shell:
    """Runs platformctl outside of any root, with an empty home."""

    folder: Path

    def run(self, *arguments: str) -> Completed:
        environ = {"HOME": str(self.folder), "PATH": f"{self.folder}/bin", "LANG": os.environ.get("LANG", "C.UTF-8")}
        runner = ProcessHost(KnownSecrets(), SystemClock(), environ).bind(cancel=Cancel(), on_line=None, on_child=None)
        argv = (sys.executable, "-m", "platformctl", *arguments)
        return runner.run(Command(argv, cwd=self.folder, ok_codes=(0, 2, 4)))

    def json(self, *arguments: str) -> tuple[int, Any]:
        completed = self.run(*arguments, "--output", "json")
        return completed.returncode, json.loads(completed.stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def terraform(tmp_path: Path, stand_in: StandIn) -> Path:
    return stand_in(tmp_path / "bin", "terraform", """echo '{"terraform_version": "1.11.4"}'""")


@pytest.fixture
def go(tmp_path: Path, stand_in: StandIn) -> Path:
    return stand_in(tmp_path / "bin", "go", "echo go version go1.25.1 linux/amd64")


@pytest.mark.usefixtures("go")
def test_doctor_is_content_with_what_can_still_be_built(shell: Shell, terraform: Path) -> None:
    code, document = shell.json("doctor")
    states = {program["name"]: program["state"] for program in document["programs"]}
    assert states == {
        "terraform": "ok",
        "kube-control-plane": "to make",
        "kwok": "to make",
        "registry": "to make",
        "go": "ok",
    }
    assert (code, document["ok"]) == (0, True)
    assert document["programs"][0]["path"] == str(terraform)
    assert {"Python", "memory", "disk", "providers"} <= {check["name"] for check in document["machine"]}


@pytest.mark.usefixtures("go")
def test_doctor_ends_with_4_when_terraform_is_missing_and_says_what_to_do(shell: Shell) -> None:
    code, document = shell.json("doctor")
    terraform = document["programs"][0]
    assert (code, document["ok"], terraform["state"]) == (4, False, "missing")
    assert "install Terraform" in terraform["hint"]
    text = shell.run("doctor")
    assert text.returncode == 4
    assert "terraform or tofu is not on PATH" in text.stdout


def test_tools_list_names_licences_and_origins(shell: Shell, terraform: Path) -> None:
    code, document = shell.json("tools", "list")
    programs = {program["name"]: program for program in document["programs"]}
    assert code == 0
    assert programs["terraform"]["licence"] == "BUSL-1.1"
    assert programs["terraform"]["origin"] == "path"
    assert programs["kwok"]["path"] is None
    assert f"  {terraform}\n" in shell.run("tools", "list").stdout


def test_tools_path_prints_the_path_and_nothing_else(shell: Shell, terraform: Path) -> None:
    completed = shell.run("tools", "path", "terraform")
    assert completed.stdout == f"{terraform}\n"
    assert completed.stderr == ""


def test_tools_path_of_a_program_that_is_not_there_ends_with_4_and_builds_nothing(shell: Shell) -> None:
    completed = shell.run("tools", "path", "kwok")
    assert (completed.returncode, completed.stdout) == (4, "")
    assert "hint: platformctl tools sync kwok" in completed.stderr


def test_tools_path_of_an_unknown_program_ends_with_2(shell: Shell) -> None:
    completed = shell.run("tools", "path", "kwoc")
    assert completed.returncode == 2
    assert "did you mean kwok?" in completed.stderr


def test_tools_sync_of_what_is_there_changes_nothing(shell: Shell, terraform: Path) -> None:
    code, document = shell.json("tools", "sync", "terraform")
    assert code == 0
    assert [program["path"] for program in document["programs"]] == [str(terraform)]
