"""Every error that platformctl raises on purpose.

"Return what you know, raise what stops you." The tree, with the process's exit code and the status the engine records:

    PlatformError
    ├── StepFailed            1   FAILED    the answer is no: policy denied, application Degraded, plan does not refine
    ├── ToolError             1   ERRORED   the work could not be done
    │   ├── CommandFailed                   a program ended with a code that means failure
    │   ├── CommandTimedOut                 a program outlived its deadline and was ended
    │   └── UnreadableOutput                a program's or API's answer is not what its documentation says
    ├── UsageError            2   -         the command line makes no sense
    ├── SpecError             3   -         a file of the user's is wrong; lists every problem
    ├── PreconditionError     4   ERRORED   tool missing, credential absent, wrong account
    ├── GateRejected          5   ABORTED   declined, answered by someone who may not, digest changed
    ├── TransientError        6   ERRORED   may work when tried again; the only one the engine retries
    │   └── LeaseHeld                       another run works on the environment
    ├── GateWaiting           7   WAITING   nobody has answered yet
    └── Interrupted    128+n   ABORTED   signal n arrived: SIGHUP, SIGINT or SIGTERM

Anything else that escapes is a bug (exit 70). Only ``engine`` turns an error into a status and only ``cli`` into an
exit code.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

TAIL_LINES = 10


class Status(StrEnum):
    """How a run, a stage or a step stands. The engine alone assigns it."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    ERRORED = "ERRORED"
    ABORTED = "ABORTED"
    WAITING = "WAITING"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen without somebody starting it again."""
        return self not in {Status.PENDING, Status.RUNNING, Status.WAITING}


class PlatformError(Exception):
    """An error with a cause a person can read and, where we know one, what to do next.

    ``message`` says what happened, in one line. ``hint`` says what to do next; empty when there is nothing to suggest.
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[Status] = Status.ERRORED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class StepFailed(PlatformError):
    """The work was done and the answer is no."""

    status = Status.FAILED


class ToolError(PlatformError):
    """A program or an API could not do the work."""


class CommandFailed(ToolError):
    """A program ended with a code that means failure.

    ``tail`` holds the last lines it printed (at most TAIL_LINES), already redacted.
    """

    def __init__(self, command: str, returncode: int, tail: Sequence[str] = (), *, hint: str = "") -> None:
        ended = f"was ended by {_signal_name(-returncode)}" if returncode < 0 else f"ended with code {returncode}"
        super().__init__(f"`{command}` {ended}", hint=hint)
        self.command = command
        self.returncode = returncode
        self.tail = tuple(tail)[-TAIL_LINES:]


class CommandTimedOut(ToolError):
    """A program was still running at its deadline; it was interrupted, then terminated, then killed."""

    def __init__(self, command: str, seconds: float, tail: Sequence[str] = (), *, hint: str = "") -> None:
        super().__init__(f"`{command}` was still running after {seconds:g} s", hint=hint)
        self.command = command
        self.seconds = seconds
        self.tail = tuple(tail)[-TAIL_LINES:]


class UnreadableOutput(ToolError):
    """What a program or an API answered is not what its documentation says."""


class UsageError(PlatformError):
    """The command line makes no sense."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One fault in a file of the user's. ``line`` counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class SpecError(PlatformError):
    """Files of the user's are wrong. Carries every problem found, not only the first."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], *, hint: str = "") -> None:
        self.problems = tuple(sorted(problems))
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{self.problems[0]}{more}" if self.problems else "unknown problem", hint=hint)


class PreconditionError(PlatformError):
    """Something outside must be put right before this can start."""

    exit_code = 4


class GateRejected(PlatformError):
    """The answer was no, came from someone who may not answer, or was given for something else."""

    exit_code = 5
    status = Status.ABORTED


class TransientError(PlatformError):
    """May work when tried again. ``retry_after`` is the server's own wish in seconds, None when it has none."""

    exit_code = 6

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class LeaseHeld(TransientError):
    """Another run holds the environment's lease."""


class GateWaiting(PlatformError):
    """A gate has no answer yet; the run is parked and can be resumed."""

    exit_code = 7
    status = Status.WAITING


class Interrupted(PlatformError):
    """SIGINT, SIGTERM or SIGHUP arrived. The exit code is the shell's convention: 128 plus the signal's number."""

    status = Status.ABORTED

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by {_signal_name(signum)}")
        self.signum = signum


def exit_code(error: BaseException) -> int:
    """The process's exit code for an error that reached the top."""
    if isinstance(error, Interrupted):
        return 128 + error.signum
    if isinstance(error, PlatformError):
        return error.exit_code
    return 70


def describe(error: BaseException) -> dict[str, Any]:
    """An error as JSON: type, message, hint, and ``problems`` or ``tail`` where it has them."""
    if not isinstance(error, PlatformError):
        return {"type": type(error).__name__, "message": f"a bug: {type(error).__name__}: {error}", "hint": ""}
    document: dict[str, Any] = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, SpecError):
        document["problems"] = [
            {"file": problem.file, "line": problem.line, "message": problem.message} for problem in error.problems
        ]
    if isinstance(error, CommandFailed | CommandTimedOut):
        document["tail"] = list(error.tail)
    return document


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
