"""Decides what a start has to do, from what shall run and what does. Pure: nothing is started or stopped here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from platformctl.sandbox.part import Part
from platformctl.sandbox.state import Record


@dataclass(frozen=True)
class Repair:
    """What to do, in this order: ``stop`` what runs, ``empty`` directories, ``start``; each in no particular order.

    ``reasons`` tells, for each part to start, why. Nothing to do is a Repair with nothing in it.
    """

    stop: frozenset[str]
    empty: frozenset[str]
    start: frozenset[str]
    reasons: Mapping[str, str]

    def and_then(self, later: Repair) -> Repair:
        """Both together, for telling; the first reason stays."""
        return Repair(
            stop=self.stop | later.stop,
            empty=self.empty | later.empty,
            start=self.start | later.start,
            reasons={**later.reasons, **self.reasons},
        )


def decide(parts: Mapping[str, Part], records: Mapping[str, Record], alive: frozenset[str]) -> Repair:
    """``alive``: names in ``records`` whose process still lives.

    A part is started when it does not live or lives with other settings than it should have. A part that describes the
    memory of one that starts from nothing starts from nothing too, and then everything that needs it is started again:
    its caches hold what is gone.
    """
    reasons: dict[str, str] = {}
    for name, part in parts.items():
        if name not in alive:
            reasons[name] = "it had died" if name in records else ""
        elif records[name].fingerprint != part.fingerprint():
            reasons[name] = "its settings changed"
    empty: set[str] = set()
    cold: set[str] = set()  # emptied, or standing on one that was
    settled = False
    while not settled:
        settled = True
        for name, part in parts.items():
            lost = next((other for other in part.empties_with if other in reasons and name not in empty), None)
            if lost is not None:
                empty.add(name)
                reasons.setdefault(name, f"{lost} starts from nothing, and it describes {lost}")
            under = next((other for other in part.needs if other in cold), None)
            if under is not None:
                reasons.setdefault(name, f"{under} starts from nothing")
            if name not in cold and (lost is not None or under is not None):
                cold.add(name)
                settled = False
    gone = alive - parts.keys()
    return Repair(
        stop=frozenset(gone | (alive & reasons.keys())),
        empty=frozenset(empty),
        start=frozenset(reasons),
        reasons=reasons,
    )


def levels(parts: Mapping[str, Part], names: frozenset[str]) -> list[list[str]]:
    """The names in the order to start them, those of one level in parallel. Needs outside of ``names`` count as met."""
    order: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(names):
        level = sorted(
            name
            for name in names - placed
            if all(need in placed or need not in names or need not in parts for need in parts[name].needs)
        )
        if not level:
            raise ValueError(f"the needs of {', '.join(sorted(names - placed))} form a circle")
        order.append(level)
        placed.update(level)
    return order
