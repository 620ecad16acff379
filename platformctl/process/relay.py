"""Stands between a program and us, so that the program can still end in good order after we were killed.

A Go program dies of SIGPIPE, whatever it inherited, when it writes to a pipe that nobody reads any more (package
os/signal, "SIGPIPE"). Terraform would die so at the first word it says about the interrupt that shall save its state.
So it writes to this process, which passes everything on, and goes on reading when there is nobody to pass it to.

Run as ``python -I -S relay.py PROGRAM ARGUMENT...`` in the program's process group: signals to the group reach both,
and only the program acts on them. Ends as the program ended. Standard library only; imports nothing of ours.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

CHUNK = 64 * 1024
LOOK = 0.25  # seconds between two looks at the program, should something it started hold its output open
DRAIN = 1.0  # seconds that such output is still read after the program's end
_HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def start(argv: list[str]) -> tuple[int, dict[int, int]]:
    """Starts the program; returns its pid and, of each pipe it writes to, where that goes."""
    pipes = {1: os.pipe(), 2: os.pipe()}
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, write, number) for number, (_, write) in pipes.items()]
    # Handlers of ours are not inherited, but an ignored signal would be: Python ignores SIGPIPE.
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE])
    for _, write in pipes.values():
        os.close(write)
    return pid, {read: number for number, (read, _) in pipes.items()}


def pump(pid: int, routes: dict[int, int]) -> int:
    """Passes output on until the program is gone; returns its wait status."""
    deaf: set[int] = set()
    status: int | None = None
    limit = 0.0
    while routes and (status is None or time.monotonic() < limit):
        ready, _, _ = select.select(list(routes), [], [], LOOK)
        for read in ready:
            chunk = os.read(read, CHUNK)
            if not chunk:
                del routes[read]
            elif routes[read] not in deaf and not passed_on(routes[read], chunk):
                deaf.add(routes[read])
        if not ready and status is None:
            ended, found = os.waitpid(pid, os.WNOHANG)
            if ended:
                status, limit = found, time.monotonic() + DRAIN
    return os.waitpid(pid, 0)[1] if status is None else status


def passed_on(number: int, chunk: bytes) -> bool:
    """Whether somebody took it all."""
    try:
        while chunk:
            chunk = chunk[os.write(number, chunk) :]
    except OSError:
        return False
    return True


def end_as(status: int) -> None:
    """Ends this process as the program ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


def main() -> None:
    """Runs one program."""
    for number in _HEARD:
        signal.signal(number, lambda *_: None)
    try:
        pid, routes = start(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"cannot start {sys.argv[1]}: {error.strerror}\n")
        sys.exit(127)
    end_as(pump(pid, routes))


if __name__ == "__main__":
    main()
