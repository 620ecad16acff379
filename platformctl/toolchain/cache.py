"""The cache of programs, ``<cache>/tools/<program>/<pin>-<platform>/``, and the lock around making one.

A program's folder appears whole, by one rename, or not at all. It holds the program and ``receipt.json``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from platformctl.core.errors import PreconditionError
from platformctl.toolchain.found import Origin
from platformctl.toolchain.program import Program, platform

_RECEIPT = "receipt.json"
_STAGING = ".making-"
_POLL = 0.5  # seconds between looks at a lock that somebody else holds
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Receipt:
    """What a finished folder of the cache holds.

    ``bytes`` and ``sha256`` are the executable's, ``disk`` is the folder's size in bytes, ``seconds`` what making took.
    """

    program: str
    version: str
    origin: Origin
    made_by: str
    sha256: str
    bytes: int
    disk: int
    seconds: float


@dataclass(frozen=True)
class Making:
    """How a program was made: from what, by what (``go 1.26.8``, an address), in how many seconds."""

    origin: Origin
    made_by: str
    seconds: float


@dataclass(frozen=True)
class Cached:
    """A program in the cache."""

    path: Path
    pin: str
    receipt: Receipt


def default_folder() -> Path:
    """Where programs of this user are kept: the platform's cache folder."""
    import platformdirs

    return platformdirs.user_cache_path("platformctl") / "tools"


class Cache:
    """Programs by pin and platform."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def look_up(self, program: Program, pin: str) -> Cached | None:
        """The program, if it is there whole: its receipt is readable and the file has the receipt's size."""
        place = self._place(program, pin)
        path = place / program.executable
        try:
            document = json.loads((place / _RECEIPT).read_text(encoding="utf-8"))
            receipt = Receipt(**{**document, "origin": Origin(document["origin"])})
            whole = path.stat().st_size == receipt.bytes and os.access(path, os.X_OK)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return Cached(path, pin, receipt) if whole else None

    def intact(self, cached: Cached) -> bool:
        """Whether the executable still has the content it was made with (a fifth of a second for 120 MB)."""
        return _sha256(cached.path) == cached.receipt.sha256

    @contextmanager
    def staging(self, program: Program) -> Iterator[Path]:
        """An empty folder in the same file system; what is left of it at the end is removed.

        Call it under ``exclusive``: what an earlier process that was killed left behind is removed first.
        """
        home = self.folder / program.name
        try:
            home.mkdir(parents=True, exist_ok=True)
            for stale in self.folder.glob(f"*/{_STAGING}*"):
                shutil.rmtree(stale, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=home))
        except OSError as error:
            raise unwritable(self.folder, error) from error
        try:
            yield folder
        except OSError as error:
            raise unwritable(self.folder, error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def install(self, staged: Path, program: Program, pin: str, made: Making) -> Cached:
        """Moves a staged folder to its place: flushed to the disk first, then one rename."""
        path = staged / program.executable
        disk = sum(file.stat().st_size for file in staged.rglob("*") if file.is_file())
        receipt = Receipt(
            program=program.name,
            version=program.pinned,
            origin=made.origin,
            made_by=made.made_by,
            sha256=_sha256(path),
            bytes=path.stat().st_size,
            disk=disk,
            seconds=round(made.seconds, 1),
        )
        (staged / _RECEIPT).write_text(json.dumps(asdict(receipt), indent=1) + "\n", encoding="utf-8")
        staged.chmod(0o755)
        for flushed in (path, staged / _RECEIPT, staged):
            _flush(flushed)
        place = self._place(program, pin)
        if place.exists():  # broken, or we would not be here; a folder cannot be renamed over a full one
            broken = Path(tempfile.mkdtemp(prefix=_STAGING, dir=place.parent))
            place.rename(broken / place.name)
            shutil.rmtree(broken, ignore_errors=True)
        staged.rename(place)
        _flush(place.parent)
        return Cached(place / program.executable, pin, receipt)

    @contextmanager
    def exclusive(
        self, program: Program, wait: Callable[[float], object], on_wait: Callable[[str], None]
    ) -> Iterator[None]:
        """Holds the one lock of this cache; two builds at once would only fight for cores and memory.

        ``on_wait`` is told who holds it, at every look. The kernel frees the lock of a process that was killed.
        """
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock")
            while True:
                try:
                    lock.acquire(timeout=0)
                    break
                except Timeout:
                    on_wait(self._holder())
                    wait(_POLL)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        holder = self.folder / "holder.json"
        try:
            with suppress(OSError):  # only a courtesy to those who wait
                holder.write_text(json.dumps({"pid": os.getpid(), "program": program.name}), encoding="utf-8")
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
            lock.release()

    def _holder(self) -> str:
        try:
            document = json.loads((self.folder / "holder.json").read_text(encoding="utf-8"))
            return f"process {document['pid']} is making {document['program']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process is making a program"

    def _place(self, program: Program, pin: str) -> Path:
        return self.folder / program.name / f"{pin}-{platform()}"


def unwritable(folder: Path, error: OSError) -> PreconditionError:
    """The error for a cache that takes no more: full, read-only, or somebody else's."""
    if error.errno in _FULL:
        return PreconditionError(
            f"the disk is full: {folder} takes no more", hint="free some space and run the same command again"
        )
    return PreconditionError(
        f"the cache {error.filename or folder} cannot be written: {error.strerror or error}",
        hint="make it writable, or point XDG_CACHE_HOME somewhere else",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
