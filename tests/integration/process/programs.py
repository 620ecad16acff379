"""Small programs for the tests of the runner: what a well-behaved, a stubborn, a noisy or a daemon-like child does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from platformctl.core.command import Command

_PATIENCE = 15.0  # seconds of real time until a test gives up on another process

STUBBORN = """
import os, signal, sys, time
heard = sys.argv[1]
def hear(number, frame):
    with open(heard, "a") as file: file.write(signal.Signals(number).name + "\\n")
    if signal.Signals(number).name == sys.argv[2]: os._exit(3)
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, hear)
print("ready", os.getpid(), flush=True)
while True: time.sleep(30)
"""
"""Writes down each signal it hears; ends at the one it was told, if it hears that."""

FAMILY = """
import os, sys, time
child = os.fork()
if child == 0:
    if sys.argv[1] == "deaf":
        import signal
        for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)
    time.sleep(600)
print("ready", child, flush=True)
if sys.argv[2] == "waits": time.sleep(600)
"""
"""Leaves a child of its own behind, which holds both outputs open."""


def python(source: str, *arguments: str, **options: object) -> Command:
    """A Python program of few lines."""
    return Command((sys.executable, "-I", "-S", "-c", source, *arguments), **options)  # type: ignore[arg-type]


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for what another process does; bounded."""
    limit = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"waited {_PATIENCE:g} s for {what}")
        time.sleep(0.005)


def running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def words(path: Path) -> list[str]:
    """The words in a file, none when it is not there."""
    return path.read_text(encoding="utf-8").split() if path.exists() else []
