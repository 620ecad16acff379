"""Stages times environment: which steps a stage has, what they are called, which needs which. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from platformctl.core.errors import UsageError
from platformctl.engine.pipeline import Stage
from platformctl.engine.step import Step

ItemGraph = Mapping[str, tuple[str, ...]]
"""Item -> the items it needs."""

ALONE: ItemGraph = {"": ()}
"""The graph of a stage without ``each``: one item without a name."""


@dataclass(frozen=True)
class StepInstance:
    """One step of one run. ``name`` is the same on every machine and every resume; ``needs`` names others."""

    name: str
    stage: str
    item: str
    step: Step
    needs: tuple[str, ...]


def selected(stage: Stage, graph: ItemGraph, parameters: Mapping[str, str]) -> frozenset[str]:
    """The items to work on: a parameter named like ``each`` (``stacks=network,cluster``) limits them.

    What they need is then taken as existing. Raises UsageError, with "did you mean", for an item that is not there.
    """
    asked = parameters.get(stage.each or "", "")
    names = [name.strip() for name in asked.split(",") if name.strip()]
    if not names:
        return frozenset(graph)
    for name in names:
        if name not in graph:
            near = difflib.get_close_matches(name, graph, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{stage.each} has no {name!r}", hint=f"{meant}there are: {', '.join(graph)}")
    return frozenset(names)


def expand(stage: Stage, graph: ItemGraph, items: frozenset[str]) -> tuple[StepInstance, ...]:
    """The stage's steps in an order that respects their needs as far as the graph's own order does.

    Named ``<stage>/<item>``; with several steps per item ``<stage>/<item>/<kind>``; without ``each``
    ``<stage>/<kind>``. A kind that comes twice is numbered from the second on.
    """
    steps = {item: stage.steps(item) for item in graph if item in items}
    names = {item: _names(stage.name, item, steps[item]) for item in steps}
    edges = _transposed(graph) if stage.reverse else graph
    instances = []
    for item, own in names.items():
        before = _ends(edges[item], edges, names)
        for name, step in zip(own, steps[item], strict=True):
            instances.append(StepInstance(name, stage.name, item, step, before))
            before = (name,)
    return tuple(instances)


def _names(stage: str, item: str, steps: tuple[Step, ...]) -> list[str]:
    if item and len(steps) == 1:
        return [f"{stage}/{item}"]
    front = f"{stage}/{item}" if item else stage
    seen: Counter[str] = Counter()
    names = []
    for step in steps:
        seen[step.kind] += 1
        suffix = f"-{seen[step.kind]}" if seen[step.kind] > 1 else ""
        names.append(f"{front}/{step.kind}{suffix}")
    return names


def _ends(needs: Iterable[str], edges: ItemGraph, names: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The last steps of the needed items. An item without steps, or left out, passes on what it needs itself."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    front = list(needs)
    while front:
        item = front.pop(0)
        if item in seen:
            continue
        seen.add(item)
        if names.get(item):
            found[names[item][-1]] = None
        else:
            front.extend(edges.get(item, ()))
    return tuple(found)


def _transposed(graph: ItemGraph) -> ItemGraph:
    turned: dict[str, list[str]] = {item: [] for item in graph}
    for item, needs in graph.items():
        for need in needs:
            turned[need].append(item)
    return {item: tuple(dependents) for item, dependents in turned.items()}
