"""Real processes, broken on purpose: killed after every step, stopped and woken, interrupted, side by side."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command, Completed, Stream
from platformctl.core.errors import Interrupted, Status
from platformctl.engine.disk_store import DiskObjectStore
from platformctl.engine.lease import read_lease
from platformctl.engine.record import RunDirectory
from platformctl.engine.stages import environment_lease
from platformctl.engine.state import RunState
from platformctl.process.children import alive
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost

HERE = Path(__file__).resolve().parents[3]
ALL = [f"{stage}/{item}" for stage in ("plan", "apply", "verify") for item in ("network", "cluster")]
_PATIENCE = 30.0


class Driver:
    """One process that drives a run; ``until`` follows what it prints."""

    def __init__(self, host: ProcessHost, **told: Any) -> None:
        self.lines: list[str] = []
        self.child: Child | None = None
        self.completed: Completed | None = None
        self._changed = threading.Condition()
        self._cancel = Cancel()
        self._thread = threading.Thread(target=self._run, args=(host, told))
        self._thread.start()

    def until(self, text: str) -> None:
        with self._changed:
            seen = self._changed.wait_for(lambda: any(text in line for line in self.lines), _PATIENCE)
        assert seen, f"never printed {text!r}: {self.lines}"

    def send(self, number: signal.Signals) -> None:
        assert self.child is not None
        os.kill(self.child.pid, number)

    def wait(self) -> int:
        self._thread.join(_PATIENCE)
        assert self.completed is not None, f"still runs: {self.lines}"
        return self.completed.returncode

    def close(self) -> None:
        if self._thread.is_alive() and self.child is not None:
            self.send(signal.SIGCONT)
        self._cancel.stop(Interrupted(signal.SIGTERM))
        self._thread.join(_PATIENCE)

    def _run(self, host: ProcessHost, told: dict[str, Any]) -> None:
        runner = host.bind(cancel=self._cancel, on_line=self._on_line, on_child=self._on_child)
        command = Command(
            (sys.executable, "-m", "tests.integration.engine.drive", json.dumps(told)),
            cwd=HERE,
            timeout=90.0,
            grace=2.0,
            ok_codes=tuple(range(-31, 256)),
        )
        try:
            self.completed = runner.run(command)
        except Interrupted:
            return

    def _on_line(self, _stream: Stream, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def _on_child(self, child: Child) -> None:
        self.child = child


class Fleet:
    """Starts drivers in one root, and ends them all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._host = ProcessHost(KnownSecrets(), SystemClock())
        self._drivers: list[Driver] = []

    def start(self, run_id: str = "r1", **told: Any) -> Driver:
        driver = Driver(self._host, root=str(self.root), run_id=run_id, **told)
        self._drivers.append(driver)
        return driver

    def run(self, run_id: str = "r1", **told: Any) -> int:
        return self.start(run_id, **told).wait()

    def state(self, run_id: str = "r1") -> RunState:
        return RunDirectory(self.root / "runs" / run_id).state()

    def done(self) -> list[str]:
        path = self.root / "done.txt"
        return path.read_text().splitlines() if path.exists() else []

    def close(self) -> None:
        for driver in self._drivers:
            driver.close()
        self._host.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    made.close()


def eventually(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def lease_of(root: Path) -> tuple[int, bool]:
    record = read_lease(DiskObjectStore(root / "bucket"), environment_lease("dev"))
    assert record is not None
    return record.number, record.released


def children_of(state: RunState) -> list[Child]:
    details = [detail for step in state.steps() for detail in step.children]
    return [Child(**detail) for detail in details if "pid" in detail]


def test_a_run_killed_after_every_step_in_turn_does_each_step_once(fleet: Fleet) -> None:
    for number in range(len(ALL)):
        assert fleet.run(die="after-step") == -signal.SIGKILL
        assert len(fleet.done()) == number + 1
    assert fleet.run() == 0
    assert fleet.done() == ALL
    assert fleet.state().status is Status.SUCCEEDED


def test_a_run_killed_in_mid_step_takes_its_child_along_and_does_the_step_again(fleet: Fleet) -> None:
    assert fleet.run(die="in-child", slow="plan/network") == -signal.SIGKILL
    [child] = children_of(fleet.state())
    assert eventually(lambda: not alive(child))
    assert fleet.run() == 0
    assert fleet.done() == ALL


@pytest.mark.parametrize("events", [1, 4, 9, 15, 22])
def test_a_run_killed_at_any_event_goes_on(fleet: Fleet, events: int) -> None:
    assert fleet.run(die=f"after:{events}", records=True) == -signal.SIGKILL
    assert fleet.run(records=True) == 0
    assert sorted(set(fleet.done())) == sorted(ALL)


@pytest.mark.parametrize("stage", ["plan", "apply", "verify"])
def test_ctrl_c_ends_the_children_releases_the_lease_and_exits_130(fleet: Fleet, stage: str) -> None:
    driver = fleet.start(slow=f"{stage}/network")
    driver.until(f"step-child {stage} {stage}/network")
    driver.send(signal.SIGINT)
    assert driver.wait() == 130
    state = fleet.state()
    assert (state.status, state.stages[stage].status) == (Status.ABORTED, Status.ABORTED)
    assert not any(alive(child) for child in children_of(state))
    assert stage == "plan" or lease_of(fleet.root)[1]
    assert fleet.run() == 0
    assert fleet.done() == ALL


def test_sigterm_exits_143(fleet: Fleet) -> None:
    driver = fleet.start(slow="plan/network")
    driver.until("step-child plan plan/network")
    driver.send(signal.SIGTERM)
    assert driver.wait() == 143


def test_the_second_of_two_runs_is_refused_and_names_the_first(fleet: Fleet) -> None:
    first = fleet.start("first", slow="apply/network")
    first.until("step-child apply apply/network")
    second = fleet.start("second")
    assert second.wait() == 6
    assert any("is held by driver (pid " in line and "run first" in line for line in second.lines)
    first.send(signal.SIGINT)
    assert first.wait() == 130


def test_two_processes_do_not_drive_one_run(fleet: Fleet) -> None:
    first = fleet.start(slow="plan/network")
    first.until("step-child plan plan/network")
    second = fleet.start()
    assert second.wait() == 6
    assert any("is driven by another process" in line for line in second.lines)


def test_a_stopped_holder_is_taken_over_and_refused_when_it_wakes_up(fleet: Fleet) -> None:
    old = fleet.start("old", slow="apply/network")
    old.until("step-child apply apply/network")
    old.send(signal.SIGSTOP)
    assert fleet.run("new", lock_wait="20s") == 0
    assert lease_of(fleet.root) == (2, True)
    old.send(signal.SIGCONT)
    assert old.wait() == 6
    state = fleet.state("old")
    assert state.status is Status.ERRORED
    assert "apply/cluster" not in [step.name for step in state.steps() if step.status is Status.SUCCEEDED]
    assert not any(alive(child) for child in children_of(state))
    assert lease_of(fleet.root) == (2, True)


WRITER = """
import sys
from pathlib import Path
from platformctl.core.objects import ObjectChanged
from platformctl.engine.disk_store import DiskObjectStore
store, won = DiskObjectStore(Path(sys.argv[1])), []
while True:
    stored = store.get("key")
    number = int(stored.data)
    if number >= int(sys.argv[2]):
        break
    try:
        store.put_if("key", str(number + 1).encode(), stored.version)
    except ObjectChanged:
        continue
    won.append(number)
print(*won)
"""


def test_eight_processes_on_one_key_for_a_thousand_rounds_have_one_winner_each(tmp_path: Path) -> None:
    DiskObjectStore(tmp_path).put("key", b"0")
    host = ProcessHost(KnownSecrets(), SystemClock())
    outputs: list[str] = []

    def write() -> None:
        runner = host.bind(cancel=Cancel(), on_line=None, on_child=None)
        argv = (sys.executable, "-c", WRITER, str(tmp_path), "1000")
        outputs.append(runner.run(Command(argv, timeout=100.0)).stdout)

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    host.close()
    rounds = sorted(int(number) for output in outputs for number in output.split())
    assert rounds == list(range(1000))
