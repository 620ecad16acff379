"""Ends what a platformctl left running when it died, even by SIGKILL. A program of its own: see ``guardian``.

Standard library only; run as ``python -I -S guard.py`` in a session of its own. Its standard input is a socket whose
other end only its platformctl holds; the lines there are

    ? TOKEN GRACE          a child will be started that has PLATFORMCTL_CHILD=TOKEN in its environment
    + TOKEN PID START      it was started and leads the process group PID; START is its start time or "-". With the
                           line come the two descriptors from which its output is read
    - TOKEN                it has ended, or was not started

At end of file every group still named is interrupted, after its grace terminated, after its grace again killed. A
number that was given to another process in the meantime is left alone. Until then their output is read and dropped: a
Go program dies of SIGPIPE, whatever it inherited, when it writes to a pipe without a reader (package os/signal), and
Terraform would die so at the first word it says about the interrupt that shall make it save its state.

Must not import anything of ours, nor grow.
"""

# Starts in two thirds of the time without pathlib:
# ruff: noqa: PTH112, PTH123, PTH208
from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time

VARIABLE = "PLATFORMCTL_CHILD"
DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PIPES = 2  # descriptors that come with each child
LOOK = 0.05  # seconds between two looks, only once the parent is dead
UNBORN = 1.0  # seconds in which a child that was announced may still appear: its parent died between fork and exec
GIVE_UP = 10.0  # seconds after SIGKILL: what is left then waits in the kernel and hears no signal


class Group:
    """One child and its process group; ``pid`` 0 until it is known to run. ``pipes``: where its output is read."""

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.pid = 0
        self.start = "-"
        self.pipes: list[int] = []
        self.due = [(0.0, signal.SIGINT), (grace, signal.SIGTERM), (2 * grace, signal.SIGKILL)]

    def gone(self) -> bool:
        """Whether no process is left that this group is about."""
        found = start_time(self.pid)
        if "-" not in (found, self.start) and found != self.start:
            return True
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False

    def signal(self, passed: float) -> None:
        """Sends what is due after so many seconds."""
        while self.due and self.due[0][0] <= passed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, self.due.pop(0)[1])

    def close(self) -> None:
        """Gives the descriptors back."""
        while self.pipes:
            os.close(self.pipes.pop())


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)), "-" where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return "-"


def note(groups: dict[str, Group], line: bytes, pipes: list[int]) -> None:
    """Takes one line, and of ``pipes`` those that belong to it."""
    words = line.decode("ascii").split()
    if words[0] == "?":
        groups[words[1]] = Group(float(words[2]))
    elif words[0] == "+" and words[1] in groups:
        group = groups[words[1]]
        group.pid, group.start = int(words[2]), words[3]
        group.pipes, pipes[:PIPES] = pipes[:PIPES], []
    elif words[0] == "-" and words[1] in groups:
        groups.pop(words[1]).close()


def read(channel: socket.socket) -> dict[str, Group]:
    """The children that ran, or were about to, when the parent died."""
    groups: dict[str, Group] = {}
    begun, pipes = b"", list[int]()
    while True:
        chunk, received, _, _ = socket.recv_fds(channel, 64 * 1024, 64 * PIPES)
        if not chunk:
            return groups
        pipes += received
        *lines, begun = (begun + chunk).split(b"\n")
        for line in lines:
            note(groups, line, pipes)


def find(groups: dict[str, Group]) -> None:
    """Looks for children that were announced and never reported, by the token in their environment."""
    wanted = {f"{VARIABLE}={token}".encode(): group for token, group in groups.items() if not group.pid}
    if not wanted or not os.path.isdir("/proc/self"):
        return
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getpgid(int(name)) != int(name):
                continue  # only the leader: what it starts inherits the token
            with open(f"/proc/{name}/environ", "rb") as environ:
                for entry in environ.read().split(b"\0"):
                    if entry in wanted:
                        wanted[entry].pid, wanted[entry].start = int(name), start_time(int(name))
        except OSError:
            continue


def drain(groups: dict[str, Group]) -> None:
    """Reads and drops what the children say, for the time between two looks."""
    poll, limit = select.poll(), time.monotonic() + LOOK
    for group in groups.values():
        for pipe in group.pipes:
            poll.register(pipe, select.POLLIN)
    while (left := limit - time.monotonic()) > 0:
        for pipe, _ in poll.poll(left * 1000):
            if not os.read(pipe, 64 * 1024):
                poll.unregister(pipe)


def end(groups: dict[str, Group]) -> None:
    """Interrupts, terminates, kills; returns when all are gone."""
    begun = time.monotonic()
    limit = 2 * max((group.grace for group in groups.values()), default=0.0) + GIVE_UP
    while groups and time.monotonic() - begun < limit:
        passed = time.monotonic() - begun
        if passed < UNBORN:
            find(groups)
        for token, group in list(groups.items()):
            if group.gone() if group.pid else passed >= UNBORN:
                groups.pop(token).close()
            elif group.pid:
                group.signal(passed)
        drain(groups)


def main() -> None:
    """Waits for the parent's death, then ends its children."""
    signal.pthread_sigmask(signal.SIG_BLOCK, DEAF_TO)  # as it was started; said again for whoever starts it by hand
    end(read(socket.socket(fileno=sys.stdin.fileno())))


if __name__ == "__main__":
    main()
