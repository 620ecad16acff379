"""Who a process is, so that a later one with the same pid is not mistaken for it."""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import sys
from pathlib import Path

from platformctl.core.command import Child

_SAME_MOMENT = 0.005  # seconds; Linux counts start times in ticks of 10 ms
_STAT_STATE, _STAT_START = 0, 19  # fields 3 and 22 of /proc/PID/stat (proc(5)), counted after the program's name
_ENDED = "ZX"


def identify(pid: int, program: str) -> Child:
    """The identity of a process that exists now. Raises ProcessLookupError when there is none."""
    started, _ = _look(pid)
    return Child(pid, started, program, host(), boot())


def current() -> Child:
    """This process."""
    return identify(os.getpid(), "platformctl")


def here(child: Child) -> bool:
    """Whether the process was started on this machine since its last boot, so that its pid means something to us."""
    return child.host == host() and child.boot == boot()


def alive(child: Child) -> bool:
    """Whether that very process still runs, seen from this machine: a zombie does not, and neither does one of another
    machine or an earlier boot (ask ``here`` before drawing a conclusion from False)."""
    if not here(child):
        return False
    try:
        started, ended = _look(child.pid)
    except ProcessLookupError:
        return False
    return not ended and abs(started - child.started) <= _SAME_MOMENT


def group_alive(child: Child) -> bool:
    """Whether a process lives in the group that the child leads or led.

    A group is known by its leader's pid. That number is not given anew while the group has a member, so if another
    process has it now, the group was empty before.
    """
    if not here(child):
        return False
    try:
        started, _ = _look(child.pid)
    except ProcessLookupError:
        return group_lives(child.pid)
    return abs(started - child.started) <= _SAME_MOMENT and group_lives(child.pid)


def group_lives(group: int) -> bool:
    """Whether the process group has a member that is no zombie: in a container nobody may ever reap those."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    import psutil

    return any(_member(pid, group) for pid in psutil.pids())


def host() -> str:
    """This machine's name."""
    return socket.gethostname()


@functools.cache
def boot() -> str:
    """Names this boot of this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _darwin_boot()


def _look(pid: int) -> tuple[float, bool]:
    """When the process started, and whether it is only a zombie.

    On Linux in seconds since the boot, not since 1970 as psutil tells: that moves when the clock is set, and a child
    that lives would be taken for another.
    """
    if not sys.platform.startswith("linux"):
        return _look_by_psutil(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    fields = stat.rpartition(")")[2].split()
    return int(fields[_STAT_START]) / os.sysconf("SC_CLK_TCK"), fields[_STAT_STATE] in _ENDED


def _look_by_psutil(pid: int) -> tuple[float, bool]:
    import psutil

    try:
        process = psutil.Process(pid)
        return process.create_time(), process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        raise ProcessLookupError(pid) from None


def _member(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group and not _look(pid)[1]
    except (ProcessLookupError, PermissionError):
        return False


def _darwin_boot() -> str:
    """sysctl kern.bootsessionuuid: a new UUID per boot; kern.boottime moves with the clock."""
    value, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    ask = getattr(ctypes.CDLL(None), "sysctlbyname", None)  # glibc has none: a Linux whose /proc is not mounted
    if ask is None or ask(b"kern.bootsessionuuid", value, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return "unknown"
    return value.value.decode("ascii")
