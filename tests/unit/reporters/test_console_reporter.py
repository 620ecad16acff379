"""What a person at a terminal, or at a log, sees of a run."""

from __future__ import annotations

import io
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from platformctl.core.events import Event, EventKind
from platformctl.reporters.console import LiveReporter, PlainReporter, console_reporter, frame
from platformctl.reporters.view import RunView
from platformctl.testing.clock import FakeClock
from tests.unit.reporters import sample_runs
from tests.unit.reporters.sample_runs import RUN, START, Recording

SEOUL = ZoneInfo("Asia/Seoul")


def clock_at(second: float) -> FakeClock:
    """A clock that stands there: nobody waits in these tests."""
    return FakeClock(START + timedelta(seconds=second))


def plain(events: list[Event]) -> list[str]:
    stream = io.StringIO()
    reporter = PlainReporter(Console(file=stream, width=40), zone=SEOUL)
    for event in events:
        reporter.handle(event)
    reporter.close()
    return stream.getvalue().splitlines()


def live(events: list[Event], *, width: int = 80, height: int = 24, second: float = 0.0) -> str:
    console = Console(file=io.StringIO(), record=True, width=width, height=height, force_terminal=True)
    reporter = LiveReporter(console, clock=clock_at(second))
    try:
        for event in events:
            reporter.handle(event)
    finally:
        reporter.close()
    return console.export_text()


def drawn(
    recording: Recording, *, second: float, rows: int = 12, width: int = 80, ascii_only: bool = False
) -> list[str]:
    view = RunView()
    for event in recording.events:
        view.apply(event)
    console = Console(file=io.StringIO(), record=True, width=width)
    console.print(frame(view, START + timedelta(seconds=second), rows=rows, ascii_only=ascii_only))
    return console.export_text().splitlines()


def running(count: int) -> Recording:
    recording = Recording().start(stages=["plan", "apply"])
    names = [f"plan/stack-{number:02}" for number in range(count)]
    recording.stage(0, "plan", *((name, "stack-plan", []) for name in names))
    for name in names:
        recording.add(1, EventKind.STEP_STARTED, "plan", name, kind="stack-plan", attempt=1)
    return recording


def test_plain_lines_of_a_failed_run_are_these() -> None:
    assert plain(sample_runs.failed().events) == [
        f"2026-09-26T19:15:00+09:00 run {RUN} RUNNING: provision for dev by Kim Minji at 3f2a1bc94d5e",
        "2026-09-26T19:15:00+09:00 stage plan RUNNING: 2 steps",
        "2026-09-26T19:15:00+09:00 step plan/network RUNNING",
        "2026-09-26T19:15:03+09:00 step plan/network SUCCEEDED: in 3.2s; no changes",
        "2026-09-26T19:15:03+09:00 step plan/cluster RUNNING",
        "2026-09-26T19:15:09+09:00 step plan/cluster ERRORED: in 5.5s; `terraform plan -out=tfplan` ended with code 1",
        "2026-09-26T19:15:09+09:00   | Error: creating EC2 EIP: AddressLimitExceeded",
        "2026-09-26T19:15:09+09:00   | with module.this.aws_eip.nat[0],",
        '2026-09-26T19:15:09+09:00   | on main.tf line 12, in resource "aws_eip" "nat":',
        "2026-09-26T19:15:09+09:00   hint: check the quota of elastic addresses: platformctl doctor --env dev",
        "2026-09-26T19:15:09+09:00 stage plan ERRORED: in 9.0s",
        "2026-09-26T19:15:09+09:00 run 20260926T101500Z-provision-7f3a ERRORED: in 9.3s",
    ]


def test_plain_lines_tell_gates_retries_resumes_and_warnings() -> None:
    told = [line.partition(" ")[2] for line in plain(sample_runs.succeeded().events)]
    for line in (
        f"gate apply WAITING: Apply these changes to dev?; {sample_runs.DIGEST}",
        "gate apply APPROVED: by Lee Jun; go",
        "run 20260926T101500Z-provision-7f3a RESUMED: by Lee Jun",
        "step apply/cluster RETRYING: again in 4.0s after the registry answered 503",
        "step apply/cluster RUNNING: attempt 2",
        "warning apply/cluster: version 1.33 leaves support soon",
        "step verify/nodes SKIPPED: in 0.1s; no cluster in this environment",
    ):
        assert line in told


def test_plain_lines_tell_each_progress_message_once_however_far_it_counts() -> None:
    recording = running(1)
    for number in range(1, 4):
        recording.add(2, EventKind.STEP_PROGRESS, "plan", "plan/stack-00", message="reading", current=number, total=3)
    recording.add(3, EventKind.STEP_PROGRESS, "plan", "plan/stack-00", message="writing")
    told = [line for line in plain(recording.events) if "ing" in line.partition("RUNNING: ")[2]]
    assert [line.partition("RUNNING: ")[2] for line in told if "step " in line] == ["reading", "writing"]


def test_lines_that_programs_print_stay_in_their_logs() -> None:
    recording = running(1).add(2, EventKind.STEP_LINE, "plan", "plan/stack-00", stream="stdout", line="Refreshing")
    assert not any("Refreshing" in line for line in plain(recording.events))


def test_plain_lines_carry_no_escape_sequence_of_a_hostile_program() -> None:
    assert not any("\x1b" in line or "\x00" in line for line in plain(sample_runs.hostile().events))


def test_a_terminal_gets_the_live_display_and_a_pipe_gets_lines() -> None:
    clock = clock_at(0)
    terminal = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"})
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    pipe = Console(file=io.StringIO())
    kinds = [type(console_reporter(console, zone=SEOUL, clock=clock)) for console in (terminal, dumb, pipe)]
    assert kinds == [LiveReporter, PlainReporter, PlainReporter]


def test_live_leaves_one_line_for_each_finished_step_below_its_stage() -> None:
    shown = live(sample_runs.succeeded().events, width=160)
    for line in (
        "plan  2 steps",
        "  ✓ network  in 3.2s, changed; 1 to add, 1 to change",
        f"  ? gate apply WAITING  Apply these changes to dev?; {sample_runs.DIGEST}",
        "  ✓ gate apply APPROVED  by Lee Jun; go",
        "  ↻ cluster RETRYING  again in 4.0s after the registry answered 503",
        "  - nodes SKIPPED  in 0.1s; no cluster in this environment",
        "✓ run 20260926T101500Z-provision-7f3a  in 1m06s, changed",
    ):
        assert line in shown


def test_live_shows_the_last_lines_and_the_hint_of_what_failed() -> None:
    shown = live(sample_runs.failed().events, width=140)
    assert "  ✗ cluster ERRORED  in 5.5s; `terraform plan" in shown
    assert '      | on main.tf line 12, in resource "aws_eip" "nat":' in shown
    assert "      hint: check the quota of elastic addresses" in shown


def test_a_running_step_is_shown_with_its_time_its_progress_and_its_last_line() -> None:
    recording = running(2)
    recording.add(2, EventKind.STEP_PROGRESS, "plan", "plan/stack-00", message="reading state", current=2, total=7)
    recording.add(
        3, EventKind.STEP_LINE, "plan", "plan/stack-01", stream="stdout", line="\x1b[32mRefreshing\x1b[0m vpc"
    )
    assert drawn(recording, second=13) == [
        "  ⠼ stack-00  12s  reading state 2/7",
        "  ⠼ stack-01  12s  Refreshing vpc",
        "  13s, 0/2 steps, 2 running, 1 more stage",
    ]


def test_a_step_between_two_attempts_says_why() -> None:
    recording = running(1)
    error = {"type": "TransientError", "message": "throttled"}
    recording.add(4, EventKind.STEP_RETRYING, "plan", "plan/stack-00", attempt=1, seconds=2, error=error)
    assert drawn(recording, second=5)[0] == "  ↻ stack-00  4.0s  attempt 1 failed: throttled"


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_row_never_wraps_however_narrow_the_terminal(width: int) -> None:
    recording = running(3).add(2, EventKind.STEP_LINE, "plan", "plan/stack-00", stream="stdout", line="x" * 300)
    rows = drawn(recording, second=5, width=width)
    assert len(rows) == 4
    assert all(len(row) <= width for row in rows)


def test_many_running_steps_are_summed_up() -> None:
    rows = drawn(running(60), second=2, rows=5)
    assert len(rows) == 6
    assert rows[4] == "    and 56 more running"
    assert rows[5].startswith("  2.0s, 0/60 steps, 60 running")


def test_a_terminal_without_utf_8_gets_ascii() -> None:
    assert all(row.isascii() for row in drawn(running(30), second=2, rows=4, width=30, ascii_only=True))


def test_the_cursor_comes_back_when_the_display_is_closed() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24)
    reporter = LiveReporter(console, clock=clock_at(1))
    for event in running(2).events:
        reporter.handle(event)
    assert "\x1b[?25l" in stream.getvalue()
    reporter.close()
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")


def test_the_display_makes_room_for_a_question_at_the_terminal() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24)
    reporter = LiveReporter(console, clock=clock_at(1))
    try:
        for event in [*running(1).events, *sample_runs.waiting().events[-2:-1]]:
            reporter.handle(event)
        assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")
    finally:
        reporter.close()


def test_no_color_is_honoured() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, _environ={"NO_COLOR": "1", "TERM": "xterm"})
    reporter = LiveReporter(console, clock=clock_at(1))
    for event in sample_runs.failed().events:
        reporter.handle(event)
    reporter.close()
    assert "\x1b[31m" not in stream.getvalue()
    assert "ERRORED" in stream.getvalue()
