"""An audit hook (PEP 578) that sees every start of a process, in the tests' own process and in every platformctl that a
test starts. It proves two rules: only ``platformctl.process`` starts processes, and no canary secret stands in an argv.

Standard library only: ``sitecustomize`` beside it loads it into other processes. A hook cannot be taken out again, so
there is one, and what it watches is set from outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

DIRECTORY = "PLATFORMCTL_AUDIT"
"""Names the folder shared with child processes: ``canaries`` (one per line) and ``violations`` (one JSON per line)."""

_HERE = Path(__file__).resolve().parent
_TESTS = f"{_HERE.parent}{os.sep}"
_PRODUCT = f"{_HERE.parent.parent / 'platformctl'}{os.sep}"
_PROCESS = f"{_PRODUCT}process{os.sep}"
_LIBRARIES = tuple(
    f"{Path(folder).resolve()}{os.sep}" for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}
)

STARTS = {
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "os.system",
    "pty.spawn",
}
NETWORK = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
_ARGV_AT = {"subprocess.Popen": 1, "os.exec": 1, "os.posix_spawn": 1, "os.spawn": 2, "os.system": 0, "pty.spawn": 0}


class Refused(RuntimeError):
    """Raised at the place that broke a rule; recorded as well, should somebody swallow it."""


class Audit:
    """What the hook watches. Violations, of this process and of others, are gathered in the shared folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tier_forbids: frozenset[str] = frozenset()
        self._canaries: tuple[str, ...] = ()
        self._read: tuple[int, int] = (-1, -1)

    def seen(self, event: str, args: tuple[Any, ...]) -> None:
        """Judges one event."""
        if event in self.tier_forbids:
            self._refuse(f"{event}{args[1:2] if event in NETWORK else args[:2]}: a unit test needs neither")
        if event not in STARTS:
            return
        argv = _argv(event, args)
        culprit = _culprit(sys._getframe(2))
        if culprit:
            self._refuse(f"{culprit} starts {argv[:3]}: only platformctl.process may")
        for canary in self.canaries():
            if any(canary in word for word in argv):
                self._refuse(f"a canary secret stands in the argv of {argv[:1]}")
        if event == "subprocess.Popen" and isinstance(args[3], dict) and any("platformctl" in word for word in argv):
            # The allow-list keeps PYTHONPATH from programs; the hook must reach platformctl's own processes.
            args[3].setdefault("PYTHONPATH", str(_HERE))
            args[3].setdefault(DIRECTORY, str(self.folder))

    def take(self) -> list[str]:
        """The violations since the last call, of this process and of those that tests started."""
        file = self.folder / "violations"
        if not file.exists():
            return []
        broken = [json.loads(line)["reason"] for line in file.read_text(encoding="utf-8").splitlines()]
        file.unlink()
        return broken

    def canaries(self) -> tuple[str, ...]:
        """The canaries of now; the file is read again when it changed."""
        file = self.folder / "canaries"
        with contextlib.suppress(FileNotFoundError):
            stamp = os.stat(file)  # noqa: PTH116 - pathlib's stat would be audited as ours
            if (stamp.st_mtime_ns, stamp.st_size) != self._read:
                self._read = stamp.st_mtime_ns, stamp.st_size
                self._canaries = tuple(filter(None, file.read_text(encoding="utf-8").splitlines()))
        return self._canaries

    def _refuse(self, reason: str) -> None:
        with contextlib.suppress(OSError), (self.folder / "violations").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"pid": os.getpid(), "reason": reason}) + "\n")
        raise Refused(reason)


def install(folder: Path) -> Audit:
    """Puts the hook in place, for as long as this process lives."""
    audit = Audit(folder)
    watched = STARTS | NETWORK

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in watched:
            audit.seen(event, args)

    sys.addaudithook(hook)
    return audit


@contextlib.contextmanager
def forbidding(audit: Audit, events: set[str]) -> Iterator[None]:
    """While the block runs, these events are violations whoever causes them."""
    before, audit.tier_forbids = audit.tier_forbids, frozenset(events)
    try:
        yield
    finally:
        audit.tier_forbids = before


def _culprit(frame: FrameType | None) -> str:
    """Product code that starts a process on its own: the nearest caller that is neither Python's nor a library's.

    Empty when that is ``platformctl.process`` or a test, or when no product code is involved at all.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith((_PROCESS, _TESTS)) and not file.startswith(str(_HERE)):
            return ""
        if file.startswith(_PRODUCT) and not file.startswith(_LIBRARIES):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _argv(event: str, args: tuple[Any, ...]) -> list[str]:
    given = args[_ARGV_AT[event]] if event in _ARGV_AT else ()
    words = given if isinstance(given, list | tuple) else (given,)
    return [os.fsdecode(word) if isinstance(word, bytes | os.PathLike) else str(word) for word in words]
