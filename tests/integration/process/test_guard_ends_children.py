"""Children die with their parent, also when the parent is killed and can do nothing about it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platformctl.process import guard
from tests.integration.process.conftest import Bench
from tests.integration.process.programs import FAMILY, STUBBORN, python, running, until, words

PARENT = Path(__file__).with_name("parent.py")
OWNER = Path(__file__).with_name("owner.py")
FOREVER = "import time; time.sleep(600)"

TALKATIVE = """
import os, signal, sys, time
def end(*_):
    for _ in range(4000):
        os.write(1, b"saving, and saying so at length" * 4)
        os.write(2, b"on both outputs")
    open(sys.argv[1], "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.write(1, b"ready\\n")
time.sleep(600)
"""
"""Ends like Terraform: saves its state when interrupted, and talks about it. Dies of SIGPIPE like a Go program."""


@contextmanager
def a_parent(folder: Path, *program: str) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """A platformctl of its own that runs the Python program; gives it, its child's pid and its guard's."""
    argv = (sys.executable, str(PARENT), str(folder), sys.executable, "-I", "-S", "-c", *program)
    root = PARENT.parents[3]
    with subprocess.Popen(argv, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}) as process:
        try:
            until(lambda: len(words(folder / "child")) == 2 or process.poll() is not None, "the child to start")
            child, keeper = map(int, words(folder / "child"))
            yield process, child, keeper
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("ends_at", "heard"),
    [("SIGINT", ["SIGINT"]), ("SIGTERM", ["SIGINT", "SIGTERM"]), ("SIGKILL", ["SIGINT", "SIGTERM"])],
)
def test_a_child_whose_parent_was_killed_is_interrupted_first(tmp_path: Path, ends_at: str, heard: list[str]) -> None:
    with a_parent(tmp_path, STUBBORN, str(tmp_path / "heard"), ends_at) as (process, child, keeper):
        # The child must have its handlers before the first signal comes.
        until(lambda: "SIGTERM" in _caught(child), "the child's handlers")
        process.kill()
        until(lambda: not running(child), "the child's end")
        assert words(tmp_path / "heard") == heard
        until(lambda: not running(keeper), "the guard's end")


def test_a_child_whose_parent_was_killed_may_still_say_its_last_words(tmp_path: Path) -> None:
    argv = (sys.executable, str(OWNER), sys.executable, "-I", "-S", "-c", TALKATIVE, str(tmp_path / "state"))
    root = OWNER.parents[3]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(argv, cwd=root, env=env, stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    until(lambda: not running(int(done.stdout)), "the child's end")
    assert words(tmp_path / "state") == ["saved"]


def test_a_grandchild_dies_with_them_even_if_it_hears_nothing(tmp_path: Path) -> None:
    source = (
        f"import sys\nprint = lambda *a, **k: open({str(tmp_path / 'grandchild')!r}, 'w').write(str(a[1]))\n" + FAMILY
    )
    with a_parent(tmp_path, source, "deaf", "waits") as (process, child, keeper):
        until(lambda: bool(words(tmp_path / "grandchild")), "the grandchild")
        grandchild = int(words(tmp_path / "grandchild")[0])
        process.kill()
        until(lambda: not running(child) and not running(grandchild), "their end")
        until(lambda: not running(keeper), "the guard's end")


def test_killing_the_parents_whole_process_group_does_not_reach_the_guard(tmp_path: Path) -> None:
    with a_parent(tmp_path, FOREVER) as (process, child, keeper):
        assert os.getpgid(keeper) != os.getpgid(process.pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(keeper, number)
        assert running(keeper)
        process.kill()
        until(lambda: not running(child) and not running(keeper), "the end of both")


def test_a_guard_that_was_killed_is_replaced_and_the_new_one_knows_who_runs(bench: Bench) -> None:
    first, pipes = bench.host.guardian, os.pipe()
    with first.ward(0.2) as ward:
        before = first.pid
        with subprocess.Popen(
            (sys.executable, "-I", "-S", "-c", FOREVER), start_new_session=True, env=ward.variables
        ) as child:
            first.started(ward, child.pid, pipes)
            os.kill(before, signal.SIGKILL)
            until(lambda: not running(before), "the guard's end")
            bench.runner.run(python(""))
            assert first.pid not in {0, before}
            first.close()
            assert child.wait(timeout=15) == -signal.SIGINT
    for pipe in pipes:
        os.close(pipe)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads other processes' environments in /proc")
def test_a_child_that_was_announced_and_never_reported_is_found_by_its_token(bench: Bench) -> None:
    guardian = bench.host.guardian
    argv = (sys.executable, "-I", "-S", "-c", FOREVER)
    with guardian.ward(0.2) as ward, subprocess.Popen(argv, start_new_session=True, env=ward.variables) as child:
        assert ward.variables == {guard.VARIABLE: ward.token}
        guardian.close()
        assert child.wait(timeout=15) == -signal.SIGINT


def test_a_guard_with_nobody_to_guard_ends_at_once(bench: Bench) -> None:
    bench.runner.run(python(""))
    keeper = bench.host.guardian.pid
    assert running(keeper)
    bench.host.close()
    assert not running(keeper)


def test_one_guard_serves_all_commands(bench: Bench) -> None:
    pids = set()
    for _ in range(3):
        bench.runner.run(python(""))
        pids.add(bench.host.guardian.pid)
    assert len(pids) == 1


def test_a_forgotten_host_lets_its_guard_go() -> None:
    other = Bench()
    other.runner.run(python(""))
    keeper = other.host.guardian.pid
    del other
    gc.collect()
    until(lambda: not running(keeper), "the guard's end")


def _caught(pid: int) -> set[str]:
    """The signals for which the process has a handler; where that cannot be read, all of them."""
    import re

    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return {"SIGTERM"}
    mask = int((re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text()) or ["", "0"])[1], 16)
    return {number.name for number in signal.Signals if mask >> (number - 1) & 1}
