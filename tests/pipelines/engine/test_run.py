"""A run from its first event to its last: order, results, errors, retries, deadlines, what is skipped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Duration
from platformctl.core.command import Command
from platformctl.core.errors import (
    CommandTimedOut,
    Interrupted,
    PlatformError,
    PreconditionError,
    Status,
    StepFailed,
    TransientError,
    UsageError,
    exit_code,
)
from platformctl.core.events import Event, EventKind
from platformctl.core.secret import Secret
from platformctl.engine.pipeline import Parameter, Pipeline, Stage
from platformctl.engine.request import RunResult
from platformctl.engine.step import Artifact, ArtifactKind, RetryPolicy, Step, StepContext, StepResult, option
from platformctl.testing.pipeline import Bench
from platformctl.testing.runner import Reply
from tests.pipelines.engine.environments import an_environment

Work = Callable[[StepContext], StepResult | None]


@dataclass(frozen=True, kw_only=True)
class Do(Step):
    """Does what the test says."""

    kind = "do"
    item: str = option("Which item.", default="")
    works: Mapping[str, Work] = option("By item; nothing otherwise.", default=None)

    def run(self, context: StepContext) -> StepResult:
        work = (self.works or {}).get(self.item)
        return (work(context) if work else None) or StepResult()


@dataclass(frozen=True, kw_only=True)
class Retried(Do):
    """Does it again."""

    kind = "retried"
    retry = RetryPolicy(attempts=3, first=Duration(2.0), longest=Duration(10.0))


def pipeline(*stages: Stage, parameters: tuple[Parameter, ...] = ()) -> Pipeline:
    return Pipeline("demo", "For tests.", stages, parameters)


def stage(name: str, works: Mapping[str, Work] | None = None, step: type[Do] = Do, **more: object) -> Stage:
    each = None if "each" in more and more.pop("each") is None else "stacks"
    return Stage(name, lambda item: (step(item=item, works=works or {}),), each=each, **more)  # type: ignore[arg-type]


def tells(tell: Callable[[StepContext], object]) -> Work:
    """Work that only looks."""

    def work(context: StepContext) -> StepResult:
        tell(context)
        return StepResult()

    return work


def fails(error: BaseException) -> Work:
    def work(_context: StepContext) -> StepResult:
        raise error

    return work


def statuses(result: RunResult) -> dict[str, str]:
    return {step.name: step.status.value for step in result.state.steps()}


ENVIRONMENT = an_environment({"network": (), "registry": (), "cluster": ("network",)})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(root=tmp_path)


def test_a_run_goes_through_its_stages_and_leaves_a_record(bench: Bench) -> None:
    works: dict[str, Work] = {
        "network": lambda _: StepResult(changed=True, outputs={"vpc": "vpc-1"}, summary="made a network"),
        "cluster": lambda context: StepResult(summary=f"in {context.outputs('build/network')['vpc']}"),
    }
    result = bench.run(pipeline(stage("build", works), stage("check")), ENVIRONMENT)
    assert (result.error, result.status, result.changed) == (None, Status.SUCCEEDED, True)
    assert set(statuses(result).values()) == {"SUCCEEDED"}
    document = json.loads((result.directory / "run.json").read_text())
    assert document == result.to_json()
    assert (document["schemaVersion"], document["pipeline"], document["environment"]) == (1, "demo", "dev")
    step = next(step for step in document["stages"][0]["steps"] if step["name"] == "build/cluster")
    assert step["summary"] == "in vpc-1"


def test_the_events_tell_the_run_in_order(bench: Bench) -> None:
    result = bench.run(pipeline(stage("build", each=None)), ENVIRONMENT)
    kinds = [event.kind for event in bench.log.events]
    assert kinds == [
        EventKind.RUN_STARTED,
        EventKind.STAGE_STARTED,
        EventKind.STEP_STARTED,
        EventKind.STEP_FINISHED,
        EventKind.STAGE_FINISHED,
        EventKind.RUN_FINISHED,
    ]
    lines = (result.directory / "events.jsonl").read_text().splitlines()
    assert [Event.from_json(json.loads(line)) for line in lines] == bench.log.events
    assert bench.log.closed


def test_the_ids_of_runs_sort_by_time(bench: Bench) -> None:
    first = bench.run(pipeline(stage("build")), ENVIRONMENT)
    bench.clock.advance(1.0)
    second = bench.run(pipeline(stage("build")), ENVIRONMENT)
    assert first.run_id.startswith("20260101T000000Z-demo-")
    assert first.run_id < second.run_id


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StepFailed("the policy says no"), Status.FAILED, 1),
        (PreconditionError("no credentials"), Status.ERRORED, 4),
        (TransientError("503"), Status.ERRORED, 6),
        (ValueError("a bug"), Status.ERRORED, 70),
    ],
)
def test_an_error_becomes_the_status_and_later_stages_do_not_start(
    bench: Bench, error: Exception, status: Status, code: int
) -> None:
    result = bench.run(pipeline(stage("build", {"network": fails(error)}), stage("check")), ENVIRONMENT)
    assert (result.status, result.error) == (status, error)
    assert result.error is not None
    assert exit_code(result.error) == code
    assert statuses(result)["build/network"] == status.value
    assert statuses(result)["build/cluster"] == "SKIPPED"
    assert result.state.stages["check"].status is Status.PENDING


def test_a_skipped_step_says_which_need_failed(bench: Bench) -> None:
    result = bench.run(pipeline(stage("build", {"network": fails(StepFailed("no"))})), ENVIRONMENT)
    step = result.state.step("build/cluster")
    assert step is not None
    assert step.summary == "needs build/network, which did not succeed"


def test_a_stage_that_always_runs_does_so_after_a_failure(bench: Bench) -> None:
    told: list[str] = []
    last = stage("notify", {"": tells(lambda context: told.append(context.run_id))}, each=None, always=True)
    result = bench.run(
        pipeline(stage("build", {"network": fails(StepFailed("no"))}), stage("check"), last), ENVIRONMENT
    )
    assert told == [result.run_id]
    assert result.status is Status.FAILED


def test_a_bug_leaves_its_traceback_in_the_private_folder_only(bench: Bench) -> None:
    result = bench.run(pipeline(stage("build", {"network": fails(ValueError("secret-free"))})), ENVIRONMENT)
    path = result.directory / "private" / "traceback.build.network.txt"
    assert "ValueError: secret-free" in path.read_text()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "Traceback" not in (result.directory / "events.jsonl").read_text()
    step = result.state.step("build/network")
    assert step is not None
    assert step.error is not None
    assert str(path) in step.error["hint"]


class Flaky:
    """Fails so many times before it works."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error = times, error

    def __call__(self, _context: StepContext) -> StepResult:
        if self.left:
            self.left -= 1
            raise self.error
        return StepResult(summary="at last")


def test_only_transient_errors_are_tried_again_with_growing_pauses(bench: Bench) -> None:
    result = bench.run(pipeline(stage("build", {"": Flaky(2, TransientError("503"))}, Retried, each=None)), ENVIRONMENT)
    assert result.status is Status.SUCCEEDED
    pauses = [event.detail["seconds"] for event in bench.log.of(EventKind.STEP_RETRYING)]
    assert len(pauses) == 2
    assert 1.0 <= pauses[0] <= 2.0 <= pauses[1] <= 4.0
    step = result.state.step("build/retried")
    assert step is not None
    assert step.attempts == 3


def test_a_servers_own_wish_to_wait_wins_when_it_is_longer(bench: Bench) -> None:
    flaky = Flaky(1, TransientError("429", retry_after=7.0))
    bench.run(pipeline(stage("build", {"": flaky}, Retried, each=None)), ENVIRONMENT)
    assert [event.detail["seconds"] for event in bench.log.of(EventKind.STEP_RETRYING)] == [7.0]


def test_retries_end_with_their_budget(bench: Bench) -> None:
    error = TransientError("503")
    result = bench.run(pipeline(stage("build", {"": Flaky(9, error)}, Retried, each=None)), ENVIRONMENT)
    assert result.error is error
    assert len(bench.log.of(EventKind.STEP_STARTED)) == 3


def test_other_errors_are_never_tried_again(bench: Bench) -> None:
    bench.run(pipeline(stage("build", {"": Flaky(1, StepFailed("no"))}, Retried, each=None)), ENVIRONMENT)
    assert len(bench.log.of(EventKind.STEP_STARTED)) == 1


@dataclass(frozen=True, kw_only=True)
class Short(Do):
    """Has ten seconds."""

    kind = "short"
    deadline = Duration(10.0)


def test_a_command_does_not_outlive_the_deadline_of_its_step(bench: Bench) -> None:
    bench.runner.clock = bench.clock
    bench.runner.on("sleep", "100", reply=Reply(seconds=100.0))
    work = tells(lambda context: context.runner.run(Command(("sleep", "100"), timeout=500.0)))
    result = bench.run(pipeline(stage("build", {"": work}, Short, each=None)), ENVIRONMENT)
    assert isinstance(result.error, CommandTimedOut)
    assert result.error.message == "`sleep 100` was still running after 10 s"
    assert "the deadline of build/short is 10 s" in result.error.hint


def test_a_step_that_polls_is_told_when_its_time_is_up_and_what_it_waited_for(bench: Bench) -> None:
    def poll(context: StepContext) -> StepResult:
        context.progress("the cluster to become ACTIVE")
        while True:
            context.checkpoint()
            context.clock.wait(3.0)

    result = bench.run(pipeline(stage("build", {"": poll}, Short, each=None)), ENVIRONMENT)
    assert isinstance(result.error, CommandTimedOut)
    assert result.error.hint == "it waited for: the cluster to become ACTIVE"


def test_steps_that_a_stage_has_no_time_for_are_not_started(bench: Bench) -> None:
    works = {"network": tells(lambda context: context.clock.wait(99.0))}
    build = stage("build", works, deadline=Duration(60.0))
    result = bench.run(pipeline(build), ENVIRONMENT)
    assert isinstance(result.error, CommandTimedOut)
    assert result.error.message == "`stage build` was still running after 60 s"
    assert statuses(result)["build/cluster"] == "SKIPPED"


def test_lines_of_programs_go_to_the_steps_log_and_to_reporters_but_not_to_the_events(bench: Bench) -> None:
    bench.runner.on("echo", "hello", reply=Reply(stdout="hello\n"))
    work = tells(lambda context: context.runner.run(Command(("echo", "hello"))))
    result = bench.run(pipeline(stage("build", {"network": work})), ENVIRONMENT)
    assert (result.directory / "logs" / "build.network.log").read_text() == "hello\n"
    assert [event.detail["line"] for event in bench.log.of(EventKind.STEP_LINE)] == ["hello"]
    assert "hello" not in (result.directory / "events.jsonl").read_text()
    assert [event.detail["program"] for event in bench.log.of(EventKind.STEP_CHILD)] == ["echo"]


def test_ctrl_c_aborts_the_run_and_what_always_runs_still_does(bench: Bench) -> None:
    cancel, told = Cancel(), []

    def interrupted(context: StepContext) -> StepResult:
        cancel.stop(Interrupted(2))
        context.checkpoint()
        raise AssertionError("not reached")

    last = stage("notify", {"": tells(lambda _: told.append(True))}, each=None, always=True)
    result = bench.run(pipeline(stage("build", {"network": interrupted}, lease=True), last), ENVIRONMENT, cancel)
    assert isinstance(result.error, Interrupted)
    assert (result.status, exit_code(result.error), told) == (Status.ABORTED, 130, [True])
    assert [event.kind for event in bench.log.events if "lease" in event.kind] == ["lease-acquired", "lease-released"]


def test_a_dry_run_takes_no_lease_asks_nothing_and_changes_nothing(bench: Bench) -> None:
    seen: list[bool] = []

    def work(context: StepContext) -> StepResult:
        seen.append(context.dry_run)
        return StepResult(changed=True)

    result = bench.run(pipeline(stage("build", {"network": work}, lease=True)), ENVIRONMENT, dry_run=True)
    assert seen == [True]
    assert not result.changed
    assert not [event for event in bench.log.events if "lease" in event.kind]


def test_parameters_reach_the_steps_and_limit_the_items(bench: Bench) -> None:
    parameters = (Parameter("stacks", "Which."), Parameter("to", "Where.", default="here"))
    seen: list[Mapping[str, str]] = []
    works = {"cluster": tells(lambda context: seen.append(context.parameters))}
    result = bench.run(
        pipeline(stage("build", works), parameters=parameters), ENVIRONMENT, parameters={"stacks": "cluster"}
    )
    assert seen == [{"stacks": "cluster", "to": "here"}]
    assert list(statuses(result)) == ["build/cluster"]


@pytest.mark.parametrize(
    ("request_", "cause"),
    [
        ({"stages": ("bulid",)}, "has no stage 'bulid'"),
        ({"parameters": {"too": "x"}}, "has no parameter 'too'"),
        ({"parameters": {"stacks": "netwrok"}}, "stacks has no 'netwrok'"),
        ({"resume": "20260101T000000Z-demo-0000"}, "no run"),
        ({"run_id": "../elsewhere"}, "is no id of a run"),
    ],
)
def test_what_makes_no_sense_leaves_no_run_behind(bench: Bench, request_: dict[str, Any], cause: str) -> None:
    parameters = (Parameter("to", "Where."), Parameter("stacks", "Which."))
    with pytest.raises(UsageError, match=cause):
        bench.run(pipeline(stage("build"), parameters=parameters), ENVIRONMENT, **request_)
    assert list((bench.root / ".platform" / "runs").glob("*")) == []


def artifact(kind: ArtifactKind, text: str) -> Work:
    def work(context: StepContext) -> StepResult:
        path = context.artifact_path("stacks/network.json", kind)
        path.write_text(text)
        return StepResult(changed=True, artifacts=(Artifact("stacks/network.json", path, kind),))

    return work


def test_an_artifact_that_holds_a_known_secret_is_removed_and_the_step_stopped(bench: Bench) -> None:
    bench.runner.redactor.add(Secret("canary-4711-canary"))
    work = artifact(ArtifactKind.PROPOSAL, '{"password": "canary-4711-canary"}')
    result = bench.run(pipeline(stage("build", {"network": work})), ENVIRONMENT)
    assert isinstance(result.error, PreconditionError)
    assert "held a secret in clear" in result.error.message
    for path in result.directory.rglob("*"):
        assert not path.is_file() or "canary-4711" not in path.read_text()


def test_no_secret_reaches_events_outputs_or_summaries(bench: Bench) -> None:
    canary = "canary-4711-canary"
    bench.runner.redactor.add(Secret(canary))

    def work(context: StepContext) -> StepResult:
        context.progress(f"with {canary}")
        context.warn(f"about {canary}", canary)
        return StepResult(outputs={"deep": [{"value": canary}]}, summary=canary)

    result = bench.run(
        pipeline(stage("build", {"network": work, "registry": fails(StepFailed(canary, hint=canary))})), ENVIRONMENT
    )
    for path in result.directory.rglob("*"):
        assert not path.is_file() or canary not in path.read_text()
    assert not [event for event in bench.log.events if canary in json.dumps(event.to_json())]
    assert isinstance(result.error, StepFailed)
    assert canary not in f"{result.error} {result.error.message} {result.error.hint}"


class Broken:
    """A reporter that raises at its third event."""

    def __init__(self) -> None:
        self.seen = 0

    def handle(self, _event: Event) -> None:
        self.seen += 1
        if self.seen == 3:
            raise RuntimeError("out of paper")

    def close(self) -> None:
        pass


def test_a_reporter_that_raises_is_dropped_with_a_warning(bench: Bench) -> None:
    broken = Broken()
    bench.reporters = (broken,)
    result = bench.run(pipeline(stage("build")), ENVIRONMENT)
    assert (result.status, broken.seen) == (Status.SUCCEEDED, 3)
    assert "the reporter Broken was dropped: RuntimeError: out of paper" in result.state.warnings[0]["message"]


def test_an_error_keeps_its_hint_in_the_record(bench: Bench) -> None:
    error: PlatformError = StepFailed("too many destroys", hint="raise guards.max_destroys")
    result = bench.run(pipeline(stage("build", {"network": fails(error)})), ENVIRONMENT)
    document = json.loads((result.directory / "run.json").read_text())
    assert document["error"] == {"type": "StepFailed", "message": error.message, "hint": error.hint}
