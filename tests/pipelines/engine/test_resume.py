"""A run that died anywhere goes on: what finished is not done again, the rest is, and nothing is done unapproved."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.command import Child, Command
from platformctl.core.errors import GateWaiting, PreconditionError, Status, StepFailed, UsageError
from platformctl.core.events import EventKind
from platformctl.engine.record import RunDirectory
from platformctl.engine.request import Request
from platformctl.engine.step import StepContext
from platformctl.process.children import current
from platformctl.testing.pipeline import TESTER, Bench
from platformctl.testing.runner import Reply
from tests.pipelines.engine.environments import an_environment
from tests.pipelines.engine.worlds import World

STACKS = {"network": (), "registry": (), "cluster": ("network",)}
ENVIRONMENT = an_environment(STACKS)
WANTED = dict.fromkeys(STACKS, "v1")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(root=tmp_path)


def cut(finished: Path, to: Path, lines: int, torn: str = "") -> None:
    """Leaves the run as it was when its process died after so many events."""
    shutil.copytree(finished, to)
    events = (finished / "events.jsonl").read_text().splitlines(keepends=True)[:lines]
    (to / "events.jsonl").write_text("".join(events) + torn)
    (to / "run.json").unlink()


def finished_steps(directory: Path) -> set[str]:
    state = RunDirectory(directory).state()
    return {step.name for step in state.steps() if step.status is Status.SUCCEEDED}


def test_a_run_cut_off_after_any_event_goes_on_and_redoes_only_what_had_not_finished(tmp_path: Path) -> None:
    whole = Bench(root=tmp_path / "whole")
    first = World(wanted=WANTED)
    done = whole.run(first.pipeline(), ENVIRONMENT, auto_approve=True)
    events = (done.directory / "events.jsonl").read_text().splitlines()
    assert len(events) > 25
    for lines in range(1, len(events)):
        bench = Bench(root=tmp_path / f"cut{lines}")
        cut(done.directory, bench.root / ".platform" / "runs" / done.run_id, lines)
        before = finished_steps(bench.root / ".platform" / "runs" / done.run_id)
        world = World(wanted=WANTED, real={name.partition("/")[2]: "v1" for name in before if "apply/" in name})
        result = bench.run(world.pipeline(), ENVIRONMENT, resume=done.run_id, auto_approve=True)
        assert (result.error, result.status) == (None, Status.SUCCEEDED), f"cut after {lines} events"
        assert set(world.done) == set(first.done) - before, f"cut after {lines} events"
        assert len(world.done) == len(set(world.done))
        assert world.real == WANTED


def test_a_torn_last_line_is_tolerated_and_said(bench: Bench) -> None:
    world = World(wanted=WANTED)
    done = bench.run(world.pipeline(), ENVIRONMENT, auto_approve=True)
    other = Bench(root=bench.root / "other")
    cut(done.directory, other.root / ".platform" / "runs" / done.run_id, 4, torn='{"time":"2026-01-')
    result = other.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, resume=done.run_id, auto_approve=True)
    assert result.status is Status.SUCCEEDED
    assert "was torn by a crash" in result.state.warnings[0]["message"]
    for line in (result.directory / "events.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_failed_step_is_done_again_and_what_it_held_up_follows(bench: Bench) -> None:
    world = World(wanted=WANTED)

    def fail(context: StepContext) -> None:
        if context.step_name == "apply/network":
            raise StepFailed("quota exceeded")

    world.hook = fail
    failed = bench.run(world.pipeline(), ENVIRONMENT, auto_approve=True)
    assert failed.status is Status.FAILED
    world.hook, world.done = lambda _context: None, []
    result = bench.run(world.pipeline(), ENVIRONMENT, resume=failed.run_id, auto_approve=True)
    assert result.status is Status.SUCCEEDED
    assert not [name for name in world.done if name.startswith("plan/")]
    assert world.done.index("apply/network") < world.done.index("apply/cluster")


def test_other_files_than_before_mean_that_everything_is_done_again(bench: Bench) -> None:
    world = World(wanted=WANTED)
    first = bench.run(world.pipeline(), ENVIRONMENT, auto_approve=True, tree="sha256:1", stages=("plan",))
    assert (first.error, first.status) == (None, Status.PENDING)
    bench.run(world.pipeline(), ENVIRONMENT, auto_approve=True, tree="sha256:2", run_id=first.run_id)
    assert world.done.count("plan/network") == 2


def test_a_run_goes_on_as_it_began(bench: Bench) -> None:
    world = World()
    first = bench.run(world.pipeline(), ENVIRONMENT)
    with pytest.raises(UsageError, match="began with environment 'dev', not 'prod'"):
        bench.run(world.pipeline(), ENVIRONMENT.model_copy(update={"name": "prod"}), resume=first.run_id)
    with pytest.raises(UsageError, match="began with dry run 'false', not 'true'"):
        bench.run(world.pipeline(), ENVIRONMENT, resume=first.run_id, dry_run=True)


def test_stage_by_stage_with_one_run_id_is_the_same_run(bench: Bench) -> None:
    world = World(wanted=WANTED)
    outcomes = [
        bench.run(world.pipeline(), ENVIRONMENT, run_id="jenkins-demo-42", stages=(stage,), auto_approve=True).status
        for stage in ("plan", "apply", "verify")
    ]
    assert outcomes == [Status.PENDING, Status.PENDING, Status.SUCCEEDED]
    assert len(world.done) == 9
    assert world.real == WANTED


def test_a_stage_wants_the_earlier_ones_finished(bench: Bench) -> None:
    result = bench.run(World().pipeline(), ENVIRONMENT, run_id="jenkins-demo-42", stages=("apply",))
    assert isinstance(result.error, PreconditionError)
    assert "stage plan comes before apply" in result.error.message
    assert result.error.hint == "platformctl run provision --env dev --run-id jenkins-demo-42 --stage plan"


def test_a_stage_wants_the_earlier_ones_finished_with_the_same_files(bench: Bench) -> None:
    world = World(wanted=WANTED)
    bench.run(world.pipeline(), ENVIRONMENT, run_id="r1", stages=("plan",), tree="sha256:1")
    result = bench.run(world.pipeline(), ENVIRONMENT, run_id="r1", stages=("apply",), tree="sha256:2")
    assert isinstance(result.error, PreconditionError)
    assert world.real == {}


def interrupted(bench: Bench, details: list[dict[str, Any]]) -> str:
    """A run whose process died while ``plan/network`` had started what ``details`` say."""
    world = World(wanted=WANTED)
    done = bench.run(world.pipeline(), ENVIRONMENT, run_id="r1", stages=("plan",))
    lines = (done.directory / "events.jsonl").read_text().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if '"step":"plan/network"' in line and '"step-started"' in line)
    started = json.loads(lines[start])
    children = [{**started, "kind": "step-child", "detail": detail} for detail in details]
    text = "".join([*lines[: start + 1], *(json.dumps(child) + "\n" for child in children)])
    (done.directory / "events.jsonl").write_text(text)
    return "r1"


def test_a_step_is_told_what_its_dead_attempt_left(bench: Bench) -> None:
    seen: dict[str, Any] = {}
    world = World(wanted=WANTED, hook=lambda context: seen.update({context.step_name: context.interrupted_children()}))
    child = {"pid": 4711, "started": 1.0, "program": "terraform", "host": "elsewhere", "boot": "b"}
    bench.run(world.pipeline(), ENVIRONMENT, resume=interrupted(bench, [child, {"lock": "f00"}]), stages=("plan",))
    assert seen["plan/network"] == (child, {"lock": "f00"})
    assert seen["plan/registry"] == ()


def test_a_living_child_of_the_dead_attempt_is_waited_for(bench: Bench) -> None:
    me = replace(current(), program="terraform")
    run = interrupted(bench, [asdict(me)])
    bench.living = (me,)
    result = bench.run(World(wanted=WANTED).pipeline(), ENVIRONMENT, resume=run, stages=("plan",))
    assert isinstance(result.error, PreconditionError)
    assert f"terraform (pid {me.pid}) of the interrupted attempt still runs" in result.error.message
    assert f"kill -INT {me.pid}" in result.error.hint
    assert 590.0 <= bench.clock.monotonic() <= 700.0


def test_a_child_that_ends_while_it_is_waited_for_lets_the_step_begin(bench: Bench) -> None:
    me = replace(current(), program="terraform")
    run = interrupted(bench, [asdict(me)])

    def living(_child: Child) -> bool:
        return bench.clock.monotonic() < 5.0

    request = Request(
        pipeline=World(wanted=WANTED).pipeline(), environment=ENVIRONMENT, actor=TESTER, resume=run, stages=("plan",)
    )
    result = replace(bench.engine(), alive=living).run(request)
    assert result.error is None
    assert any("waiting for terraform" in event.detail["message"] for event in bench.log.of(EventKind.STEP_PROGRESS))


def test_children_and_locks_are_journaled_before_anybody_waits_for_them(bench: Bench) -> None:
    def work(context: StepContext) -> None:
        context.runner.run(Command(("terraform", "apply")))
        context.journal_lock("lock-1")

    bench.runner.on("terraform", "apply", reply=Reply())
    result = bench.run(World(hook=work).pipeline(), ENVIRONMENT, stages=("plan",))
    details = [event.detail for event in bench.log.of(EventKind.STEP_CHILD) if event.step == "plan/network"]
    assert [("pid" in detail, detail.get("lock")) for detail in details] == [(True, None), (False, "lock-1")]
    assert result.error is None


def test_a_gate_that_was_open_needs_no_second_answer(bench: Bench) -> None:
    world = World(wanted=WANTED)
    parked = bench.run(world.pipeline(), ENVIRONMENT)
    assert isinstance(parked.error, GateWaiting)
    assert parked.state.question is not None

    def fail(context: StepContext) -> None:
        if context.step_name == "apply/cluster":
            raise StepFailed("no")

    world.hook = fail
    digest = parked.state.question[1].digest
    bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id, approve=digest)
    world.hook = lambda _context: None
    assert bench.run(world.pipeline(), ENVIRONMENT, resume=parked.run_id).status is Status.SUCCEEDED
