"""What a run's events add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from platformctl.core.errors import Status
from platformctl.core.events import Event, EventKind
from platformctl.engine.record import parse_events
from platformctl.engine.state import RunState, derive

START = datetime(2026, 9, 26, 10, 15, tzinfo=UTC)


class Story:
    """Events one second apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, kind: EventKind, stage: str = "", step: str = "", **detail: Any) -> Story:
        time = START + timedelta(seconds=len(self.events))
        self.events.append(Event(time, kind, "r1", stage, f"{stage}/{step}" if step else "", detail))
        return self

    def state(self) -> RunState:
        return derive("r1", self.events)


def started(tree: str = "t1") -> Story:
    return Story().tell(
        EventKind.RUN_STARTED, pipeline="p", environment="dev", stages=["plan", "apply"], tree=tree, actor="anna", pid=1
    )


def planning() -> Story:
    return started().tell(EventKind.STAGE_STARTED, "plan", steps=[{"name": "plan/a", "kind": "k", "needs": []}])


def test_a_run_begins_with_its_stages_pending() -> None:
    state = started().state()
    assert (state.status, state.pipeline, state.environment, state.actor) == (Status.RUNNING, "p", "dev", "anna")
    assert [(stage.name, stage.status) for stage in state.stages.values()] == [
        ("plan", Status.PENDING),
        ("apply", Status.PENDING),
    ]


def test_a_finished_step_keeps_what_it_returned_and_how_long_it_took() -> None:
    story = planning().tell(EventKind.STEP_STARTED, "plan", "a", attempt=1)
    story.tell(EventKind.STEP_FINISHED, "plan", "a", status="SUCCEEDED", changed=True, outputs={"x": 1}, summary="s")
    step = story.state().step("plan/a")
    assert step is not None
    assert (step.status, step.changed, step.outputs, step.summary, step.tree) == (
        Status.SUCCEEDED,
        True,
        {"x": 1},
        "s",
        "t1",
    )
    assert step.to_json()["seconds"] == 1.0
    assert story.state().changed


def test_what_was_done_before_stays_done_when_a_resume_skips_it() -> None:
    story = (
        planning()
        .tell(EventKind.STEP_STARTED, "plan", "a")
        .tell(EventKind.STEP_FINISHED, "plan", "a", status="SUCCEEDED", outputs={"x": 1})
    )
    story.tell(EventKind.RUN_RESUMED, tree="t1").tell(EventKind.STEP_FINISHED, "plan", "a", status="SKIPPED")
    step = story.state().step("plan/a")
    assert step is not None
    assert (step.status, step.outputs) == (Status.SUCCEEDED, {"x": 1})


def test_children_stay_known_until_the_step_succeeds() -> None:
    story = planning().tell(EventKind.STEP_STARTED, "plan", "a").tell(EventKind.STEP_CHILD, "plan", "a", pid=7)
    story.tell(EventKind.RUN_RESUMED).tell(EventKind.STEP_STARTED, "plan", "a").tell(
        EventKind.STEP_CHILD, "plan", "a", lock="l1"
    )
    step = story.state().step("plan/a")
    assert step is not None
    assert step.children == [{"pid": 7}, {"lock": "l1"}]
    story.tell(EventKind.STEP_FINISHED, "plan", "a", status="SUCCEEDED")
    done = story.state().step("plan/a")
    assert done is not None
    assert done.children == []


def test_a_step_that_ran_when_the_process_died_is_aborted_by_the_resume() -> None:
    story = planning().tell(EventKind.STEP_STARTED, "plan", "a").tell(EventKind.RUN_RESUMED, actor="ben", pid=2)
    state = story.state()
    step = state.step("plan/a")
    assert step is not None
    assert (step.status, state.status, state.actor, state.process) == (
        Status.ABORTED,
        Status.RUNNING,
        "ben",
        {"pid": 2},
    )


def test_a_question_waits_until_the_stage_begins() -> None:
    story = started().tell(EventKind.GATE_ASKED, "apply", digest="d1", question="?", users=["anna"], quorum=2)
    waiting = story.state().question
    assert waiting is not None
    assert (waiting[0], waiting[1].digest, waiting[1].users, waiting[1].quorum) == ("apply", "d1", ("anna",), 2)
    story.tell(EventKind.GATE_ANSWERED, "apply", digest="d1", answer="approved", by="anna")
    story.tell(EventKind.STAGE_STARTED, "apply", steps=[])
    state = story.state()
    assert state.question is None
    gate = state.stages["apply"].gate
    assert gate is not None
    assert (gate.opened, [answer.by for answer in gate.answers]) == ("d1", ["anna"])


def test_asking_the_same_again_does_not_make_the_question_younger() -> None:
    story = started().tell(EventKind.GATE_ASKED, "apply", digest="d1").tell(EventKind.GATE_ASKED, "apply", digest="d1")
    gate = story.state().stages["apply"].gate
    assert gate is not None
    assert gate.asked == START + timedelta(seconds=1)
    other = story.tell(EventKind.GATE_ASKED, "apply", digest="d2").state().stages["apply"].gate
    assert other is not None
    assert other.asked == START + timedelta(seconds=3)


def test_a_parked_run_has_not_finished() -> None:
    state = started().tell(EventKind.RUN_FINISHED, status="WAITING").state()
    assert (state.status, state.finished) == (Status.WAITING, None)


def test_kinds_and_fields_of_a_newer_version_are_ignored() -> None:
    lines = [
        '{"time":"2026-09-26T10:15:00.000Z","kind":"run-started","run":"r1","detail":{"pipeline":"p","novel":[1]}}',
        '{"time":"2026-09-26T10:15:01.000Z","kind":"run-teleported","run":"r1","detail":{}}',
    ]
    recorded = parse_events("".join(f"{line}\n" for line in lines))
    assert (len(recorded.events), len(recorded.lines), recorded.damaged, recorded.torn) == (1, 2, 0, False)
    assert derive("r1", recorded.events).pipeline == "p"


def test_the_same_events_always_give_the_same_state() -> None:
    story = planning().tell(EventKind.STEP_STARTED, "plan", "a").tell(EventKind.WARNING, message="careful", hint="")
    assert story.state().to_json() == story.state().to_json()
