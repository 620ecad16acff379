"""The contract of a store of small objects with conditional writes: leases and run records stand on it.

Implementations: ``engine.disk_store`` (a directory of this machine) and ``tools.aws`` (an S3 bucket).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

ABSENT: Final = ""
"""The version of an object that does not exist; ``put_if(key, data, ABSENT)`` creates and never overwrites."""


@dataclass(frozen=True)
class StoredObject:
    """An object's content and its version (S3's ETag); equal versions mean equal writes."""

    data: bytes
    version: str


class ObjectChanged(Exception):
    """Somebody else wrote or deleted the object since the version that ``put_if`` named."""


class ObjectStore(Protocol):
    """Keys are relative, ``/``-separated, and sorted as bytes.

    Every method raises TransientError when the store can't be reached or throttles, PreconditionError when it refuses.
    """

    def get(self, key: str) -> StoredObject | None:
        """The object, None when there is none."""
        ...

    def put_if(self, key: str, data: bytes, version: str) -> str:
        """Writes if the object's version is still ``version``; returns the new one. Raises ObjectChanged."""
        ...

    def put(self, key: str, data: bytes) -> str:
        """Writes whatever was there; returns the new version."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when there is none."""
        ...

    def describe(self) -> str:
        """Where this is, for people: ``s3://bucket/prefix`` or a path."""
        ...
