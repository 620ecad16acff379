"""What only a process of its own shows: a fresh interpreter that answers a shell, an interrupted terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import signal, sys
from datetime import UTC, datetime
from rich.console import Console
from platformctl.core.clock import SystemClock
from platformctl.core.events import Event, EventKind
from platformctl.reporters.console import console_reporter

reporter = console_reporter(Console(stderr=True), zone=UTC, clock=SystemClock())
for kind, stage, step, detail in (
    (EventKind.RUN_STARTED, "", "", {"pipeline": "p", "environment": "e", "stages": ["plan"]}),
    (EventKind.STAGE_STARTED, "plan", "", {"steps": [{"name": "plan/a", "kind": "k", "needs": []}]}),
    (EventKind.STEP_STARTED, "plan", "plan/a", {"kind": "k", "attempt": 1}),
):
    reporter.handle(Event(datetime.now(UTC), kind, "run", stage, step, detail))
print("running", flush=True)
signal.pause()
"""


def test_a_fresh_process_answers_a_shell_without_heavy_imports(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n", encoding="utf-8")
    environments = tmp_path / "pipelines" / "environments"
    environments.mkdir(parents=True)
    (environments / "dev.yaml").write_text("stacks: {}\n", encoding="utf-8")
    words = {"COMP_WORDS": "platformctl run provision --env ", "COMP_CWORD": "4"}
    answered = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "platformctl"],
        env={**os.environ, **words, "_PLATFORMCTL_COMPLETE": "bash_complete"},
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert answered.stdout == "plain,dev\n"
    imported = {line.rpartition("|")[2].strip() for line in answered.stderr.splitlines()}
    assert "click" in imported
    assert imported.isdisjoint({"pydantic", "boto3", "rich", "ruamel.yaml", "jinja2", "kubernetes"})


def test_an_interrupted_display_gives_the_terminal_its_cursor_back() -> None:
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "60", "LINES": "20"}
    environ.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environ
    )
    os.close(theirs)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGINT)
        shown = _until_the_end(ours)
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(ours)
    hidden, back = shown.rfind(b"\x1b[?25l"), shown.rfind(b"\x1b[?25h")
    assert 0 <= hidden < back


def _until_the_end(descriptor: int) -> bytes:
    """Everything the other side writes until it closes the terminal; Linux tells that by an error, macOS by nothing."""
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            return shown
        if not piece:
            return shown
        shown += piece
