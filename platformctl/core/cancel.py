"""A request to stop, with its reason: Ctrl-C, a lost lease, a deadline. Scopes nest: run, stage, step."""

from __future__ import annotations

import threading
from collections.abc import Callable

from platformctl.core.errors import PlatformError


class Cancel:
    """Stops whoever watches it. The first reason wins; stopping a scope stops the scopes inside it.

    ``event`` is set when there is a reason, for those who wait on events.
    """

    def __init__(self, parent: Cancel | None = None) -> None:
        self.event = threading.Event()
        # Reentrant: a signal handler may stop the scope while this very thread watches or forgets.
        self._lock = threading.RLock()
        self._reason: PlatformError | None = None
        self._watchers: dict[int, Callable[[PlatformError], None]] = {}
        self._next = 0
        self._leave = parent.watch(self.stop) if parent is not None else _nothing

    @property
    def reason(self) -> PlatformError | None:
        """Why to stop; None while there is no reason."""
        return self._reason

    def stop(self, reason: PlatformError) -> None:
        """Asks everyone in this scope to stop. Safe in a signal handler's thread as long as no watcher blocks."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            watchers = list(self._watchers.values())
            self._watchers.clear()
        self.event.set()
        for watcher in watchers:
            watcher(reason)

    def check(self) -> None:
        """Raises the reason, if there is one."""
        if self._reason is not None:
            raise self._reason

    def watch(self, watcher: Callable[[PlatformError], None]) -> Callable[[], None]:
        """Calls ``watcher`` once when this scope stops, at once when it has. Returns what ends the watch."""
        with self._lock:
            reason = self._reason
            if reason is None:
                key = self._next
                self._next += 1
                self._watchers[key] = watcher
                return lambda: self._forget(key)
        watcher(reason)
        return _nothing

    def close(self) -> None:
        """The scope is over: the outer one forgets it."""
        self._leave()

    def _forget(self, key: int) -> None:
        with self._lock:
            self._watchers.pop(key, None)


def _nothing() -> None:
    """Ends a watch that needs no ending."""
