"""Programs that outlive us, like daemons: started in a session of their own, ended by identity. The guard never hears
of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from pathlib import Path

from platformctl.core.clock import Clock, SystemClock
from platformctl.core.command import Child, Command
from platformctl.process import children
from platformctl.process.spawn import environment, spawn

KILLED = 10.0
"""Seconds after SIGKILL until ``stop`` returns whatever happened."""

_LOOK = 0.01  # seconds; for what a program left in its group, and where the system cannot tell of a process's end


def start(command: Command, log: Path) -> Child:
    """Starts the program with its output appended to ``log`` (made with mode 0600) and nothing to read.

    ``timeout``, ``stdin``, ``capture`` and ``ok_codes`` of the command mean nothing here. Raises PreconditionError,
    TransientError or ToolError; nothing runs then.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        env = environment(command, os.environ)
        process = spawn(command, env, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor)
    finally:
        os.close(descriptor)
    child = children.identify(process.pid, Path(command.argv[0]).name)
    # Should it end before us, somebody must take its code, or it stays as a zombie.
    threading.Thread(target=process.wait, name=f"reaper of {process.pid}", daemon=True).start()
    return child


def stop(child: Child, grace: float, clock: Clock | None = None) -> None:
    """Asks the program and its group to end (SIGTERM), kills them after ``grace`` seconds, returns when they are gone.

    Signals nothing but that very process and the group it leads: not a later process with its pid, not one of another
    machine or boot. Returns after ``KILLED`` seconds even if the kernel keeps the process; ``children.alive`` tells.
    """
    clock = clock or SystemClock()
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, KILLED)):
        if _gone(child):
            return
        _signal(child, number)
        limit = clock.monotonic() + patience
        _await_end(child, patience)
        while not _gone(child) and clock.monotonic() < limit:
            clock.wait(_LOOK)


def _gone(child: Child) -> bool:
    return not children.alive(child) and not children.group_alive(child)


def _signal(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if children.alive(child) and os.getpgid(child.pid) != child.pid:
            os.kill(child.pid, number)
        else:
            os.killpg(child.pid, number)


def _await_end(child: Child, patience: float) -> None:
    """Sleeps until the process itself has ended, where the system can tell; at most ``patience`` seconds."""
    try:
        descriptor = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        return
    try:
        if children.alive(child):  # asked after the descriptor was opened: it is about that very process
            with selectors.DefaultSelector() as selector:
                selector.register(descriptor, selectors.EVENT_READ)
                selector.select(patience)
    finally:
        os.close(descriptor)
