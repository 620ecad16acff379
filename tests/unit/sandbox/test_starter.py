"""The starter against processes that exist only in a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import OpenPort, Part, Readiness
from platformctl.sandbox.processes import Processes
from platformctl.sandbox.starter import PartEvent, PartFailed, Phase, Starter
from platformctl.testing import FakeClock
from platformctl.testing.processes import FakeProcesses


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path)
    layout.make()
    return layout


@pytest.fixture
def processes() -> FakeProcesses:
    return FakeProcesses()


def ready(_: Readiness, __: Path) -> str:
    """A look that finds everything ready."""
    return ""


def parts(layout: Layout) -> dict[str, Part]:
    """One kept directory, one part that stands on another, one on its own."""
    chosen = (
        Part("store", ("store",), OpenPort(1), directory=layout.kept("store"), empties_with=("cloud",)),
        Part("server", ("server",), OpenPort(2), needs=("store",)),
        Part("cloud", ("cloud",), OpenPort(3)),
    )
    return {part.name: part for part in chosen}


def starter(
    layout: Layout,
    processes: Processes,
    *,
    watch: Callable[[PartEvent], None] = lambda _: None,
    look: Callable[[Readiness, Path], str] = ready,
) -> Starter:
    """As a new command would make it: it knows only what the state file says."""
    return Starter(layout, processes, clock=FakeClock(), watch=watch, look=look)


def test_parts_start_after_what_they_need(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    assert sorted(processes.journal) == ["start cloud", "start server", "start store"]
    assert processes.journal.index("start store") < processes.journal.index("start server")


def test_a_second_start_changes_nothing(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    before = processes.running()
    repair = starter(layout, processes).up(parts(layout))
    assert processes.running() == before
    assert not repair.start


def test_a_dead_part_is_started_again_and_the_others_are_left_alone(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    (layout.kept("store") / "content").write_text("kept")
    before = processes.running()
    processes.kill("store")
    starter(layout, processes).up(parts(layout))
    after = processes.running()
    assert {name for name in after if after[name] != before[name]} == {"store"}
    assert (layout.kept("store") / "content").exists()


def test_what_a_part_kept_is_deleted_when_the_memory_it_describes_is_lost(
    layout: Layout, processes: FakeProcesses
) -> None:
    starter(layout, processes).up(parts(layout))
    (layout.kept("store") / "content").write_text("kept")
    processes.kill("cloud")
    starter(layout, processes).up(parts(layout))
    assert not (layout.kept("store") / "content").exists()
    stops = [line for line in processes.journal if line.startswith("stop")]
    assert stops == ["stop server", "stop store"], "who needs it goes first"


def test_down_ends_everything_in_the_other_order_and_forgets_it(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    processes.journal.clear()
    starter(layout, processes).down()
    assert processes.journal[0] == "stop server"
    assert sorted(processes.journal) == ["stop cloud", "stop server", "stop store"]
    assert not layout.kept("store").exists()
    assert not starter(layout, processes).state.records


def test_down_keeps_the_ports_that_were_chosen(layout: Layout, processes: FakeProcesses) -> None:
    one = starter(layout, processes)
    one.settle({"store": 21_000}, "")
    one.down()
    assert starter(layout, processes).state.ports == {"store": 21_000}


def test_a_process_that_was_started_but_never_recorded_is_ended_and_replaced(
    layout: Layout, processes: FakeProcesses
) -> None:
    starter(layout, processes).up(parts(layout))
    orphan = processes.running()["cloud"]
    # What a starter leaves that was killed between starting a part and writing it down.
    document = json.loads(layout.state.read_text())
    document["parts"] = [part for part in document["parts"] if part["part"]["name"] != "cloud"]
    layout.state.write_text(json.dumps(document))
    starter(layout, processes).up(parts(layout))
    assert processes.running()["cloud"] != orphan
    assert len(processes.running()) == 3


def test_down_finds_everything_when_the_state_file_is_gone(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    layout.state.unlink()
    starter(layout, processes).down()
    assert not processes.running()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schemaVersion": 1}', '{"schemaVersion": 1, "parts": [{}]}'])
def test_a_damaged_state_file_is_put_right(layout: Layout, processes: FakeProcesses, damage: str) -> None:
    starter(layout, processes).up(parts(layout))
    layout.state.write_text(damage)
    starter(layout, processes).up(parts(layout))
    assert processes.running().keys() == parts(layout).keys()
    assert starter(layout, processes).state.records.keys() == parts(layout).keys()


def test_a_state_of_a_newer_version_is_refused(layout: Layout, processes: FakeProcesses) -> None:
    layout.state.write_text('{"schemaVersion": 2}')
    with pytest.raises(PreconditionError, match="another version of platformctl"):
        starter(layout, processes)


def test_the_sandbox_of_another_directory_is_left_alone(tmp_path: Path, processes: FakeProcesses) -> None:
    layouts = [Layout.of(tmp_path / name) for name in ("one", "two")]
    for layout in layouts:
        layout.make()
        starter(layout, processes).up(parts(layout))
    starter(layouts[0], processes).down()
    assert set(processes.marked(layouts[1].directory)) == parts(layouts[1]).keys()


def test_a_part_that_dies_at_once_is_told_with_the_last_lines_of_its_log(
    layout: Layout, processes: FakeProcesses
) -> None:
    processes.stillborn.add("store")
    with pytest.raises(PartFailed, match="store ended before it was ready") as caught:
        starter(layout, processes).up(parts(layout))
    assert caught.value.tail == ("store says hello",)
    assert caught.value.hint == "platformctl sandbox logs store"
    assert "start server" not in processes.journal


def test_a_part_that_never_gets_ready_is_told_with_what_was_waited_for(
    layout: Layout, processes: FakeProcesses
) -> None:
    with pytest.raises(PartFailed) as caught:
        starter(layout, processes, look=lambda readiness, _: "connection refused").up({"store": parts(layout)["store"]})
    assert caught.value.message == (
        "store is not ready after 60 s: waited for 127.0.0.1:1 to accept connections; connection refused"
    )


def test_what_came_up_before_a_failure_stays_and_the_next_start_goes_on(
    layout: Layout, processes: FakeProcesses
) -> None:
    processes.stillborn.add("server")
    with pytest.raises(PartFailed):
        starter(layout, processes).up(parts(layout))
    before = processes.running()
    processes.stillborn.clear()
    starter(layout, processes).up(parts(layout))
    assert processes.running()["store"] == before["store"]
    assert processes.running().keys() == parts(layout).keys()


def test_a_process_that_no_signal_ends_is_told(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    processes.immortal.add("cloud")
    with pytest.raises(PartFailed, match=r"cloud \(pid \d+\) cannot be ended"):
        starter(layout, processes).down()


def test_the_log_before_a_restart_is_kept(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    layout.log("server").write_text("panic\n")
    processes.kill("server")
    starter(layout, processes).up(parts(layout))
    assert layout.earlier_log("server").read_text() == "panic\n"


def test_people_are_told_why_a_part_is_started(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    processes.kill("server")
    events: list[PartEvent] = []
    starter(layout, processes, watch=events.append).up(parts(layout))
    assert [event.message for event in events if event.phase is Phase.STARTING] == ["it had died"]
    assert {event.part for event in events if event.phase is Phase.READY} == parts(layout).keys()


def test_a_part_that_dies_of_another_ones_death_is_started_too(layout: Layout, processes: FakeProcesses) -> None:
    starter(layout, processes).up(parts(layout))
    processes.kill("store")

    def look(readiness: Readiness, _: Path) -> str:
        if readiness == OpenPort(1) and "start server" not in processes.journal[3:]:
            processes.kill("server")
        return ""

    repair = starter(layout, processes, look=look).up(parts(layout))
    assert repair.reasons == {"store": "it had died", "server": "it had died"}
    assert processes.running().keys() == parts(layout).keys()


def test_a_file_that_cannot_be_made_is_a_cause_and_no_bug(layout: Layout, processes: FakeProcesses) -> None:
    layout.kept("store").write_text("in the way")
    with pytest.raises(PreconditionError, match=r"store: .*/kept/store: File exists"):
        starter(layout, processes).up({"store": parts(layout)["store"]})
