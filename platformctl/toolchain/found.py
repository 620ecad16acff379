"""What the toolchain tells its callers: where a program is, and how far a build or a download has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Origin(StrEnum):
    """Where a program comes from. All but PATH lie in the cache."""

    PATH = "path"
    RELEASE = "release"
    BUILD = "build"
    WHEEL = "wheel"


@dataclass(frozen=True)
class Found:
    """One program as it stands on this machine.

    ``path`` and ``origin`` are None when there is none; a program that was found but refused has both and
    ``accepted`` False. ``reason`` says why it is missing or refused, or what is odd about an accepted one (a version
    newer than any we tested); ``hint`` says what to do. ``size``: bytes on disk in the cache, 0 elsewhere. ``pin`` is
    the name of the content in the cache, empty elsewhere.
    """

    name: str
    accepted: bool
    licence: str
    path: Path | None = None
    version: str = ""
    origin: Origin | None = None
    reason: str = ""
    hint: str = ""
    size: int = 0
    pin: str = ""


class Phase(StrEnum):
    """What ``sync`` is doing with a program."""

    FOUND = "found"
    WAITING = "waiting"
    FETCHING = "fetching"
    BUILDING = "building"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """One sign of life. ``seconds`` since the program's turn came; ``current`` of ``total`` bytes while a release is
    fetched, ``current`` Go packages compiled or modules fetched (total unknown: 0) while one is built."""

    program: str
    phase: Phase
    message: str = ""
    seconds: float = 0.0
    current: int = 0
    total: int = 0


ProgressHandler = Callable[[Progress], None]
"""Called about once a second while work goes on, and at each change of phase; never from two threads at once."""
