"""What reporters know of a run: the engine's state, and beyond it what only people look at.

The engine's ``RunState`` is the one fold that says how things stand. Here comes what it has no use for: when each
attempt ran, what a step says it is doing, when a gate was answered. Nothing here renders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from platformctl.core.errors import PreconditionError
from platformctl.core.events import Event, EventKind
from platformctl.engine.record import RunDirectory
from platformctl.engine.state import RunState, StageState, StepState


@dataclass
class Span:
    """From when to when something ran; ``end`` is None while it does."""

    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Failure:
    """An error as it was recorded. ``details``: every problem of a file, or the last lines a program printed."""

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
class Activity:
    """What one step did and said. ``retries``: why each failed attempt failed; ``retry_at``: since when it waits for
    the next one."""

    spans: list[Span] = field(default_factory=list)
    attempt: int = 0
    progress: str = ""
    last_line: str = ""
    retries: list[str] = field(default_factory=list)
    retry_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """How long it worked, waits between attempts left out; None when it never did."""
        done = [(span.end - span.start).total_seconds() for span in self.spans if span.end]
        return sum(done) if done else None


@dataclass
class GateView:
    """A question, and every answer that was given to it."""

    stage: str
    asked: datetime
    digest: str = ""
    question: str = ""
    approvers: str = ""
    quorum: int = 1
    expires: str = ""
    proposals: tuple[str, ...] = ()
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


class RunView:
    """Feed it events in their order with ``apply``, then read it."""

    def __init__(self) -> None:
        self.state = RunState("")
        self.facts: Mapping[str, Any] = {}
        """The detail of RUN_STARTED, ``timezone`` among it."""
        self.latest: datetime | None = None
        self.activities: dict[str, Activity] = {}
        self.gates: list[GateView] = []
        self.warnings: list[Notice] = []
        self.notices: list[Notice] = []

    @property
    def stages(self) -> Sequence[StageState]:
        """The stages in the pipeline's order."""
        return tuple(self.state.stages.values())

    def activity(self, step: StepState | str) -> Activity:
        """What the step did and said; empty when it has not begun."""
        name = step if isinstance(step, str) else step.name
        return self.activities.setdefault(name, Activity())

    def apply(self, event: Event) -> None:
        """Takes the next event."""
        self.state.id = self.state.id or event.run
        self.state.apply(event)
        self.latest = event.time
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, event)


def title(stage: StageState | str, step: StepState | str) -> str:
    """A step's name without its stage in front: ``network`` of ``plan/network``."""
    stage_name = stage if isinstance(stage, str) else stage.name
    name = step if isinstance(step, str) else step.name
    return name.removeprefix(f"{stage_name}/") or name


def read(run_directory: Path) -> RunView:
    """A recorded run. Raises PreconditionError when the directory holds none."""
    directory = RunDirectory(run_directory)
    view = RunView()
    for event in directory.read().events if directory.exists else ():
        view.apply(event)
    if view.state.started is None:
        raise PreconditionError(f"{run_directory} holds no record of a run", hint="platformctl runs list")
    return view


def names(value: Any) -> str:
    """A lease's holder, the approvers: a name, a list of names, or an object whose values hold such."""
    if isinstance(value, Mapping):
        return ", ".join(text for text in (names(item) for item in value.values()) if text)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value or "")


def _run_started(run: RunView, event: Event) -> None:
    run.facts = event.detail


def _run_resumed(run: RunView, event: Event) -> None:
    actor = event.detail.get("actor")
    run.notices.append(Notice(event.time, f"resumed by {actor}" if actor else "resumed"))
    for activity in run.activities.values():
        # Whoever ran it is gone; how long it lived is not known, only that it was not longer than this.
        _end(activity, event.time)


def _step_started(run: RunView, event: Event) -> None:
    activity = run.activity(event.step)
    activity.attempt = int(event.detail.get("attempt") or activity.attempt + 1)
    activity.progress, activity.last_line, activity.retry_at = "", "", None
    _end(activity, event.time)
    activity.spans.append(Span(event.time))


def _step_progress(run: RunView, event: Event) -> None:
    current, total = event.detail.get("current"), event.detail.get("total")
    text = str(event.detail.get("message", ""))
    run.activity(event.step).progress = f"{text} {current}/{total}".strip() if total else text


def _step_line(run: RunView, event: Event) -> None:
    line = str(event.detail.get("line", ""))
    if line.strip():
        run.activity(event.step).last_line = line


def _step_retrying(run: RunView, event: Event) -> None:
    activity = run.activity(event.step)
    failure = Failure.from_json(event.detail.get("error"))
    activity.retries.append(failure.message if failure else "")
    activity.retry_at = event.time
    _end(activity, event.time)


def _step_finished(run: RunView, event: Event) -> None:
    _end(run.activity(event.step), event.time)


def _gate_asked(run: RunView, event: Event) -> None:
    detail = event.detail
    asked = GateView(
        event.stage,
        event.time,
        digest=str(detail.get("digest", "")),
        question=str(detail.get("question", "")),
        approvers=names(detail.get("approvers")),
        quorum=int(detail.get("quorum") or 1),
        expires=str(detail.get("expires") or ""),
        proposals=tuple(str(proposal) for proposal in _list(detail.get("proposals"))),
    )
    previous = run.gates[-1] if run.gates else None
    # A resume asks the same question again.
    if not (previous and not previous.answers and (previous.stage, previous.digest) == (asked.stage, asked.digest)):
        run.gates.append(asked)


def _gate_answered(run: RunView, event: Event) -> None:
    digest = event.detail.get("digest")
    for gate in reversed(run.gates):
        if gate.digest == digest and (not event.stage or gate.stage == event.stage):
            gate.answers.append((event.time, event.detail))
            return


def _lease_acquired(run: RunView, event: Event) -> None:
    holder = event.detail.get("took_over")
    if holder:
        run.notices.append(Notice(event.time, f"took over the lease of {names(holder)}", where=event.stage))


def _lease_lost(run: RunView, event: Event) -> None:
    failure = Failure.from_json(event.detail.get("error")) or Failure("", "another run took it over")
    run.warnings.append(Notice(event.time, f"the lease was lost: {failure.message}", failure.hint, event.stage))


def _warning(run: RunView, event: Event) -> None:
    message, hint = str(event.detail.get("message", "")), str(event.detail.get("hint") or "")
    run.warnings.append(Notice(event.time, message, hint, event.step or event.stage))


_HANDLERS: Mapping[EventKind, Callable[[RunView, Event], None]] = {
    EventKind.RUN_STARTED: _run_started,
    EventKind.RUN_RESUMED: _run_resumed,
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


def _end(activity: Activity, time: datetime) -> None:
    if activity.spans and activity.spans[-1].end is None:
        activity.spans[-1].end = time


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _problem(problem: Any) -> str:
    if not isinstance(problem, Mapping):
        return str(problem)
    line = f":{problem['line']}" if problem.get("line") else ""
    return f"{problem.get('file', '')}{line}: {problem.get('message', '')}"
