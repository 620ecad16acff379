"""What happened, as values. ``events.jsonl`` of a run holds them; reporters turn them into something to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class EventKind(StrEnum):
    """The kinds, each with the fields of its ``detail``. A reader ignores kinds and fields it does not know."""

    # timezone: the environment's, so that whoever shows the record can tell the time as its people do
    RUN_STARTED = "run-started"  # pipeline, environment, parameters, stages, revision, tree, actor, url, version
    RUN_RESUMED = "run-resumed"  # actor, url, pid, host
    RUN_FINISHED = "run-finished"  # status, changed, seconds, error?
    STAGE_STARTED = "stage-started"  # steps: [{name, kind, needs}]
    STAGE_FINISHED = "stage-finished"  # status, seconds
    STEP_STARTED = "step-started"  # kind, attempt
    STEP_PROGRESS = "step-progress"  # message, and what the step wishes to show: current?, total?
    STEP_LINE = "step-line"  # stream, line; goes to the step's log and to live reporters, never into events.jsonl
    STEP_CHILD = "step-child"  # pid, started, program; or lock: a Terraform lock id
    STEP_RETRYING = "step-retrying"  # attempt, seconds, error
    STEP_FINISHED = "step-finished"  # status, changed, outputs, artifacts, summary, seconds, error?
    GATE_ASKED = "gate-asked"  # digest, question, approvers, quorum, expires
    GATE_ANSWERED = "gate-answered"  # digest, answer: approved|rejected|expired|superseded, by, comment
    LEASE_ACQUIRED = "lease-acquired"  # number, took_over?: holder
    LEASE_RELEASED = "lease-released"  # number
    LEASE_LOST = "lease-lost"  # number, error
    WARNING = "warning"  # message, hint


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``stage`` and ``step`` are empty where they do not apply; ``detail`` is JSON."""

    time: datetime
    kind: EventKind
    run: str
    stage: str = ""
    step: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The form of one line of ``events.jsonl``; times in UTC, milliseconds."""
        document: dict[str, Any] = {
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "kind": str(self.kind),
            "run": self.run,
        }
        if self.stage:
            document["stage"] = self.stage
        if self.step:
            document["step"] = self.step
        return {**document, "detail": dict(self.detail)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Event:
        """Raises KeyError or ValueError when the document is no event of ours."""
        return cls(
            time=datetime.fromisoformat(document["time"]),
            kind=EventKind(document["kind"]),
            run=document["run"],
            stage=document.get("stage", ""),
            step=document.get("step", ""),
            detail=document.get("detail", {}),
        )


class Reporter(Protocol):
    """Turns events into something people or machines read. A reporter that raises is dropped with a warning."""

    def handle(self, event: Event) -> None:
        """Called from one thread at a time, in the order of the events."""
        ...

    def close(self) -> None:
        """Called once, after the last event."""
        ...
