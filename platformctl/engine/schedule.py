"""Runs a graph of steps: in the order of their needs, independent ones side by side, within the machine's means.

Knows neither pipelines nor the record. Threads wait on one condition; nothing polls.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from platformctl.engine.step import Cost

_MIB = 1024 * 1024
_CGROUP_LIMITS = (
    # v2 and v1; a limit that is absent reads "max" or a number near 2^63 (kernel docs, cgroup-v2 and v1 memory)
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


@dataclass(frozen=True)
class Capacity:
    """What steps may take at once: cores, and memory in MiB."""

    cores: float
    memory: int

    @classmethod
    def measure(cls) -> Capacity:
        """This process's share of the machine: its CPU affinity, and the free memory of machine and control group."""
        import psutil

        # macOS has no affinity.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        free = [psutil.virtual_memory().available, *_cgroup_free()]
        return cls(float(cores), max(1, min(free) // _MIB))


@dataclass(frozen=True)
class Node:
    """One step to schedule. ``needs`` names nodes of the same graph."""

    name: str
    needs: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)


Work = Callable[[Node], bool]
"""Does a node's work in its own thread; True when what needs it may start. Must not raise."""


class Order:
    """Which nodes may start, as values: no threads here. Not safe for concurrent use."""

    def __init__(self, nodes: Sequence[Node], capacity: Capacity) -> None:
        self._capacity = capacity
        self._nodes = {node.name: node for node in nodes}
        self._missing = {node.name: set(node.needs) for node in nodes}
        self._dependents: dict[str, list[str]] = {node.name: [] for node in nodes}
        for node in nodes:
            for need in node.needs:
                self._dependents[need].append(node.name)
        rank = self._longest_chains()
        # Who holds up the longest chain goes first; the declared order decides among equals.
        self._waiting = sorted(self._nodes, key=lambda name: -rank[name])
        self.running: set[str] = set()
        self.skipped: dict[str, str] = {}

    def startable(self) -> list[Node]:
        """Nodes that may start now and fit; they count as running from here on.

        A node that wants more than the whole machine runs alone rather than never.
        """
        started = []
        for name in list(self._waiting):
            node = self._nodes[name]
            if self._missing[name] or not self._fits(node):
                continue
            self._waiting.remove(name)
            self.running.add(name)
            started.append(node)
        return started

    def finish(self, name: str, *, ok: bool) -> list[tuple[str, str]]:
        """Marks a node's end. When it was not ok, everything that needs it is skipped: (name, the need that failed)."""
        self.running.discard(name)
        if ok:
            for dependent in self._dependents[name]:
                self._missing[dependent].discard(name)
            return []
        skipped, front = [], [name]
        while front:
            cause = front.pop(0)
            for dependent in self._dependents[cause]:
                if dependent in self._waiting:
                    self._waiting.remove(dependent)
                    self.skipped[dependent] = name
                    skipped.append((dependent, name))
                    front.append(dependent)
        return skipped

    def drain(self) -> list[str]:
        """Gives up what has not started; returns its names."""
        left, self._waiting = self._waiting, []
        return left

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.running and not self._waiting

    def _fits(self, node: Node) -> bool:
        if not self.running:
            return True
        cores = sum(self._nodes[name].cost.cores for name in self.running) + node.cost.cores
        memory = sum(self._nodes[name].cost.memory for name in self.running) + node.cost.memory
        return cores <= self._capacity.cores and memory <= self._capacity.memory

    def _longest_chains(self) -> Mapping[str, int]:
        """How many nodes the longest chain of dependents behind each node has.

        Raises ValueError on a cycle; environments are validated, so that is a pipeline's bug.
        """
        left = {name: len(dependents) for name, dependents in self._dependents.items()}
        front = [name for name, count in left.items() if count == 0]
        rank = dict.fromkeys(self._nodes, 0)
        seen = 0
        while front:
            name = front.pop()
            seen += 1
            for need in self._nodes[name].needs:
                rank[need] = max(rank[need], rank[name] + 1)
                left[need] -= 1
                if left[need] == 0:
                    front.append(need)
        if seen != len(self._nodes):
            raise ValueError(f"steps need each other in a circle: {', '.join(n for n, c in left.items() if c)}")
        return rank


@dataclass(frozen=True)
class Skipped:
    """A node that never started. ``because`` names the need that failed; empty when the graph was stopped."""

    name: str
    because: str = ""


def run_graph(
    nodes: Sequence[Node],
    work: Work,
    *,
    capacity: Capacity,
    stopped: Callable[[], bool],
    on_skip: Callable[[Skipped], None],
) -> bool:
    """Runs every node; True when all were ok.

    Fail-fast: after the first failure what runs goes on to its end, what depends on the failure is skipped, and what
    does not depend on it but has not started is not started either. ``stopped`` is asked before each start.
    """
    order = Order(nodes, capacity)
    changed = threading.Condition()
    finished: list[tuple[str, bool]] = []

    def thread(node: Node) -> None:
        ok = work(node)
        with changed:
            finished.append((node.name, ok))
            changed.notify()

    failed = False
    while not order.done:
        if failed or stopped():
            failed = True
            for name in order.drain():
                on_skip(Skipped(name))
        for node in order.startable():
            threading.Thread(target=thread, args=(node,), name=node.name).start()
        if not order.running:
            break
        with changed:
            changed.wait_for(lambda: bool(finished))
            ended, finished[:] = list(finished), []
        for name, ok in ended:
            failed = failed or not ok
            for skipped, because in order.finish(name, ok=ok):
                on_skip(Skipped(skipped, because))
    return not failed


def _cgroup_free() -> list[int]:
    free = []
    for limit, usage in _CGROUP_LIMITS:
        try:
            ceiling, used = limit.read_text().strip(), int(usage.read_text())
        except (OSError, ValueError):
            continue
        if ceiling.isdigit():
            free.append(max(0, int(ceiling) - used))
    return free
