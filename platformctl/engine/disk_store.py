"""An ObjectStore in a directory of this machine: leases without a state bucket, answers of local runs, tests.

Compare-and-swap holds across threads and processes: writers take one lock, readers none, and every write replaces its
file whole.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from platformctl.core.errors import TransientError
from platformctl.core.objects import ABSENT, ObjectChanged, StoredObject
from platformctl.engine.disk import disk_errors, write_whole

_LOCK = ".lock"
_LOCK_SECONDS = 20.0
_POLL_SECONDS = 0.002


class DiskObjectStore:
    """See core.objects.ObjectStore. The version is the content's SHA-256, as S3's ETag is a content's MD5.

    A key is the path of its file, so no key may be a folder of another one; parts that begin with a dot are refused.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, key: str) -> StoredObject | None:
        """The object, None when there is none."""
        path = self._path(key)
        with disk_errors(path):
            try:
                content = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return StoredObject(content, _version(content))

    def put_if(self, key: str, data: bytes, version: str) -> str:
        """Writes if the object's version is still ``version``; returns the new one. Raises ObjectChanged."""
        self._compare(key, version)  # most losers are told here, without waiting for the lock
        with self._locked():
            self._compare(key, version)
            write_whole(self._path(key), data, durable=True)
        return _version(data)

    def put(self, key: str, data: bytes) -> str:
        """Writes whatever was there; returns the new version."""
        with self._locked():
            write_whole(self._path(key), data, durable=True)
        return _version(data)

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``, sorted."""
        folder = self._directory / prefix.rpartition("/")[0]
        with disk_errors(folder):
            keys = [
                path.relative_to(self._directory).as_posix()
                for path in folder.rglob("*")
                if path.is_file() and not path.name.startswith(".")
            ]
        return iter(sorted((key for key in keys if key.startswith(prefix)), key=str.encode))

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when there is none."""
        path = self._path(key)
        with self._locked(), disk_errors(path):
            path.unlink(missing_ok=True)

    def describe(self) -> str:
        """The directory."""
        return str(self._directory)

    def _compare(self, key: str, version: str) -> None:
        current = self.get(key)
        if (current.version if current else ABSENT) != version:
            raise ObjectChanged(key)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or "/".join(parts) != key or any(part.startswith(".") for part in parts):
            raise ValueError(f"{key!r} is no key of an object")
        return self._directory.joinpath(*parts)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with disk_errors(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            # A lock of its own for each call: threads exclude each other as processes do.
            lock = FileLock(self._directory / _LOCK)
            try:
                lock.acquire(timeout=_LOCK_SECONDS, poll_interval=_POLL_SECONDS)
            except Timeout:
                raise TransientError(
                    f"{self._directory} has been locked for {_LOCK_SECONDS:g} s",
                    hint="is a platformctl stopped (Ctrl-Z)?",
                ) from None
        try:
            yield
        finally:
            lock.release()


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
