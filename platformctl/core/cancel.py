"""A request to stop, with its reason: Ctrl-C, a lost lease, a deadline. Scopes nest: run, stage, step."""

from __future__ import annotations

import threading

from platformctl.core.errors import PlatformError


class Cancel:
    """Stops whoever watches it. The first reason wins; stopping a scope stops the scopes inside it."""

    def __init__(self, parent: Cancel | None = None) -> None:
        self.event = threading.Event()
        self._lock = threading.Lock()
        self._reason: PlatformError | None = None
        self._inner: list[Cancel] = []
        if parent is not None:
            parent.adopt(self)

    @property
    def reason(self) -> PlatformError | None:
        """Why to stop; None while there is no reason."""
        return self._reason

    def stop(self, reason: PlatformError) -> None:
        """Asks everyone in this scope to stop."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            inner = list(self._inner)
        self.event.set()
        for scope in inner:
            scope.stop(reason)

    def check(self) -> None:
        """Raises the reason, if there is one."""
        if self._reason is not None:
            raise self._reason

    def adopt(self, scope: Cancel) -> None:
        """Makes ``scope`` stop when this one does."""
        with self._lock:
            self._inner.append(scope)
            reason = self._reason
        if reason is not None:
            scope.stop(reason)
