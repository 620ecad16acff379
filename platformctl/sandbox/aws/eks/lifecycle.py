"""Time in the simulated EKS: how long transitions take, and what happens when they are over.

Nothing runs by itself: whoever looks (a request, the link to Kubernetes) first lets everything that is due happen.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields

from platformctl.core.clock import Clock


@dataclass
class Delays:
    """Seconds from CREATING to ACTIVE per kind, from InProgress to Successful, and from DELETING to gone."""

    cluster: float = 0.0
    nodegroup: float = 0.0
    addon: float = 0.0
    update: float = 0.0
    delete: float = 0.0

    def change(self, delays: Mapping[str, float]) -> None:
        """Raises ValueError or TypeError, and changes nothing, for unknown names and for times that are none."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(delays.keys() - known):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        seconds = {name: float(value) for name, value in delays.items()}
        if negative := [name for name, value in seconds.items() if not 0 <= value < 3600]:
            raise ValueError(f"{', '.join(negative)}: give seconds, at least 0 and less than an hour")
        for name, value in seconds.items():
            setattr(self, name, value)

    def to_json(self) -> dict[str, float]:
        """Name to seconds."""
        return asdict(self)


class Schedule:
    """Effects that are due at some moment. Not thread-safe: its backend's lock guards it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, seconds: float, effect: Callable[[], None]) -> None:
        """Lets ``effect`` happen at the first look that is at least ``seconds`` from now."""
        heapq.heappush(self._due, (self._clock.monotonic() + seconds, next(self._order), effect))

    def settle(self) -> bool:
        """Lets everything happen that is due, in its order. True when something did."""
        happened = False
        while self._due and self._due[0][0] <= self._clock.monotonic():
            heapq.heappop(self._due)[2]()
            happened = True
        return happened

    def wait(self) -> float | None:
        """Seconds until the next effect is due; None when nothing is pending."""
        return max(0.0, self._due[0][0] - self._clock.monotonic()) if self._due else None
