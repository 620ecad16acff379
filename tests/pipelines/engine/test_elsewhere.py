"""Several machines and one state bucket: who drives a run, what travels, who is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.clock import Duration
from platformctl.core.errors import GateWaiting, LeaseHeld, Status, TransientError, UsageError, exit_code
from platformctl.core.events import EventKind
from platformctl.engine.gates import Verdict
from platformctl.engine.lease import Holder, LeaseTimes, acquire, read_lease
from platformctl.engine.request import Request
from platformctl.engine.runs import RunHistory
from platformctl.engine.stages import environment_lease
from platformctl.engine.step import ArtifactKind, StepContext
from platformctl.testing.clock import FakeClock
from platformctl.testing.objects import MemoryObjectStore
from platformctl.testing.pipeline import TESTER, Bench
from tests.pipelines.engine.environments import an_environment
from tests.pipelines.engine.worlds import World

STACKS = {"network": (), "cluster": ("network",)}
ENVIRONMENT = an_environment(STACKS)
WANTED = dict.fromkeys(STACKS, "v1")
KEY = environment_lease("dev")


class Machines:
    """Machines that share one bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = MemoryObjectStore()

    def machine(self, name: str) -> Bench:
        return Bench(root=self.folder / name, leases=self.bucket, records=self.bucket)

    def history(self, bench: Bench) -> RunHistory:
        engine = bench.engine()
        return RunHistory(
            runs=engine.runs, clock=bench.clock, redactor=engine.redactor, records=self.bucket, leases=self.bucket
        )


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path)


def test_a_run_parked_on_one_machine_is_listed_approved_and_resumed_on_others(machines: Machines) -> None:
    one, two, three = (machines.machine(name) for name in ("one", "two", "three"))
    world = World(wanted=WANTED)
    parked = one.run(world.pipeline(), ENVIRONMENT)
    assert isinstance(parked.error, GateWaiting)

    book = machines.history(two)
    [row] = book.list("dev")
    assert (row.id, row.pipeline, row.status, row.local) == (parked.run_id, "provision", Status.WAITING, False)
    state = book.read(parked.run_id)
    assert state.question is not None
    book.answer(state, digest=state.question[1].digest, verdict=Verdict.APPROVED, actor=TESTER)

    result = three.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id)
    assert (result.error, result.status) == (None, Status.SUCCEEDED)
    assert world.done == [f"{stage}/{item}" for stage in ("plan", "apply", "verify") for item in STACKS]
    assert [row.status for row in book.list()] == [Status.SUCCEEDED]


def test_what_travels_is_the_events_and_the_proposals_and_nothing_private(machines: Machines) -> None:
    def work(context: StepContext) -> None:
        context.artifact_path("saved.tfplan", ArtifactKind.PRIVATE).write_text("private-canary")
        context.progress("working")

    machines.machine("one").run(World(wanted=WANTED, hook=work).pipeline(), ENVIRONMENT)
    keys = list(machines.bucket.list("runs/"))
    assert {key.split("/")[3] for key in keys} == {"segments", "proposals"}
    for key in machines.bucket.list(""):
        stored = machines.bucket.get(key)
        assert stored is not None
        assert b"private-canary" not in stored.data


def test_keys_alone_tell_pipeline_stage_and_status(machines: Machines) -> None:
    result = machines.machine("one").run(World(wanted=WANTED).pipeline(), ENVIRONMENT)
    prefix = f"runs/dev/{result.run_id}/segments/"
    names = [key.removeprefix(prefix) for key in machines.bucket.list(prefix)]
    assert names == ["0001.0001.provision.00.plan.RUNNING.jsonl", "0002.0001.provision.01.apply.WAITING.jsonl"]


def test_the_segments_together_are_the_events(machines: Machines) -> None:
    one = machines.machine("one")
    result = one.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, auto_approve=True)
    prefix = f"runs/dev/{result.run_id}/segments/"
    stored = [machines.bucket.get(key) for key in machines.bucket.list(prefix)]
    joined = b"".join(part.data for part in stored if part is not None)
    assert joined == (result.directory / "events.jsonl").read_bytes()


def test_a_machine_whose_record_is_behind_takes_the_stores(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two")
    world = World(wanted=WANTED)
    parked = one.run(world.pipeline(), ENVIRONMENT)
    two.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id, auto_approve=True, stages=("apply",))
    result = one.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id)
    assert result.status is Status.SUCCEEDED
    assert [name for name in world.done if name.startswith("apply/")] == ["apply/network", "apply/cluster"]


def test_a_run_that_another_process_drives_is_refused(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two")
    refused: list[LeaseHeld] = []

    def meanwhile(context: StepContext) -> None:
        if context.step_name == "plan/network":
            with pytest.raises(LeaseHeld) as caught:
                acquire_run(two, context.run_id)
            refused.append(caught.value)

    def acquire_run(bench: Bench, run_id: str) -> None:
        lease = f"leases/runs/dev/{run_id}.json"
        acquire(machines.bucket, lease, Holder("other", "other-run"), clock=FakeClock())

    one.run(World(wanted=WANTED, hook=meanwhile).pipeline(), ENVIRONMENT, auto_approve=True)
    assert "tester@bench" in refused[0].message


def test_the_second_of_two_runs_names_the_holder_and_ends_with_6(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two")
    second: list[Any] = []

    def meanwhile(context: StepContext) -> None:
        if context.step_name == "apply/network" and not second:
            second.append(None)
            second[0] = two.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, auto_approve=True)

    first = one.run(World(wanted=WANTED, hook=meanwhile).pipeline(), ENVIRONMENT, auto_approve=True, url="https://ci/1")
    assert first.status is Status.SUCCEEDED
    [other] = second
    assert isinstance(other.error, LeaseHeld)
    assert exit_code(other.error) == 6
    assert first.run_id in other.error.message
    assert "tester@bench" in other.error.message
    assert "https://ci/1" in other.error.message


def test_plans_of_two_runs_do_not_exclude_each_other(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two")
    inner: list[Status] = []

    def meanwhile(context: StepContext) -> None:
        if context.step_name == "plan/network":
            inner.append(two.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, stages=("plan",)).status)

    one.run(World(wanted=WANTED, hook=meanwhile).pipeline(), ENVIRONMENT)
    assert inner == [Status.PENDING]


def test_a_lease_taken_over_in_mid_stage_stops_the_old_run_before_its_next_step(machines: Machines) -> None:
    one = machines.machine("one")

    def taken_over(context: StepContext) -> None:
        if context.step_name == "apply/network":
            stored = machines.bucket.get(KEY)
            assert stored is not None
            record = json.loads(stored.data)
            record.update(number=record["number"] + 1, token="other", holder={"name": "ben@desk", "run": "run-b"})
            machines.bucket.put(KEY, json.dumps(record).encode())

    world = World(wanted=WANTED, hook=taken_over)
    result = one.run(world.pipeline(), ENVIRONMENT, auto_approve=True)
    assert isinstance(result.error, LeaseHeld)
    assert (result.status, exit_code(result.error)) == (Status.ERRORED, 6)
    assert "apply/cluster" not in world.done
    lease = read_lease(machines.bucket, KEY)
    assert lease is not None
    assert (lease.holder.name, lease.released) == ("ben@desk", False)


def test_a_lease_of_a_dead_process_of_the_same_run_is_waited_out(machines: Machines) -> None:
    one = machines.machine("one")
    times = LeaseTimes(ttl=0.2, heartbeat=0.05, margin=0.05)
    acquire(machines.bucket, KEY, Holder("dead", "run-1"), clock=FakeClock(), times=times)
    engine = replace(one.engine(), lease_times=times)
    world = World(wanted=WANTED)
    request = Request(
        pipeline=world.pipeline(), environment=ENVIRONMENT, actor=TESTER, run_id="run-1", auto_approve=True
    )
    result = engine.run(request)
    assert result.error is None
    [acquired] = one.log.of(EventKind.LEASE_ACQUIRED)
    assert acquired.detail == {"number": 2, "took_over": "dead (run run-1)"}


def test_the_lock_wait_is_a_budget(machines: Machines) -> None:
    one = machines.machine("one")
    acquire(machines.bucket, KEY, Holder("anna@laptop", "run-a"), clock=FakeClock())
    result = one.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, auto_approve=True, lock_wait=Duration(0.1))
    assert isinstance(result.error, LeaseHeld)
    assert "anna@laptop" in result.error.message
    assert any("waiting up to 0.1 s" in warning["message"] for warning in result.state.warnings)


def test_a_store_that_cannot_be_reached_at_the_start_starts_nothing(machines: Machines) -> None:
    one = machines.machine("one")
    machines.bucket.fail("get", TransientError("no route to host"), times=99)
    with pytest.raises(TransientError):
        one.run(World().pipeline(), ENVIRONMENT)
    assert list((one.root / ".platform" / "runs").glob("*")) == []


def test_a_border_of_stages_waits_for_the_store_to_come_back(machines: Machines) -> None:
    one = machines.machine("one")

    def outage(context: StepContext) -> None:
        if context.step_name == "verify/network":
            machines.bucket.fail("put_if", TransientError("503"), times=3)

    result = one.run(World(wanted=WANTED, hook=outage).pipeline(), ENVIRONMENT, auto_approve=True)
    assert result.status is Status.SUCCEEDED
    assert [row.status for row in machines.history(one).list()] == [Status.SUCCEEDED]


def test_a_run_whose_process_is_gone_shows_as_aborted_and_can_be_closed(machines: Machines) -> None:
    one = machines.machine("one")
    result = one.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, stages=("plan",))
    events = result.directory / "events.jsonl"
    events.write_text("".join(events.read_text().splitlines(keepends=True)[:5]))
    (result.directory / "run.json").unlink()
    local = RunHistory(
        runs=one.engine().runs, clock=one.clock, redactor=one.runner.redactor, alive=lambda _child: False
    )
    assert [row.status for row in local.list()] == [Status.ABORTED]
    assert local.read(result.run_id).status is Status.ABORTED
    closed = local.close(result.run_id, Status.FAILED, TESTER)
    assert closed.status is Status.FAILED
    assert [row.status for row in local.list()] == [Status.FAILED]


def test_closing_from_another_machine_reaches_the_store(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two")
    parked = one.run(World(wanted=WANTED).pipeline(), ENVIRONMENT)
    machines.history(two).close(parked.run_id, Status.ABORTED, TESTER, "dev")
    assert [row.status for row in machines.history(machines.machine("three")).list()] == [Status.ABORTED]


def test_an_unknown_run_is_named(machines: Machines) -> None:
    with pytest.raises(UsageError, match="no run 'nope'"):
        machines.history(machines.machine("one")).read("nope")
