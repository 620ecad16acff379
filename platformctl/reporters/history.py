"""What a run's events add up to: stages, steps, attempts, gates, warnings. The fold that every reporter reads.

Tolerant on purpose: a reader ignores kinds and fields it does not know, a run may have died in the middle of a line,
and it may have been resumed. Nothing here renders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from platformctl.core.errors import PreconditionError, Status
from platformctl.core.events import Event, EventKind


@dataclass
class Span:
    """From when to when something ran; ``end`` is None while it does."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Failure:
    """An error as it was recorded. ``details``: further problems of a file, or the last lines a program printed."""

    type: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Any) -> Failure | None:
        """The error of an event's detail: an object with type, message, hint and problems or tail, or just a text."""
        if not document:
            return None
        if not isinstance(document, Mapping):
            return cls("", str(document))
        problems = [_problem(problem) for problem in _list(document.get("problems"))]
        tail = [str(line) for line in _list(document.get("tail"))]
        return cls(
            type=str(document.get("type", "")),
            message=str(document.get("message", "")),
            hint=str(document.get("hint") or ""),
            details=tuple(problems + tail),
        )


@dataclass
class StepHistory:
    """One step: how it stands and what it told."""

    name: str
    stage: str
    kind: str = ""
    needs: tuple[str, ...] = ()
    status: Status = Status.PENDING
    attempt: int = 0
    spans: list[Span] = field(default_factory=list)
    changed: bool = False
    summary: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[tuple[str, str], ...] = ()
    """Name and kind of each."""
    error: Failure | None = None
    seconds: float | None = None
    progress: str = ""
    last_line: str = ""
    retries: list[str] = field(default_factory=list)
    retry_at: datetime | None = None

    @property
    def title(self) -> str:
        """The name without the stage in front: ``network`` of ``plan/network``."""
        return self.name.removeprefix(f"{self.stage}/") or self.name


@dataclass
class StageHistory:
    """One stage and its steps, in the order the engine told them."""

    name: str
    status: Status = Status.PENDING
    spans: list[Span] = field(default_factory=list)
    steps: dict[str, StepHistory] = field(default_factory=dict)
    seconds: float | None = None


@dataclass
class GateHistory:
    """A question, and every answer that was given to it."""

    stage: str
    asked: datetime
    digest: str = ""
    question: str = ""
    approvers: str = ""
    quorum: int = 1
    expires: str = ""
    answers: list[tuple[datetime, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``waiting``, or the last answer: approved, rejected, expired, superseded."""
        return str(self.answers[-1][1].get("answer", "answered")) if self.answers else "waiting"


@dataclass(frozen=True)
class Notice:
    """Something that people should know: a warning, a lease taken over or lost, a resume."""

    time: datetime
    text: str
    hint: str = ""
    where: str = ""


class RunHistory:
    """The fold. Feed it events in their order with ``apply``, then read its attributes."""

    def __init__(self) -> None:
        self.id = ""
        self.pipeline = ""
        self.environment = ""
        self.facts: Mapping[str, Any] = {}
        """The detail of RUN_STARTED: parameters, revision, tree, actor, url, version, timezone."""
        self.status = Status.PENDING
        self.started: datetime | None = None
        self.latest: datetime | None = None
        self.finished: datetime | None = None
        self.changed = False
        self.error: Failure | None = None
        self.stages: dict[str, StageHistory] = {}
        self.gates: list[GateHistory] = []
        self.warnings: list[Notice] = []
        self.notices: list[Notice] = []

    @property
    def steps(self) -> Iterator[StepHistory]:
        """Every step of every stage."""
        for stage in self.stages.values():
            yield from stage.steps.values()

    @property
    def waiting(self) -> GateHistory | None:
        """The gate that nobody has answered yet."""
        return next((gate for gate in reversed(self.gates) if not gate.answers), None)

    def apply(self, event: Event) -> None:
        """Takes the next event."""
        self.id = self.id or event.run
        self.latest = event.time
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, event)

    def stage(self, name: str) -> StageHistory:
        """The stage of that name; made at its first mention."""
        return self.stages.setdefault(name, StageHistory(name))

    def step(self, event: Event) -> StepHistory:
        """The step that the event is about; made at its first mention."""
        steps = self.stage(event.stage).steps
        return steps.setdefault(event.step, StepHistory(event.step, event.stage))


def _run_started(run: RunHistory, event: Event) -> None:
    run.facts = event.detail
    run.pipeline = str(event.detail.get("pipeline", ""))
    run.environment = str(event.detail.get("environment", ""))
    run.started = event.time
    run.status = Status.RUNNING
    for stage in _list(event.detail.get("stages")):
        run.stage(str(stage.get("name", "")) if isinstance(stage, Mapping) else str(stage))


def _run_resumed(run: RunHistory, event: Event) -> None:
    actor = event.detail.get("actor")
    run.notices.append(Notice(event.time, f"resumed by {actor}" if actor else "resumed"))
    run.status, run.finished, run.error = Status.RUNNING, None, None
    unfinished: list[StageHistory | StepHistory] = [*run.stages.values(), *run.steps]
    for interrupted in unfinished:
        if not interrupted.status.final:
            # Whoever ran it is gone; how long it lived is not known, only that it was not longer than this.
            _end(interrupted.spans, event.time)
            interrupted.status = Status.PENDING


def _run_finished(run: RunHistory, event: Event) -> None:
    run.status = _status(event.detail.get("status"), Status.SUCCEEDED)
    run.changed = bool(event.detail.get("changed"))
    run.error = Failure.from_json(event.detail.get("error"))
    run.finished = event.time


def _stage_started(run: RunHistory, event: Event) -> None:
    stage = run.stage(event.stage)
    stage.status = Status.RUNNING
    stage.spans.append(Span(event.time))
    for planned in _list(event.detail.get("steps")):
        if isinstance(planned, Mapping) and planned.get("name"):
            name = str(planned["name"])
            step = stage.steps.setdefault(name, StepHistory(name, event.stage))
            step.kind = str(planned.get("kind", step.kind))
            step.needs = tuple(str(need) for need in _list(planned.get("needs")))


def _stage_finished(run: RunHistory, event: Event) -> None:
    stage = run.stage(event.stage)
    stage.status = _status(event.detail.get("status"), Status.SUCCEEDED)
    stage.seconds = _number(event.detail.get("seconds"))
    _end(stage.spans, event.time)


def _step_started(run: RunHistory, event: Event) -> None:
    step = run.step(event)
    step.kind = str(event.detail.get("kind", step.kind))
    step.attempt = int(_number(event.detail.get("attempt")) or step.attempt + 1)
    step.status, step.error, step.progress, step.last_line, step.retry_at = Status.RUNNING, None, "", "", None
    _end(step.spans, event.time)
    step.spans.append(Span(event.time))


def _step_progress(run: RunHistory, event: Event) -> None:
    current, total = event.detail.get("current"), event.detail.get("total")
    text = str(event.detail.get("message", ""))
    run.step(event).progress = f"{text} {current}/{total}".strip() if total else text


def _step_line(run: RunHistory, event: Event) -> None:
    run.step(event).last_line = str(event.detail.get("line", ""))


def _step_retrying(run: RunHistory, event: Event) -> None:
    step = run.step(event)
    failure = Failure.from_json(event.detail.get("error"))
    step.retries.append(failure.message if failure else "")
    step.progress = step.retries[-1]
    step.retry_at = event.time
    _end(step.spans, event.time)


def _step_finished(run: RunHistory, event: Event) -> None:
    step, detail = run.step(event), event.detail
    step.status = _status(detail.get("status"), Status.SUCCEEDED)
    step.changed = bool(detail.get("changed"))
    step.summary = str(detail.get("summary") or "")
    step.error = Failure.from_json(detail.get("error"))
    step.seconds = _number(detail.get("seconds"))
    outputs = detail.get("outputs")
    step.outputs = outputs if isinstance(outputs, Mapping) else {}
    step.artifacts = tuple(_artifact(item) for item in _list(detail.get("artifacts")))
    step.retry_at = None
    _end(step.spans, event.time)


def _gate_asked(run: RunHistory, event: Event) -> None:
    detail, approvers = event.detail, event.detail.get("approvers")
    open_gate = run.waiting
    if open_gate and (open_gate.stage, open_gate.digest) == (event.stage, detail.get("digest")):
        return  # a resume asks the same question again
    run.gates.append(
        GateHistory(
            event.stage,
            event.time,
            digest=str(detail.get("digest", "")),
            question=str(detail.get("question", "")),
            approvers=names(approvers),
            quorum=int(_number(detail.get("quorum")) or 1),
            expires=str(detail.get("expires") or ""),
        )
    )


def _gate_answered(run: RunHistory, event: Event) -> None:
    digest = event.detail.get("digest")
    for gate in reversed(run.gates):
        if gate.digest == digest and (not event.stage or gate.stage == event.stage):
            gate.answers.append((event.time, event.detail))
            return


def _lease_acquired(run: RunHistory, event: Event) -> None:
    holder = event.detail.get("took_over")
    if holder:
        text = f"took over the lease of {names(holder)}"
        run.notices.append(Notice(event.time, text, where=event.stage))


def _lease_lost(run: RunHistory, event: Event) -> None:
    failure = Failure.from_json(event.detail.get("error")) or Failure("", "another run took it over")
    run.warnings.append(Notice(event.time, f"the lease was lost: {failure.message}", failure.hint, event.stage))


def _warning(run: RunHistory, event: Event) -> None:
    message, hint = str(event.detail.get("message", "")), str(event.detail.get("hint") or "")
    run.warnings.append(Notice(event.time, message, hint, event.step or event.stage))


_HANDLERS: dict[EventKind, Callable[[RunHistory, Event], None]] = {
    EventKind.RUN_STARTED: _run_started,
    EventKind.RUN_RESUMED: _run_resumed,
    EventKind.RUN_FINISHED: _run_finished,
    EventKind.STAGE_STARTED: _stage_started,
    EventKind.STAGE_FINISHED: _stage_finished,
    EventKind.STEP_STARTED: _step_started,
    EventKind.STEP_PROGRESS: _step_progress,
    EventKind.STEP_LINE: _step_line,
    EventKind.STEP_RETRYING: _step_retrying,
    EventKind.STEP_FINISHED: _step_finished,
    EventKind.GATE_ASKED: _gate_asked,
    EventKind.GATE_ANSWERED: _gate_answered,
    EventKind.LEASE_ACQUIRED: _lease_acquired,
    EventKind.LEASE_LOST: _lease_lost,
    EventKind.WARNING: _warning,
}


def read(run_directory: Path) -> RunHistory:
    """The history of a recorded run. Raises PreconditionError when the directory holds none."""
    history = RunHistory()
    for event in events(run_directory):
        history.apply(event)
    if history.started is None:
        raise PreconditionError(f"{run_directory} holds no record of a run", hint="platformctl runs list")
    return history


def events(run_directory: Path) -> Iterator[Event]:
    """The events of ``events.jsonl``; what is no event of ours, such as a line cut off by a crash, is left out."""
    path = run_directory / "events.jsonl"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                yield Event.from_json(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue


def _end(spans: Sequence[Span], time: datetime) -> None:
    if spans and spans[-1].end is None:
        spans[-1].end = time


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _status(value: Any, otherwise: Status) -> Status:
    return Status(value) if value in Status.__members__ else otherwise


def _artifact(item: Any) -> tuple[str, str]:
    if isinstance(item, Mapping):
        return str(item.get("name", "")), str(item.get("kind", "file"))
    return str(item), "file"


def _problem(problem: Any) -> str:
    if not isinstance(problem, Mapping):
        return str(problem)
    line = f":{problem['line']}" if problem.get("line") else ""
    return f"{problem.get('file', '')}{line}: {problem.get('message', '')}"


def names(value: Any) -> str:
    """Approvers, a lease's holder: a name, a list of names, or an object whose values hold such."""
    if isinstance(value, Mapping):
        return ", ".join(text for text in (names(item) for item in value.values()) if text)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value or "")
