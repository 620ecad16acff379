"""Which events are worth a line, and what the line says. The words are shared by the live and the plain console.

The words are an interface: people grep for ``step plan/network FAILED``. A test holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from platformctl.core.errors import Status
from platformctl.core.events import Event, EventKind
from platformctl.reporters.view import Failure, RunView, names
from platformctl.reporters.wording import count, duration, one_line


@dataclass(frozen=True)
class Line:
    """``run|stage|step|gate|warning`` and its name, how it stands, and the rest of the sentence.

    ``details`` are printed below it: the last lines of a program, further problems. ``hint``: what to do next.
    """

    noun: str
    name: str
    state: str
    text: str = ""
    details: tuple[str, ...] = ()
    hint: str = ""

    def __str__(self) -> str:
        head = " ".join(part for part in (self.noun, self.name, self.state) if part)
        return f"{head}: {self.text}" if self.text else head


def narrate(event: Event, before: RunView) -> Line | None:
    """The line for the event, None when it is not worth one. ``before``: the run without this event."""
    teller = _TELLERS.get(event.kind)
    return teller(event, before) if teller is not None else None


def _run_started(event: Event, _before: RunView) -> Line:
    detail = event.detail
    text = f"{one_line(detail.get('pipeline', ''))} for {one_line(detail.get('environment', ''))}"
    if detail.get("actor"):
        text += f" by {one_line(detail['actor'])}"
    if detail.get("revision"):
        text += f" at {one_line(detail['revision'])[:12]}"
    return Line("run", event.run, Status.RUNNING, text)


def _run_resumed(event: Event, _before: RunView) -> Line:
    actor = one_line(event.detail.get("actor") or "")
    return Line("run", event.run, "RESUMED", f"by {actor}" if actor else "")


def _run_finished(event: Event, _before: RunView) -> Line:
    return Line("run", event.run, str(event.detail.get("status", "")), _took(event))


def _stage_started(event: Event, _before: RunView) -> Line:
    steps = event.detail.get("steps") or ()
    return Line("stage", one_line(event.stage), Status.RUNNING, count(len(steps), "step"))


def _stage_finished(event: Event, _before: RunView) -> Line:
    return Line("stage", one_line(event.stage), str(event.detail.get("status", "")), _took(event))


def _step_started(event: Event, _before: RunView) -> Line:
    attempt = event.detail.get("attempt") or 1
    return Line("step", one_line(event.step), Status.RUNNING, f"attempt {attempt}" if attempt != 1 else "")


def _step_progress(event: Event, before: RunView) -> Line | None:
    # Counting up is for a live display; a log wants each thing once.
    message = one_line(event.detail.get("message", ""))
    if not message or one_line(before.activity(event.step).progress).startswith(message):
        return None
    return Line("step", one_line(event.step), Status.RUNNING, message)


def _step_retrying(event: Event, _before: RunView) -> Line:
    failure = Failure.from_json(event.detail.get("error")) or Failure("", "failed")
    seconds = event.detail.get("seconds")
    wait = f"again in {duration(float(seconds))}" if isinstance(seconds, int | float) else "again"
    return Line("step", one_line(event.step), "RETRYING", f"{wait} after {one_line(failure.message)}")


def _step_finished(event: Event, _before: RunView) -> Line:
    failure = Failure.from_json(event.detail.get("error"))
    parts = [_took(event), one_line(event.detail.get("summary") or "")]
    if failure is None:
        return Line("step", one_line(event.step), str(event.detail.get("status", "")), _sentence(parts))
    details = tuple(one_line(line) for line in failure.details)
    text = _sentence([parts[0], one_line(failure.message)])
    return Line(
        "step", one_line(event.step), str(event.detail.get("status", "")), text, details, one_line(failure.hint)
    )


def _gate_asked(event: Event, _before: RunView) -> Line:
    text = _sentence([one_line(event.detail.get("question", "")), one_line(event.detail.get("digest", ""))])
    return Line("gate", one_line(event.stage), Status.WAITING, text)


def _gate_answered(event: Event, _before: RunView) -> Line:
    by = one_line(event.detail.get("by") or "")
    parts = [f"by {by}" if by else "", one_line(event.detail.get("comment") or "")]
    return Line("gate", one_line(event.stage), one_line(event.detail.get("answer", "")).upper(), _sentence(parts))


def _lease_acquired(event: Event, before: RunView) -> Line | None:
    holder = event.detail.get("took_over")
    if not holder:
        return None
    return Line("lease", one_line(before.state.environment), "TAKEN OVER", f"from {one_line(names(holder))}")


def _lease_lost(event: Event, before: RunView) -> Line:
    failure = Failure.from_json(event.detail.get("error")) or Failure("", "another run took it over")
    return Line(
        "lease", one_line(before.state.environment), "LOST", one_line(failure.message), hint=one_line(failure.hint)
    )


def _warning(event: Event, _before: RunView) -> Line:
    where = one_line(event.step or event.stage)
    message, hint = one_line(event.detail.get("message", "")), one_line(event.detail.get("hint") or "")
    return Line("warning", where, "", message, hint=hint)


def _took(event: Event) -> str:
    seconds = event.detail.get("seconds")
    words = [f"in {duration(float(seconds))}"] if isinstance(seconds, int | float) else []
    if event.detail.get("changed"):
        words.append("changed")
    return ", ".join(words)


def _sentence(parts: list[str]) -> str:
    return "; ".join(part for part in parts if part)


_TELLERS: dict[EventKind, Callable[[Event, RunView], Line | None]] = {
    EventKind.RUN_STARTED: _run_started,
    EventKind.RUN_RESUMED: _run_resumed,
    EventKind.RUN_FINISHED: _run_finished,
    EventKind.STAGE_STARTED: _stage_started,
    EventKind.STAGE_FINISHED: _stage_finished,
    EventKind.STEP_STARTED: _step_started,
    EventKind.STEP_PROGRESS: _step_progress,
    EventKind.STEP_RETRYING: _step_retrying,
    EventKind.STEP_FINISHED: _step_finished,
    EventKind.GATE_ASKED: _gate_asked,
    EventKind.GATE_ANSWERED: _gate_answered,
    EventKind.LEASE_ACQUIRED: _lease_acquired,
    EventKind.LEASE_LOST: _lease_lost,
    EventKind.WARNING: _warning,
}
