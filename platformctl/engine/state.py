"""How a run stands, derived from its events and from nothing else. ``run.json`` is this, written down.

``derive`` is a pure fold: the same events always give the same state, so the record needs no other truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from platformctl.core.errors import Status
from platformctl.core.events import Event, EventKind

SCHEMA_VERSION = 1


@dataclass
class StepState:
    """One step over all its attempts.

    ``tree``: the digest of the working tree its last attempt ran with. ``children``: details of the processes and locks
    journaled since it last succeeded; what a resume must look after. ``error``: type, message, hint, and more by type.
    """

    name: str
    kind: str = ""
    needs: tuple[str, ...] = ()
    status: Status = Status.PENDING
    attempts: int = 0
    changed: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[Mapping[str, Any], ...] = ()
    summary: str = ""
    error: Mapping[str, Any] | None = None
    started: datetime | None = None
    finished: datetime | None = None
    tree: str = ""
    children: list[Mapping[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The step's part of ``run.json``."""
        return {
            "name": self.name,
            "kind": self.kind,
            "needs": list(self.needs),
            "status": str(self.status),
            "attempts": self.attempts,
            "changed": self.changed,
            "outputs": dict(self.outputs),
            "artifacts": [dict(artifact) for artifact in self.artifacts],
            "summary": self.summary,
            "error": dict(self.error) if self.error else None,
            **_times(self.started, self.finished),
        }


@dataclass(frozen=True)
class AnswerState:
    """One person's answer, or the gate's own end (expired, superseded)."""

    digest: str
    answer: str
    by: str = ""
    comment: str = ""


@dataclass
class GateState:
    """What a gate asked last, and the answers to every question it asked.

    ``approvers``: for people; ``users`` and ``groups`` are the same for the rules. ``opened``: the digest with which
    the stage began; empty until it did.
    """

    digest: str
    question: str
    asked: datetime
    approvers: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    quorum: int = 1
    expires: str = ""
    proposals: tuple[str, ...] = ()
    answers: list[AnswerState] = field(default_factory=list)
    opened: str = ""

    def to_json(self) -> dict[str, Any]:
        """The gate's part of ``run.json``."""
        return {
            "digest": self.digest,
            "question": self.question,
            "asked": _stamp(self.asked),
            "approvers": list(self.approvers),
            "quorum": self.quorum,
            "expires": self.expires,
            "proposals": list(self.proposals),
            "answers": [
                {"digest": answer.digest, "answer": answer.answer, "by": answer.by, "comment": answer.comment}
                for answer in self.answers
            ],
        }


@dataclass
class StageState:
    """One stage; ``steps`` is empty until it was expanded."""

    name: str
    status: Status = Status.PENDING
    steps: dict[str, StepState] = field(default_factory=dict)
    gate: GateState | None = None
    started: datetime | None = None
    finished: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The stage's part of ``run.json``."""
        return {
            "name": self.name,
            "status": str(self.status),
            "gate": self.gate.to_json() if self.gate else None,
            **_times(self.started, self.finished),
            "steps": [step.to_json() for step in self.steps.values()],
        }


@dataclass
class RunState:
    """A whole run. ``process``: pid, started, host, boot of the process that drove it last."""

    id: str
    pipeline: str = ""
    environment: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.PENDING
    dry_run: bool = False
    actor: str = ""
    url: str = ""
    revision: str = ""
    tree: str = ""
    version: str = ""
    process: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    finished: datetime | None = None
    error: Mapping[str, Any] | None = None
    stages: dict[str, StageState] = field(default_factory=dict)
    warnings: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether any step changed something."""
        return any(step.changed for step in self.steps())

    @property
    def question(self) -> tuple[str, GateState] | None:
        """The stage and the gate that waits for an answer; None when none does."""
        waiting = [(stage.name, stage.gate) for stage in self.stages.values() if stage.status is Status.WAITING]
        return next(((name, gate) for name, gate in waiting if gate is not None), None)

    def steps(self) -> Iterable[StepState]:
        """Every step of every stage."""
        return (step for stage in self.stages.values() for step in stage.steps.values())

    def step(self, name: str) -> StepState | None:
        """The step of that name, None when no stage has one."""
        return next((stage.steps[name] for stage in self.stages.values() if name in stage.steps), None)

    def apply(self, event: Event) -> None:
        """Takes one more event into account. Kinds that change nothing here are ignored."""
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, event)

    def to_json(self) -> dict[str, Any]:
        """The form of ``run.json``, which docs/concepts/record.md describes."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "id": self.id,
            "pipeline": self.pipeline,
            "environment": self.environment,
            "parameters": dict(self.parameters),
            "status": str(self.status),
            "changed": self.changed,
            "dryRun": self.dry_run,
            "actor": self.actor,
            "url": self.url,
            "revision": self.revision,
            "tree": self.tree,
            "version": self.version,
            "process": dict(self.process),
            **_times(self.started, self.finished),
            "error": dict(self.error) if self.error else None,
            "stages": [stage.to_json() for stage in self.stages.values()],
            "warnings": [dict(warning) for warning in self.warnings],
        }


def derive(run: str, events: Iterable[Event]) -> RunState:
    """The state that these events, oldest first, add up to."""
    state = RunState(run)
    for event in events:
        state.apply(event)
    return state


def _run_started(state: RunState, event: Event) -> None:
    detail = event.detail
    state.pipeline = detail.get("pipeline", "")
    state.environment = detail.get("environment", "")
    state.parameters = detail.get("parameters", {})
    state.dry_run = bool(detail.get("dry_run", False))
    state.revision = detail.get("revision", "")
    state.version = detail.get("version", "")
    state.started = event.time
    _driven(state, event)


def _run_resumed(state: RunState, event: Event) -> None:
    state.finished, state.error = None, None
    for step in state.steps():
        if step.status is Status.RUNNING:
            step.status = Status.ABORTED
    _driven(state, event)


def _driven(state: RunState, event: Event) -> None:
    """A process took the run over."""
    detail = event.detail
    names = [*detail.get("stages", ()), *state.stages]  # of a changed pipeline, what was done stays visible
    state.stages = {name: state.stages.get(name) or StageState(name) for name in dict.fromkeys(names)}
    state.status = Status.RUNNING
    state.actor = detail.get("actor", state.actor)
    state.url = detail.get("url", "") or state.url
    state.tree = detail.get("tree", state.tree)
    state.process = {key: detail[key] for key in ("pid", "started", "host", "boot") if key in detail}


def _run_finished(state: RunState, event: Event) -> None:
    state.status = _status(event)
    state.error = event.detail.get("error")
    state.finished = event.time if state.status.final else None


def _stage_started(state: RunState, event: Event) -> None:
    stage = _stage(state, event)
    stage.status, stage.started, stage.finished = Status.RUNNING, event.time, None
    if stage.gate is not None:
        stage.gate.opened = stage.gate.digest
    steps = {}
    for planned in event.detail.get("steps", ()):
        name = planned["name"]
        step = stage.steps.get(name) or StepState(name)
        step.kind, step.needs = planned.get("kind", ""), tuple(planned.get("needs", ()))
        steps[name] = step
    stage.steps = steps


def _stage_finished(state: RunState, event: Event) -> None:
    stage = _stage(state, event)
    stage.status, stage.finished = _status(event), event.time


def _step_started(state: RunState, event: Event) -> None:
    step = _step(state, event)
    step.status, step.attempts, step.tree = Status.RUNNING, step.attempts + 1, state.tree
    step.kind = event.detail.get("kind", step.kind)
    step.error, step.finished = None, None
    if event.detail.get("attempt", 1) == 1:
        step.started = event.time


def _step_child(state: RunState, event: Event) -> None:
    _step(state, event).children.append(event.detail)


def _step_finished(state: RunState, event: Event) -> None:
    step, detail = _step(state, event), event.detail
    status = _status(event)
    if status is Status.SKIPPED and step.status is Status.SUCCEEDED:
        return  # done before and not done again: what it did then is what stands
    step.status, step.finished = status, event.time
    step.changed = bool(detail.get("changed", False))
    step.outputs = detail.get("outputs", {})
    step.artifacts = tuple(detail.get("artifacts", ()))
    step.summary = detail.get("summary", "")
    step.error = detail.get("error")
    if status is Status.SUCCEEDED:
        step.children = []


def _gate_asked(state: RunState, event: Event) -> None:
    stage, detail = _stage(state, event), event.detail
    before, digest = stage.gate, detail.get("digest", "")
    stage.status = Status.WAITING
    stage.gate = GateState(
        digest=digest,
        question=detail.get("question", ""),
        # Asking again does not make an old proposal any younger.
        asked=before.asked if before is not None and before.digest == digest else event.time,
        approvers=tuple(detail.get("approvers", ())),
        users=tuple(detail.get("users", ())),
        groups=tuple(detail.get("groups", ())),
        quorum=detail.get("quorum", 1),
        expires=detail.get("expires", ""),
        proposals=tuple(detail.get("proposals", ())),
        answers=before.answers if before is not None else [],
        opened=before.opened if before is not None else "",
    )


def _gate_answered(state: RunState, event: Event) -> None:
    gate, detail = _stage(state, event).gate, event.detail
    if gate is not None:
        gate.answers.append(
            AnswerState(
                detail.get("digest", ""), detail.get("answer", ""), detail.get("by", ""), detail.get("comment", "")
            )
        )


def _warning(state: RunState, event: Event) -> None:
    state.warnings.append({"stage": event.stage, "step": event.step, **event.detail})


_HANDLERS: Mapping[EventKind, Callable[[RunState, Event], None]] = {
    EventKind.RUN_STARTED: _run_started,
    EventKind.RUN_RESUMED: _run_resumed,
    EventKind.RUN_FINISHED: _run_finished,
    EventKind.STAGE_STARTED: _stage_started,
    EventKind.STAGE_FINISHED: _stage_finished,
    EventKind.STEP_STARTED: _step_started,
    EventKind.STEP_CHILD: _step_child,
    EventKind.STEP_FINISHED: _step_finished,
    EventKind.GATE_ASKED: _gate_asked,
    EventKind.GATE_ANSWERED: _gate_answered,
    EventKind.WARNING: _warning,
}


def _stage(state: RunState, event: Event) -> StageState:
    return state.stages.setdefault(event.stage, StageState(event.stage))


def _step(state: RunState, event: Event) -> StepState:
    return _stage(state, event).steps.setdefault(event.step, StepState(event.step))


def _status(event: Event) -> Status:
    return Status(event.detail.get("status", Status.SUCCEEDED))


def _stamp(time: datetime | None) -> str | None:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def _times(started: datetime | None, finished: datetime | None) -> dict[str, Any]:
    seconds = (finished - started).total_seconds() if started and finished else None
    return {"started": _stamp(started), "finished": _stamp(finished), "seconds": seconds}
