"""Programs that outlive us: started for good, ended by identity."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platformctl.core.command import Child, Command
from platformctl.core.errors import PreconditionError
from platformctl.process import children, detached
from tests.integration.process.programs import FAMILY, STUBBORN, python, running, until, words

FOREVER = "import time; print('up', flush=True); time.sleep(600)"
Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts detached programs with the log ``log``; what still runs at the end is killed."""
    started: list[Child] = []

    def begin(command: Command) -> Child:
        started.append(detached.start(command, tmp_path / "log"))
        return started[-1]

    yield begin
    for child in started:
        detached.stop(child, 0.0)


def test_it_has_its_own_session_no_input_and_its_output_in_the_log(start: Start, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    source = (
        "import sys; print(repr(sys.stdin.read()), flush=True); print('err', file=sys.stderr, flush=True);" + FOREVER
    )
    child = start(python(source))
    until(lambda: "up" in words(tmp_path / "log"), "the program")
    assert words(tmp_path / "log") == ["before", "''", "err", "up"]
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert children.alive(child)


def test_a_new_log_is_nobody_elses_to_read(start: Start, tmp_path: Path) -> None:
    start(python(""))
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_it_lives_on_when_its_starter_is_killed(tmp_path: Path) -> None:
    source = f"""
import os, sys
from pathlib import Path
from platformctl.core.command import Command
from platformctl.process import detached
child = detached.start(Command((sys.executable, "-c", {FOREVER!r})), Path({str(tmp_path / "log")!r}))
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run((sys.executable, "-c", source), check=False, cwd=root, env=env, stdout=subprocess.PIPE)
    child = children.identify(int(done.stdout), "python")
    until(lambda: "up" in words(tmp_path / "log"), "the program")
    assert children.alive(child)
    detached.stop(child, 5.0)
    assert not children.alive(child)


def test_no_zombie_stays_when_it_ends_before_its_starter(start: Start) -> None:
    child = start(python(""))
    until(lambda: not _exists(child.pid), "the zombie to be reaped")
    assert not children.alive(child)


@pytest.mark.parametrize(("ends_at", "heard"), [("SIGTERM", ["SIGTERM"]), ("SIGKILL", ["SIGTERM"])])
def test_it_is_asked_to_end_and_then_killed(start: Start, tmp_path: Path, ends_at: str, heard: list[str]) -> None:
    child = start(python(STUBBORN, str(tmp_path / "heard"), ends_at))
    until(lambda: "ready" in words(tmp_path / "log"), "the program")
    detached.stop(child, 5.0 if ends_at == "SIGTERM" else 0.2)
    assert words(tmp_path / "heard") == heard
    assert not children.alive(child)


def test_what_it_left_behind_ends_with_it(start: Start, tmp_path: Path) -> None:
    child = start(python(FAMILY, "deaf", "ends"))
    until(lambda: not children.alive(child) and "ready" in words(tmp_path / "log"), "the leader's end")
    grandchild = int(words(tmp_path / "log")[1])
    assert running(grandchild)
    detached.stop(child, 0.2)
    assert not running(grandchild)


@pytest.mark.parametrize("change", [{"started": 1.0}, {"host": "another"}, {"boot": "earlier"}])
def test_a_stranger_with_the_same_pid_is_left_alone(start: Start, change: dict[str, object]) -> None:
    child = start(python(FOREVER))
    stranger = dataclasses.replace(child, **change)  # type: ignore[arg-type]
    assert not children.alive(stranger)
    detached.stop(stranger, 0.0)
    assert children.alive(child)


def test_stopping_what_is_gone_does_nothing(start: Start) -> None:
    child = start(python(""))
    until(lambda: not _exists(child.pid), "its end")
    detached.stop(child, 5.0)


def test_a_program_that_is_missing_is_told_and_the_log_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="cannot start no-such-program"):
        detached.start(Command(("no-such-program",)), tmp_path / "log")


def test_we_know_ourselves() -> None:
    us = children.current()
    assert us.pid == os.getpid()
    assert children.alive(us)
    assert children.here(us)


def test_nobody_is_identified_by_a_pid_that_is_free() -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        children.identify(process.pid, "gone")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
