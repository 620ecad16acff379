"""Writes to the local disk that happen whole or not at all, and what to say when they can't happen."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from platformctl.core.errors import PreconditionError

_HINTS = {
    errno.ENOSPC: "free some space there, then go on with --resume",
    errno.EDQUOT: "the quota is used up; free some space there, then go on with --resume",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "check who owns it: `ls -ld` on the folder",
    errno.EPERM: "check who owns it: `ls -ld` on the folder",
}


def disk_error(path: Path, error: OSError) -> PreconditionError:
    """What a failed read or write of ``path`` means for people."""
    cause = os.strerror(error.errno) if error.errno else str(error)
    return PreconditionError(f"{path}: {cause}", hint=_HINTS.get(error.errno or 0, ""))


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns OSError inside into PreconditionError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def write_whole(path: Path, content: bytes, *, mode: int = 0o644, durable: bool = False) -> None:
    """Replaces the file in one step: a reader sees the old content or the new, never a part.

    ``durable``: it also survives a power cut. Raises PreconditionError; what was there before is then untouched.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if durable:
            sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Makes a rename or a new name in this folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
