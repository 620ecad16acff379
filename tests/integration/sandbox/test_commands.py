"""`platformctl sandbox` where it needs no part to run: down, looked at, misused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from platformctl.cli import main
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.state import write_private


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n")
    return tmp_path


def test_status_of_a_sandbox_that_is_down_says_so_and_is_no_success(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["-C", str(root), "sandbox", "status"]) == 1
    assert "the sandbox is down" in capsys.readouterr().out
    assert main.run(["-C", str(root), "sandbox", "status", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"healthy": False, "parts": []}


def test_down_of_a_sandbox_that_never_was_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["-C", str(root), "sandbox", "down"]) == 0
    assert "was not up" in capsys.readouterr().out
    assert not (root / ".platform").exists()


def test_env_prints_lines_that_a_shell_reads_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout.of(root)
    layout.make()
    document = {"schemaVersion": 1, "environment": {"A": "it's", "KUBECONFIG": "/a b/c"}, "endpoints": {}}
    write_private(layout.connection, json.dumps(document))
    assert main.run(["-C", str(root), "sandbox", "env"]) == 0
    assert capsys.readouterr().out == "export A='it'\"'\"'s'\nexport KUBECONFIG='/a b/c'\n"
    assert main.run(["-C", str(root), "sandbox", "env", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == document


def test_env_of_a_sandbox_that_is_down_says_what_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["-C", str(root), "sandbox", "env"]) == 4
    assert capsys.readouterr().err == "error: the sandbox is down\nhint: platformctl sandbox up\n"


def test_logs_prints_the_end_of_a_log(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout.of(root)
    layout.make()
    layout.log("etcd").write_text("one\ntwo [bold]\nthree\n")
    assert main.run(["-C", str(root), "sandbox", "logs", "etcd", "--lines", "2"]) == 0
    assert capsys.readouterr().out == "two [bold]\nthree\n"


def test_logs_of_an_unknown_part_names_those_there_are(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout.of(root)
    layout.make()
    layout.log("etcd").touch()
    layout.earlier_log("etcd").touch()
    assert main.run(["-C", str(root), "sandbox", "logs", "etc"]) == 4
    assert capsys.readouterr().err == "error: there is no log of a part 'etc'\nhint: there are: etcd\n"


def test_following_a_log_as_json_is_refused(root: Path) -> None:
    assert main.run(["-C", str(root), "sandbox", "logs", "etcd", "--follow", "--output", "json"]) == 2


def test_a_kubeconfig_that_is_not_there_is_told_before_anything_starts(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["-C", str(root), "sandbox", "up", "--kubeconfig", str(root / "nowhere")]) == 2
    assert "nowhere' does not exist" in capsys.readouterr().err
    assert not Layout.of(root).connection.exists()
