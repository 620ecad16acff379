"""Writes down what happens: every event, redacted, goes to the record first and to the reporters then.

One lock, so that reporters see one event at a time and in the record's order.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from platformctl.core.clock import Clock
from platformctl.core.command import Stream
from platformctl.core.errors import CommandFailed, CommandTimedOut, PlatformError
from platformctl.core.events import Event, EventKind, Reporter
from platformctl.core.secret import Redactor
from platformctl.engine.disk import disk_errors
from platformctl.engine.record import Recorded, RunDirectory
from platformctl.engine.state import RunState, derive

_LOSABLE = frozenset({EventKind.STEP_PROGRESS, EventKind.WARNING})
"""What need not survive a power cut; all else is where a resume starts from."""

_STATE_INTERVAL = 1.0
"""Seconds: within a stage ``run.json`` follows the events no closer than this; with 500 steps it is a large file."""

_BORDERS = frozenset(
    {
        EventKind.RUN_STARTED,
        EventKind.RUN_RESUMED,
        EventKind.RUN_FINISHED,
        EventKind.STAGE_STARTED,
        EventKind.STAGE_FINISHED,
        EventKind.GATE_ASKED,
        EventKind.GATE_ANSWERED,
    }
)


def redact_error(error: BaseException, redactor: Redactor) -> None:
    """Takes known secrets out of what an error will tell people outside of the record: message, hint, last lines."""
    if isinstance(error, PlatformError):
        error.message, error.hint = redactor.redact(error.message), redactor.redact(error.hint)
        error.args = (error.message,)
    if isinstance(error, CommandFailed | CommandTimedOut):
        error.tail = tuple(redactor.redact(line) for line in error.tail)


class Journal:
    """One process's pen for one run. Safe for concurrent use.

    ``emit`` never raises: when the record can't be written any more, ``on_broken`` hears the cause once (the run stops
    its children) and later events reach the reporters only.
    """

    def __init__(
        self,
        directory: RunDirectory,
        *,
        redactor: Redactor,
        clock: Clock,
        reporters: Iterable[Reporter],
        on_broken: Callable[[PlatformError], None],
    ) -> None:
        self.state = RunState(directory.id)
        self.lines: list[str] = []
        self.broken: PlatformError | None = None
        self._directory, self._redactor, self._clock = directory, redactor, clock
        self._reporters = list(reporters)
        self._on_broken = on_broken
        self._logs: dict[str, TextIO] = {}
        self._state_written = float("-inf")
        self._lock = threading.RLock()

    def restore(self, recorded: Recorded) -> None:
        """Starts from what was recorded before; says so when a crash has left its marks."""
        self.state = derive(self._directory.id, recorded.events)
        self.lines = list(recorded.lines)
        if recorded.torn:
            self.warn("the last line of events.jsonl was torn by a crash; it was dropped")
        if recorded.damaged:
            self.warn(f"{recorded.damaged} lines of events.jsonl can't be read; they were left out")

    def emit(self, kind: EventKind, *, stage: str = "", step: str = "", detail: Mapping[str, Any]) -> None:
        """Records one event and tells the reporters."""
        with self._lock:
            event = Event(self._clock.now(), kind, self._directory.id, stage, step, self._redacted(detail))
            self._record(event)
            self._report(event)

    def warn(self, message: str, hint: str = "", *, stage: str = "", step: str = "") -> None:
        """Records something that people should know but that stops nothing."""
        self.emit(EventKind.WARNING, stage=stage, step=step, detail={"message": message, "hint": hint})

    def tell(self, message: str) -> None:
        """Warns the reporters of something before the run's record is open."""
        with self._lock:
            self._report(Event(self._clock.now(), EventKind.WARNING, self._directory.id, detail={"message": message}))

    def line(self, stage: str, step: str, stream: Stream, text: str) -> None:
        """One line that a step's program printed, redacted by the runner: to the step's log and to the reporters."""
        with self._lock:
            self._log(step, text)
            detail = {"stream": str(stream), "line": text}
            self._report(Event(self._clock.now(), EventKind.STEP_LINE, self._directory.id, stage, step, detail))

    def end_log(self, step: str) -> None:
        """Closes the step's log."""
        with self._lock:
            log = self._logs.pop(step, None)
            if log is not None:
                with contextlib.suppress(OSError):
                    log.close()

    def close(self) -> None:
        """Closes what is open, reporters too."""
        with self._lock:
            for step in list(self._logs):
                self.end_log(step)
            for reporter in self._reporters:
                self._tell(reporter, reporter.close)

    def _record(self, event: Event) -> None:
        self.state.apply(event)
        line = json.dumps(event.to_json(), ensure_ascii=False, separators=(",", ":"))
        if self.broken is not None:
            return
        try:
            self._directory.append(line, durable=event.kind not in _LOSABLE)
            self.lines.append(line)
            due = self._clock.monotonic() - self._state_written >= _STATE_INTERVAL
            if event.kind in _BORDERS or (event.kind is EventKind.STEP_FINISHED and due):
                self._state_written = self._clock.monotonic()
                self._directory.write_state(self.state)
        except PlatformError as error:
            self._break(error)

    def _log(self, step: str, text: str) -> None:
        if self.broken is not None:
            return
        path = self._directory.log_path(step)
        try:
            with disk_errors(path):
                if step not in self._logs:
                    self._logs[step] = path.open("a", encoding="utf-8", buffering=1)
                self._logs[step].write(text + "\n")
        except PlatformError as error:
            self._break(error)

    def _break(self, error: PlatformError) -> None:
        self.broken = error
        self._on_broken(error)

    def _report(self, event: Event) -> None:
        for reporter in list(self._reporters):
            self._tell(reporter, lambda reporter=reporter: reporter.handle(event))  # type: ignore[misc]

    def _tell(self, reporter: Reporter, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a reporter does wrong, the run goes on without it
            self._reporters = [other for other in self._reporters if other is not reporter]
            name = type(reporter).__name__
            self.warn(f"the reporter {name} was dropped: {type(error).__name__}: {error}")

    def _redacted(self, detail: Mapping[str, Any]) -> dict[str, Any]:
        return {key: _redact(self._redactor, value) for key, value in detail.items()}


def _redact(redactor: Redactor, value: Any) -> Any:
    match value:
        case str():
            return redactor.redact(str(value))
        case Mapping():
            return {redactor.redact(str(key)): _redact(redactor, item) for key, item in value.items()}
        case Sequence():
            return [_redact(redactor, item) for item in value]
        case _:
            return value
