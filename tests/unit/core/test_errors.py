"""The error tree: exit codes and statuses are the documented ones."""

from __future__ import annotations

import signal

import pytest

from platformctl.core.errors import (
    CommandFailed,
    CommandTimedOut,
    GateRejected,
    GateWaiting,
    Interrupted,
    LeaseHeld,
    PlatformError,
    PreconditionError,
    Problem,
    SpecError,
    Status,
    StepFailed,
    ToolError,
    TransientError,
    UnreadableOutput,
    UsageError,
    exit_code,
)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (StepFailed("no"), 1, Status.FAILED),
        (ToolError("broken"), 1, Status.ERRORED),
        (CommandFailed("helm upgrade", 1), 1, Status.ERRORED),
        (CommandTimedOut("helm upgrade", 5), 1, Status.ERRORED),
        (UnreadableOutput("not JSON"), 1, Status.ERRORED),
        (UsageError("what?"), 2, Status.ERRORED),
        (SpecError([Problem("a.yaml", 1, "bad")]), 3, Status.ERRORED),
        (PreconditionError("no terraform"), 4, Status.ERRORED),
        (GateRejected("declined"), 5, Status.ABORTED),
        (TransientError("503"), 6, Status.ERRORED),
        (LeaseHeld("held"), 6, Status.ERRORED),
        (GateWaiting("no answer yet"), 7, Status.WAITING),
        (Interrupted(signal.SIGINT), 130, Status.ABORTED),
        (Interrupted(signal.SIGTERM), 143, Status.ABORTED),
    ],
)
def test_each_error_has_its_documented_exit_code_and_status(error: PlatformError, code: int, status: Status) -> None:
    assert exit_code(error) == code
    assert error.status is status


def test_anything_else_is_a_bug() -> None:
    assert exit_code(ZeroDivisionError()) == 70


def test_a_failed_command_shows_its_last_ten_lines_only() -> None:
    error = CommandFailed("helm upgrade", 1, [f"line {number}" for number in range(12)])
    assert error.tail == tuple(f"line {number}" for number in range(2, 12))


def test_a_command_ended_by_a_signal_names_the_signal() -> None:
    assert CommandFailed("terraform apply", -9).message == "`terraform apply` was ended by SIGKILL"
    assert CommandFailed("terraform apply", -250).message == "`terraform apply` was ended by signal 250"


def test_a_spec_error_keeps_every_problem_sorted_and_counts_them_in_its_message() -> None:
    error = SpecError([Problem("b.yaml", 3, "later"), Problem("a.yaml", 7, "first"), Problem("a.yaml", 0, "whole")])
    assert [str(problem) for problem in error.problems] == ["a.yaml: whole", "a.yaml:7: first", "b.yaml:3: later"]
    assert error.message == "a.yaml: whole (and 2 more)"


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING, Status.WAITING])
def test_a_status_that_may_still_change_is_not_final(status: Status) -> None:
    assert not status.final
    assert Status.SUCCEEDED.final
