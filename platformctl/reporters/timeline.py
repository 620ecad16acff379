"""Where each step stands on the report's time axis. Geometry only: no words, no colours.

A run may wait a night for an answer. Long idle stretches are cut out of the axis and marked, or the minutes of work
around them would be too thin to see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from platformctl.reporters.view import Span

_IDLE_SECONDS = 15.0
_IDLE_SHARE = 0.25
_BREAK_WIDTH = 5.0
_NARROWEST = 0.4


@dataclass(frozen=True)
class Bar:
    """A stretch of the axis, in percent of its width."""

    x: float
    width: float


@dataclass(frozen=True)
class Break:
    """A stretch that was cut out: where its mark stands, and how many seconds it stands for."""

    bar: Bar
    seconds: float


class Axis:
    """Maps times to percent of the width. ``end`` stands in for the end of what still runs."""

    def __init__(self, spans: Iterable[Span], end: datetime) -> None:
        self._end = end
        busy = _merged(sorted((span.start, max(span.start, span.end or end)) for span in spans))
        working = sum((stop - start).total_seconds() for start, stop in busy)
        longest_idle = max(_IDLE_SECONDS, working * _IDLE_SHARE)
        self._pieces = _joined(busy, longest_idle)
        cuts = max(0, len(self._pieces) - 1)
        self._cut = min(_BREAK_WIDTH, 40.0 / cuts) if cuts else 0.0
        shown = sum((stop - start).total_seconds() for start, stop in self._pieces)
        self._per_second = (100.0 - cuts * self._cut) / shown if shown else 0.0

    def at(self, time: datetime) -> float:
        """The place of a time, 0 to 100."""
        x = 0.0
        for index, (start, stop) in enumerate(self._pieces):
            x += self._cut if index else 0.0
            if time <= stop:
                return x + max(0.0, (time - start).total_seconds()) * self._per_second
            x += (stop - start).total_seconds() * self._per_second
        return min(100.0, x)

    def bar(self, span: Span) -> Bar:
        """The bar of a span; never so thin that it can't be seen, never beyond the edge."""
        left = self.at(span.start)
        width = max(_NARROWEST, self.at(span.end or self._end) - left)
        return Bar(round(min(left, 100.0 - width), 3), round(width, 3))

    @property
    def breaks(self) -> tuple[Break, ...]:
        """The stretches that were cut out."""
        found = []
        for (_, stop), (start, _) in zip(self._pieces, self._pieces[1:], strict=False):
            bar = Bar(round(self.at(stop), 3), round(self._cut, 3))
            found.append(Break(bar, (start - stop).total_seconds()))
        return tuple(found)


def _merged(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    return _joined(spans, 0.0)


def _joined(spans: list[tuple[datetime, datetime]], longest_idle: float) -> list[tuple[datetime, datetime]]:
    """Neighbours with at most that many idle seconds between them become one."""
    pieces: list[tuple[datetime, datetime]] = []
    for start, stop in spans:
        if pieces and (start - pieces[-1][1]).total_seconds() <= longest_idle:
            pieces[-1] = (pieces[-1][0], max(pieces[-1][1], stop))
        else:
            pieces.append((start, stop))
    return pieces
