"""Clocks for tests: one on which waiting takes no time, one that stands still until the test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)
_PATIENCE = 10.0  # seconds of real time; a test that waits longer for its own threads has a fault


class FakeClock:
    """Every wait ends at once, and the time has passed. For code that waits in the test's own thread.

    ``waits`` holds the seconds of each wait. Safe to share between threads.
    """

    def __init__(self, start: datetime = START) -> None:
        self.waits: list[float] = []
        self._start = start
        self._passed = 0.0
        self._changed = threading.Condition()

    def now(self) -> datetime:
        """The start plus what has passed, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds passed since the clock was made."""
        with self._changed:
            return self._passed

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        with self._changed:
            self._passed += max(0.0, seconds)
            self._changed.notify_all()

    def wait(self, seconds: float, wake: threading.Event | None = None) -> bool:
        """Lets the seconds pass, unless ``wake`` is set already. True when it is set."""
        with self._changed:
            self.waits.append(seconds)
        if wake is not None and wake.is_set():
            return True
        self.advance(seconds)
        return wake is not None and wake.is_set()


class SteppedClock(FakeClock):
    """Time stands still until ``advance``. For code that waits in a thread of its own: heartbeats, deadlines."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__(start)
        self._waiting: list[float] = []

    def wait(self, seconds: float, wake: threading.Event | None = None) -> bool:
        """Blocks until the clock has been advanced by the seconds, or ``wake`` is set. True when it is set."""
        with self._changed:
            self.waits.append(seconds)
            until = self._passed + seconds
            self._waiting.append(until)
            self._changed.notify_all()
            try:
                while self._passed < until and not (wake is not None and wake.is_set()):
                    # An Event cannot be waited for together with a Condition: look at it every two milliseconds.
                    self._changed.wait(None if wake is None else 0.002)
            finally:
                self._waiting.remove(until)
        return wake is not None and wake.is_set()

    def until_waiting(self, count: int = 1) -> None:
        """Blocks until so many threads wait for time that has not come yet; call it before ``advance``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pending() >= count, _PATIENCE):
                raise AssertionError(f"{self._pending()} threads wait on the clock, not {count}")

    def _pending(self) -> int:
        return sum(until > self._passed for until in self._waiting)
