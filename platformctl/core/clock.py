"""Time as something that is handed in, so that tests need not wait, and durations as people write them."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|[dhms]))")


@dataclass(frozen=True, order=True)
class Duration:
    """A length of time, in seconds, written ``90s``, ``1h30m``, ``2d`` or ``250ms``."""

    seconds: float

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError for anything but numbers with units (d, h, m, s, ms)."""
        stripped = text.strip()
        parts = _DURATION.findall(stripped)
        if not parts or "".join(number + unit for number, unit in parts) != stripped:
            raise ValueError(f"{text!r} is not a duration; write for example 90s, 1h30m or 2d")
        return cls(sum(float(number) * _UNITS[unit] for number, unit in parts))

    def __str__(self) -> str:
        rest, text = self.seconds, ""
        for unit in ("d", "h", "m"):
            count, rest = divmod(rest, _UNITS[unit])
            text += f"{int(count)}{unit}" if count else ""
        return text + (f"{rest:g}s" if rest or not text else "")


class Clock(Protocol):
    """Wall time for records, monotonic time for waits."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def wait(self, seconds: float, wake: threading.Event | None = None) -> bool:
        """Waits, at most until ``wake`` is set. True when it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def wait(self, seconds: float, wake: threading.Event | None = None) -> bool:
        """Waits, at most until ``wake`` is set. True when it was set."""
        return (wake or threading.Event()).wait(max(0.0, seconds))
