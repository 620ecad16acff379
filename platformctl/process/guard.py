"""Ends what a platformctl left running when it died, even by SIGKILL. A program of its own: see ``guardian``.

Standard library only; run as ``python -I -S guard.py`` in a session of its own. Its standard input is a pipe whose
other end only its platformctl holds; the lines there are

    ? TOKEN GRACE          a child will be started that has PLATFORMCTL_CHILD=TOKEN in its environment
    + TOKEN PID START      it was started, and leads the process group PID; START is its start time or "-"
    - TOKEN                it has ended, or was not started

At end of file every group still named is interrupted, after its grace terminated, after its grace again killed. A
number that was given to another process in the meantime is left alone. Must not import anything of ours, nor grow.
"""

# Starts in two thirds of the time without pathlib:
# ruff: noqa: PTH112, PTH123, PTH208
from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

VARIABLE = "PLATFORMCTL_CHILD"
LOOK = 0.05  # seconds between two looks, only once the parent is dead
UNBORN = 1.0  # seconds in which a child that was announced may still appear: its parent died between fork and exec
GIVE_UP = 10.0  # seconds after SIGKILL: what is left then waits in the kernel and hears no signal


class Group:
    """One child and its process group; ``pid`` 0 until it is known to run."""

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.pid = 0
        self.start = "-"
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


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)), "-" where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return "-"


def read(stream: Iterable[bytes]) -> dict[str, Group]:
    """The children that ran, or were about to, when the parent died."""
    groups = {}
    for line in stream:
        words = line.decode("ascii").split()
        if words[0] == "?":
            groups[words[1]] = Group(float(words[2]))
        elif words[0] == "+" and words[1] in groups:
            groups[words[1]].pid, groups[words[1]].start = int(words[2]), words[3]
        elif words[0] == "-":
            groups.pop(words[1], None)
    return groups


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


def end(groups: dict[str, Group]) -> None:
    """Interrupts, terminates, kills; returns when all are gone."""
    begun = time.monotonic()
    limit = 2 * max((group.grace for group in groups.values()), default=0.0) + GIVE_UP
    while groups and time.monotonic() - begun < limit:
        passed = time.monotonic() - begun
        if passed < UNBORN:
            find(groups)
        for token, group in list(groups.items()):
            if group.pid == 0:
                if passed >= UNBORN:
                    del groups[token]
            elif group.gone():
                del groups[token]
            else:
                group.signal(passed)
        time.sleep(LOOK)


def main() -> None:
    """Waits for the parent's death, then ends its children."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    end(read(sys.stdin.buffer))


if __name__ == "__main__":
    main()
