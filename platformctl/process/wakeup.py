"""Wakes a thread that waits on descriptors."""

from __future__ import annotations

import contextlib
import os
import threading


class Wakeup:
    """A pipe that is readable while it is set. Any thread, also one that handles a signal, may set it at any time."""

    def __init__(self) -> None:
        # Reentrant: a signal handler may set it while this very thread closes it.
        self._lock = threading.RLock()
        self.descriptor, self._writer = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writer, False)

    def set(self) -> None:
        """Makes the descriptor readable; does nothing once closed."""
        with self._lock, contextlib.suppress(BlockingIOError):  # full: it is readable already
            if self._writer != -1:
                os.write(self._writer, b"!")

    def clear(self) -> None:
        """Makes it unreadable until it is set again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, 4096)

    def close(self) -> None:
        """Gives the descriptors back."""
        with self._lock:
            writer, self._writer = self._writer, -1
            if writer != -1:
                os.close(writer)
                os.close(self.descriptor)
