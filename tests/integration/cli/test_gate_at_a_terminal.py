"""A person at a terminal is asked, and leaves: by Ctrl-C, by a signal, or because the terminal goes away."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

STACK = """\
terraform {
  required_version = ">= 1.10"
}

resource "terraform_data" "hello" {}
"""
ENVIRONMENT = """\
apiVersion: platform/v1
kind: Environment
name: local
cloud: {provider: none}
stacks:
  hello: {source: hello}
"""
# The terminal becomes the one of a session of its own, as a shell's: else no Ctrl-C and no hangup arrives.
PROGRAM = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv[0] = "platformctl"
from platformctl.cli.main import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Seat:
    """Where the person sits: our end of the terminal, and the process that asks there."""

    terminal: int
    process: subprocess.Popen[bytes]

    def read_until(self, words: bytes) -> None:
        """Reads what is shown until the words have come."""
        shown = b""
        while words not in shown:
            shown += os.read(self.terminal, 65536)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "platform.yaml": "schemaVersion: 1\n",
        "pipelines/environments/local.yaml": ENVIRONMENT,
        "terraform/stacks/hello/main.tf": STACK,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _press_ctrl_c(seat: Seat) -> None:
    os.write(seat.terminal, b"\x03")


def _terminate(seat: Seat) -> None:
    seat.process.send_signal(signal.SIGTERM)


def _hang_up(seat: Seat) -> None:
    seat.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize(("leave", "code"), [(_press_ctrl_c, 130), (_terminate, 143), (_hang_up, 129)])
def test_who_leaves_at_the_question_leaves_an_aborted_run(root: Path, leave: Callable[[Seat], None], code: int) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", "provision", "--env", "local"],
        cwd=root, env={**os.environ, "XDG_STATE_HOME": str(root / "state")},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seat = Seat(ours, process)
    try:
        seat.read_until(b"yes, no, or later?")
        leave(seat)
        seat.read_until(b"interrupted by")
        assert process.wait(timeout=30) == code
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    (run,) = (root / ".platform" / "runs").glob("*/run.json")
    assert json.loads(run.read_text(encoding="utf-8"))["status"] == "ABORTED"
    assert not list((root / ".platform" / "state").glob("**/*.tfstate"))
