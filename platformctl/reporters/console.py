"""Progress for people: a live display on a terminal, plain lines elsewhere. Writes only to the console it is given."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from datetime import datetime, tzinfo

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from platformctl.core.clock import Clock
from platformctl.core.errors import Status
from platformctl.core.events import Event, EventKind, Reporter
from platformctl.engine.state import StageState, StepState
from platformctl.reporters.narration import Line, narrate
from platformctl.reporters.view import Activity, RunView, title
from platformctl.reporters.wording import count, duration, one_line, stamp

_GLYPHS = {
    "RUNNING": ("▸", ">", "cyan"),
    "RESUMED": ("▸", ">", "cyan"),
    "SUCCEEDED": ("✓", "+", "green"),
    "SKIPPED": ("-", "-", "bright_black"),
    "FAILED": ("✗", "x", "red"),
    "ERRORED": ("✗", "x", "red"),
    "ABORTED": ("■", "x", "yellow"),
    "WAITING": ("?", "?", "magenta"),
    "RETRYING": ("↻", "~", "yellow"),
    "APPROVED": ("✓", "+", "green"),
    "REJECTED": ("✗", "x", "red"),
}
_NOTABLE = ("!", "!", "yellow")
_SPINNER = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
_FEWEST_ROWS, _MOST_ROWS = 3, 12


def console_reporter(console: Console, *, zone: tzinfo, clock: Clock) -> Reporter:
    """The reporter that fits the console: live on a terminal that can move its cursor, lines otherwise."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveReporter(console, clock=clock)
    return PlainReporter(console, zone=zone)


class PlainReporter:
    """One line per event worth telling, each with its time: for logs, pipes and Jenkins."""

    def __init__(self, console: Console, *, zone: tzinfo) -> None:
        self._console = console
        self._zone = zone
        self._view = RunView()

    def handle(self, event: Event) -> None:
        """Prints the event's line, if it has one."""
        line = narrate(event, self._view)
        self._view.apply(event)
        if line is None:
            return
        time = stamp(event.time, self._zone)
        rows = [str(line), *(f"  | {detail}" for detail in line.details)]
        if line.hint:
            rows.append(f"  hint: {line.hint}")
        for row in rows:
            # Never wrapped, marked up or coloured: what is read here is read by grep too.
            self._console.out(f"{time} {row}", highlight=False)

    def close(self) -> None:
        """Nothing to put back."""


class LiveReporter:
    """What is done scrolls by, one line each; what runs is shown below, in a few rows that are redrawn.

    The rows never exceed half of the terminal's height, so a stage of 500 steps neither flickers nor scrolls.
    """

    def __init__(self, console: Console, *, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._view = RunView()
        self._lock = threading.Lock()  # rich redraws from a thread of its own
        self._live = Live(
            console=console,
            get_renderable=self._frame,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,  # stdout belongs to the command's result
        )
        # Whatever ends the process short of SIGKILL, the cursor comes back.
        atexit.register(self._live.stop)

    def handle(self, event: Event) -> None:
        """Takes the event into the display and prints its line above it."""
        with self._lock:
            line = narrate(event, self._view)
            self._view.apply(event)
        if event.kind in {EventKind.GATE_ASKED, EventKind.RUN_FINISHED}:
            self._live.stop()  # somebody is about to be asked at this terminal
        elif event.kind is EventKind.STEP_STARTED:
            self._live.start()
        if line is not None and _lasting(event):
            self._console.print(scrolled(line, event.stage, ascii_only=_ascii_only(self._console)))

    def close(self) -> None:
        """Takes the display away and gives the cursor back."""
        self._live.stop()
        atexit.unregister(self._live.stop)

    def _frame(self) -> Group:
        with self._lock:
            return frame(
                self._view,
                self._clock.now(),
                rows=max(_FEWEST_ROWS, min(_MOST_ROWS, self._console.height // 2)),
                ascii_only=_ascii_only(self._console),
            )


def frame(view: RunView, now: datetime, *, rows: int, ascii_only: bool = False) -> Group:
    """The moving part: one row per running step, at most ``rows`` of them, and a row that sums up."""
    running = [(stage, step) for stage, step in _steps(view) if step.status is Status.RUNNING]
    shown = running if len(running) <= rows else running[: rows - 1]
    lines = [_row(title(stage, step), view.activity(step), now, ascii_only=ascii_only) for stage, step in shown]
    if len(running) > len(shown):
        lines.append(Text(f"    and {len(running) - len(shown)} more running"))
    lines.append(_footer(view, now, len(running)))
    for line in lines:
        line.no_wrap, line.overflow = True, "crop" if ascii_only else "ellipsis"
    return Group(*lines)


def scrolled(line: Line, stage: str, *, ascii_only: bool = False) -> Text:
    """The lasting form of a line: a stage is a heading, what belongs to it is indented below it."""
    if line.noun == "stage" and line.state == Status.RUNNING:
        return Text.assemble((line.name, "bold"), (f"  {line.text}", "bright_black"))
    glyph, plain, style = _GLYPHS.get(line.state, _NOTABLE)
    inside = line.noun in {"step", "gate"} or (line.noun == "stage" and line.state != Status.RUNNING)
    name = line.name.removeprefix(f"{stage}/") if line.noun == "step" else f"{line.noun} {line.name}".strip()
    said = Text.assemble("  " if inside else "", (plain if ascii_only else glyph, style), " ", name)
    if line.state not in {Status.SUCCEEDED, Status.RUNNING}:
        said.append(f" {line.state}" if line.state else "", style)
    if line.text:
        said.append(f"  {line.text}")
    for detail in line.details:
        said.append(f"\n      | {detail}", "bright_black")
    if line.hint:
        said.append(f"\n      hint: {line.hint}", "yellow")
    return said


def _lasting(event: Event) -> bool:
    return event.kind not in {EventKind.STEP_STARTED, EventKind.STEP_PROGRESS} and not (
        event.kind is EventKind.STAGE_FINISHED and event.detail.get("status") == Status.SUCCEEDED
    )


def _steps(view: RunView) -> Iterator[tuple[StageState, StepState]]:
    return ((stage, step) for stage in view.stages for step in stage.steps.values())


def _row(name: str, activity: Activity, now: datetime, *, ascii_only: bool) -> Text:
    frames = _SPINNER[ascii_only]
    glyph = frames[int(now.timestamp() * 8) % len(frames)]
    started = activity.spans[-1].start if activity.spans else now
    elapsed = duration((now - started).total_seconds())
    row = Text("  ")
    if activity.retry_at is not None:
        row.append(_GLYPHS["RETRYING"][ascii_only], "yellow").append(f" {one_line(name)}  {elapsed}")
        return row.append(f"  attempt {activity.attempt} failed: {one_line(activity.retries[-1])}", "yellow")
    row.append(glyph, "cyan").append(f" {one_line(name)}  {elapsed}")
    if activity.attempt > 1:
        row.append(f"  attempt {activity.attempt}", "yellow")
    if activity.progress:
        row.append(f"  {one_line(activity.progress)}")
    if activity.last_line:
        row.append(f"  {one_line(activity.last_line)}", "bright_black")
    return row


def _footer(view: RunView, now: datetime, running: int) -> Text:
    steps = [step for _, step in _steps(view)]
    done = sum(step.status.final for step in steps)
    parts = [f"{done}/{len(steps)} steps", f"{running} running"]
    waiting = len(steps) - done - running
    if waiting:
        parts.append(f"{waiting} to come")
    left = [stage for stage in view.stages if stage.status is Status.PENDING]
    if left:
        parts.append(count(len(left), "more stage"))
    if view.state.started is not None:
        parts.insert(0, duration((now - view.state.started).total_seconds()))
    return Text("  " + ", ".join(parts), style="bright_black")


def _ascii_only(console: Console) -> bool:
    return not console.encoding.lower().startswith("utf")
