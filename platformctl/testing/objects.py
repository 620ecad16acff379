"""An object store in memory, with true compare-and-set and with faults on request."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Literal

from platformctl.core.objects import ABSENT, ObjectChanged, StoredObject

Method = Literal["get", "put", "put_if", "list", "delete"]


class MemoryObjectStore:
    """Keeps the contract of core ObjectStore, safe for threads.

    Versions are those of S3: made from the content alone, so writing the same bytes twice gives the same version.
    ``calls`` holds (method, key) of each call. ``before``, when set, is called with the same two outside of the lock,
    before the call takes effect: the place to let another writer win.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Method, str]] = []
        self.before: Callable[[Method, str], None] | None = None
        self._objects: dict[str, bytes] = {}
        self._faults: defaultdict[Method, deque[Exception]] = defaultdict(deque)
        self._lock = threading.RLock()

    def fail(self, method: Method, error: Exception, times: int = 1) -> None:
        """The next ``times`` calls of the method raise the error and do nothing."""
        with self._lock:
            self._faults[method].extend([error] * times)

    def get(self, key: str) -> StoredObject | None:
        """The object, None when there is none."""
        self._called("get", key)
        with self._lock:
            data = self._objects.get(key)
        return None if data is None else StoredObject(data, _version(data))

    def put_if(self, key: str, data: bytes, version: str) -> str:
        """Writes if the object's version is still ``version``; returns the new one. Raises ObjectChanged."""
        self._called("put_if", key)
        with self._lock:
            present = self._objects.get(key)
            if (ABSENT if present is None else _version(present)) != version:
                raise ObjectChanged(key)
            self._objects[key] = bytes(data)
        return _version(data)

    def put(self, key: str, data: bytes) -> str:
        """Writes whatever was there; returns the new version."""
        self._called("put", key)
        with self._lock:
            self._objects[key] = bytes(data)
        return _version(data)

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with ``prefix``, sorted as bytes."""
        self._called("list", prefix)
        with self._lock:
            keys = [key for key in self._objects if key.startswith(prefix)]
        return iter(sorted(keys, key=str.encode))

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens when there is none."""
        self._called("delete", key)
        with self._lock:
            self._objects.pop(key, None)

    def describe(self) -> str:
        """Where this is, for people."""
        return "memory"

    def _called(self, method: Method, key: str) -> None:
        with self._lock:
            self.calls.append((method, key))
            fault = self._faults[method].popleft() if self._faults[method] else None
        if fault is not None:
            raise fault
        if self.before is not None:
            self.before(method, key)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
