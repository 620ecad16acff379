"""In which order steps start, how many at once, and what a failure leaves undone."""

from __future__ import annotations

import threading

import pytest

from platformctl.engine.schedule import Capacity, Node, Order, Skipped, run_graph
from platformctl.engine.step import Cost

WIDE = Capacity(cores=64, memory=1_000_000)


def chain(*names: str) -> list[Node]:
    return [Node(name, names[index - 1 : index] if index else ()) for index, name in enumerate(names)]


class Recorder:
    """Work that records its order and how much ran at once; names in ``bad`` fail."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad
        self.started: list[str] = []
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()

    def __call__(self, node: Node) -> bool:
        with self._lock:
            self.started.append(node.name)
            self._running += 1
            self.most = max(self.most, self._running)
        threading.Event().wait(0.001)
        with self._lock:
            self._running -= 1
        return node.name not in self.bad


def run(nodes: list[Node], work: Recorder, capacity: Capacity = WIDE) -> tuple[bool, dict[str, str]]:
    skipped: list[Skipped] = []
    ok = run_graph(nodes, work, capacity=capacity, stopped=lambda: False, on_skip=skipped.append)
    return ok, {one.name: one.because for one in skipped}


def test_a_step_starts_only_when_what_it_needs_is_done() -> None:
    work = Recorder()
    assert run(chain("a", "b", "c"), work) == (True, {})
    assert work.started == ["a", "b", "c"]


def test_who_holds_up_the_longest_chain_goes_first() -> None:
    nodes = [Node("short"), *chain("long", "longer", "longest")]
    order = Order(nodes, Capacity(cores=1, memory=1024))
    assert [node.name for node in order.startable()] == ["long"]


def test_no_more_run_at_once_than_cores_and_memory_allow() -> None:
    by_cores, by_memory = Recorder(), Recorder()
    nodes = [Node(f"n{number}", cost=Cost(cores=1, memory=600)) for number in range(12)]
    run(nodes, by_cores, Capacity(cores=3, memory=1_000_000))
    run(nodes, by_memory, Capacity(cores=64, memory=1300))
    assert by_cores.most <= 3
    assert by_memory.most <= 2


def test_a_step_that_wants_more_than_the_machine_has_runs_alone() -> None:
    big = Node("big", cost=Cost(cores=8, memory=64_000))
    order = Order([big, Node("small")], Capacity(cores=2, memory=1024))
    assert [node.name for node in order.startable()] == ["big"]
    order.finish("big", ok=True)
    assert [node.name for node in order.startable()] == ["small"]


def test_a_failure_skips_exactly_its_dependents_and_names_the_cause() -> None:
    order = Order([*chain("a", "b", "c"), Node("other")], WIDE)
    order.startable()
    assert order.finish("a", ok=False) == [("b", "a"), ("c", "a")]
    assert order.running == {"other"}


def test_after_a_failure_what_runs_ends_and_nothing_new_starts() -> None:
    work = Recorder("bad")
    ok, skipped = run([Node("bad"), Node("later"), *chain("x", "y")], work, Capacity(cores=1, memory=10_000))
    assert not ok
    assert "bad" in work.started
    assert set(skipped) | set(work.started) == {"bad", "later", "x", "y"}
    assert not set(skipped) & set(work.started)


def test_nothing_starts_once_stopped() -> None:
    skipped: list[Skipped] = []
    work = Recorder()
    ok = run_graph(chain("a", "b"), work, capacity=WIDE, stopped=lambda: True, on_skip=skipped.append)
    assert (ok, work.started) == (False, [])
    assert {one.name for one in skipped} == {"a", "b"}


def test_an_empty_graph_is_done() -> None:
    assert run([], Recorder()) == (True, {})


def test_a_circle_is_refused_and_named() -> None:
    with pytest.raises(ValueError, match="in a circle: a, b"):
        Order([Node("a", ("b",)), Node("b", ("a",))], WIDE)


def test_the_machine_can_be_measured() -> None:
    capacity = Capacity.measure()
    assert capacity.cores >= 1
    assert capacity.memory >= 1
