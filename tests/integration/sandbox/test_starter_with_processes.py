"""The starter with real processes, and SIGKILL wherever it can strike."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command
from platformctl.process import children, detached
from platformctl.sandbox import remains
from platformctl.sandbox import state as states
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import Part
from platformctl.sandbox.processes import SystemProcesses
from platformctl.sandbox.starter import PartFailed, Starter
from tests.integration.sandbox.starting import parts, tiny

PROCESSES = SystemProcesses()
STARTING = Path(__file__).with_name("starting.py")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    layout = Layout.of(tmp_path)
    layout.make()
    yield layout
    starter(layout).down()
    assert remains.find(layout, {}, PROCESSES) == []


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def starter(layout: Layout) -> Starter:
    return Starter(layout, PROCESSES, clock=SystemClock(), watch=lambda _: None)


def pids(layout: Layout) -> dict[str, int]:
    return {name: record.child.pid for name, record in states.load(layout.state).records.items()}


def until(condition: Callable[[], bool]) -> None:
    clock = SystemClock()
    limit = clock.monotonic() + 30.0
    while not condition():
        assert clock.monotonic() < limit
        clock.wait(0.01)


def start_elsewhere(layout: Layout, ports: tuple[int, int], *fate: str, action: str = "up") -> tuple[Child, Path]:
    """A starter in a process of its own, and what it prints."""
    log = layout.directory / f"starting-{len(list(layout.directory.glob('starting-*')))}.txt"
    argv = (sys.executable, str(STARTING), action, str(layout.directory.parents[1]), *map(str, ports), *fate)
    return detached.start(Command(argv, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}), log), log


def one_of_each(layout: Layout) -> dict[str, int]:
    """Pid by part. Fails when a part runs twice."""
    found = PROCESSES.marked(layout.directory)
    assert {name: len(processes) for name, processes in found.items()} == {"store": 1, "server": 1}
    return {name: processes[0].pid for name, processes in found.items()}


def test_up_again_leaves_every_process_alone(layout: Layout, ports: tuple[int, int]) -> None:
    starter(layout).up(parts(layout, ports))
    before = one_of_each(layout)
    assert not starter(layout).up(parts(layout, ports)).start
    assert one_of_each(layout) == before == pids(layout)


@pytest.mark.parametrize("victim", ["store", "server"])
def test_a_killed_part_is_started_again_alone(layout: Layout, ports: tuple[int, int], victim: str) -> None:
    starter(layout).up(parts(layout, ports))
    before = one_of_each(layout)
    os.kill(before[victim], signal.SIGKILL)
    child = states.load(layout.state).records[victim].child
    until(lambda: not PROCESSES.alive(child))
    assert starter(layout).up(parts(layout, ports)).start == {victim}
    after = one_of_each(layout)
    assert {name for name in after if after[name] != before[name]} == {victim}


@pytest.mark.parametrize("event", range(1, 5))
def test_a_starter_killed_at_any_event_leaves_what_the_next_one_puts_right(
    layout: Layout, ports: tuple[int, int], event: int
) -> None:
    child, _ = start_elsewhere(layout, ports, "dies", str(event))
    until(lambda: not children.alive(child))
    starter(layout).up(parts(layout, ports))
    assert one_of_each(layout) == pids(layout)


@pytest.mark.parametrize("event", range(1, 5))
@pytest.mark.parametrize("then", ["up", "down"])
def test_a_stop_killed_at_any_event_leaves_what_the_next_command_puts_right(
    layout: Layout, ports: tuple[int, int], event: int, then: str
) -> None:
    starter(layout).up(parts(layout, ports))
    child, _ = start_elsewhere(layout, ports, "dies", str(event), action="down")
    until(lambda: not children.alive(child))
    if then == "up":
        starter(layout).up(parts(layout, ports))
        assert one_of_each(layout) == pids(layout)
    else:
        starter(layout).down()
        assert remains.find(layout, {"store": ports[0], "server": ports[1]}, PROCESSES) == []


def test_a_part_whose_starter_died_before_it_could_record_it_is_replaced(
    layout: Layout, ports: tuple[int, int]
) -> None:
    child, _ = start_elsewhere(layout, ports, "orphans")
    until(lambda: not children.alive(child))
    assert pids(layout) == {}
    starter(layout).up(parts(layout, ports))
    assert one_of_each(layout) == pids(layout)


def test_an_unrecorded_part_is_found_by_down(layout: Layout, ports: tuple[int, int]) -> None:
    child, _ = start_elsewhere(layout, ports, "orphans")
    until(lambda: not children.alive(child))
    starter(layout).down()
    assert remains.find(layout, {"store": ports[0]}, PROCESSES) == []


def test_two_starts_at_once_make_one_sandbox_and_the_second_says_that_it_waits(
    layout: Layout, ports: tuple[int, int]
) -> None:
    started = []
    clock = SystemClock()
    with states.exclusively(
        layout, "sandbox down", clock=clock, cancel=Cancel(), patience=30.0, on_wait=lambda _: None
    ):
        for _ in range(2):
            child, log = start_elsewhere(layout, ports)
            started.append((child, log))
            until(lambda log=log: "waiting for" in log.read_text())  # type: ignore[misc]
    for child, log in started:
        until(lambda log=log: "done" in log.read_text())  # type: ignore[misc]
        until(lambda child=child: not children.alive(child))  # type: ignore[misc]
        assert log.read_text().startswith("waiting for `sandbox down` (pid ")
    assert one_of_each(layout) == pids(layout)


def test_a_later_process_with_a_dead_parts_pid_is_neither_trusted_nor_ended(
    layout: Layout, ports: tuple[int, int]
) -> None:
    starter(layout).up(parts(layout, ports))
    stopped = starter(layout)
    record = stopped.state.records["server"]
    PROCESSES.stop(record.child, 1.0)
    # Our own pid, as if the kernel had given the dead part's to us.
    reused = Child(os.getpid(), record.child.started, record.child.program, record.child.host, record.child.boot)
    states.save(layout.state, stopped.state.with_record(states.Record(record.part, reused, record.fingerprint)))
    assert starter(layout).up(parts(layout, ports)).start == {"server"}
    assert one_of_each(layout) == pids(layout)


def test_a_port_taken_by_somebody_else_is_told_and_not_mistaken_for_the_part(
    layout: Layout, ports: tuple[int, int]
) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", ports[0]))
        other.listen()
        with pytest.raises(PartFailed, match="store ended before it was ready") as caught:
            starter(layout).up(parts(layout, ports))
    assert "Address already in use" in caught.value.tail[-1]


def test_a_part_that_ignores_the_request_to_end_is_killed_after_its_grace(
    layout: Layout, ports: tuple[int, int]
) -> None:
    stubborn: dict[str, Part] = {"store": tiny(layout, "store", ports[0], traits=("stubborn",))}
    starter(layout).up(stubborn)
    starter(layout).down()
    assert remains.find(layout, {"store": ports[0]}, PROCESSES) == []


def test_children_of_a_part_in_sessions_of_their_own_end_with_it(layout: Layout, ports: tuple[int, int]) -> None:
    starter(layout).up({"store": tiny(layout, "store", ports[0], traits=("family",))})
    assert len(PROCESSES.marked(layout.directory)["store"]) == 2
    starter(layout).down()
    assert remains.find(layout, {"store": ports[0]}, PROCESSES) == []


def test_what_is_left_is_named(layout: Layout, ports: tuple[int, int]) -> None:
    starter(layout).up({"store": tiny(layout, "store", ports[0])})
    left = remains.find(layout, {"store": ports[0]}, PROCESSES)
    assert left[0].startswith("process ")
    assert left[-1] == f"port {ports[0]} of store"
