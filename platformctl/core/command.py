"""A program's call and its result as values, and the contract of whoever runs it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from platformctl.core.cancel import Cancel
from platformctl.core.secret import Secret


class Stream(StrEnum):
    """Which of its two outputs a program wrote to."""

    OUT = "stdout"
    ERR = "stderr"


LineHandler = Callable[[Stream, str], None]
"""Called with each line a program prints, in order per stream, redacted and without its end of line."""


@dataclass(frozen=True)
class Command:
    """One call of one program, no shell in between.

    ``argv``: the program (a path, or a name found on PATH) and its arguments; never a Secret.
    ``env``: added to the allow-listed part of our own environment; secrets travel here or by ``stdin``.
    ``timeout``: seconds until the program is ended, None only where the caller bounds it otherwise.
    ``grace``: seconds between the interrupt and SIGTERM, and again until SIGKILL. Terraform wants minutes: it writes
    its state when it is interrupted.
    ``ok_codes``: exit codes that are not a failure.
    ``capture``: bytes kept of each stream; more is cut at the front, and ``Completed`` says so.
    ``secret_output``: the output holds secrets in clear (``terraform show -json``): it is returned to the caller only,
    never handed to line handlers, logs or error tails.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    stdin: str | Secret | None = None
    timeout: float | None = 60.0
    grace: float = 10.0
    ok_codes: tuple[int, ...] = (0,)
    capture: int = 64 * 1024 * 1024
    secret_output: bool = False

    def __str__(self) -> str:
        return shlex.join((Path(self.argv[0]).name, *self.argv[1:]))


@dataclass(frozen=True)
class Completed:
    """How a command ended. ``stdout`` and ``stderr`` are decoded as UTF-8 with replacement, redacted unless
    ``secret_output`` was asked, and at most ``Command.capture`` bytes each."""

    command: Command
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    truncated: bool = False


class CommandRunner(Protocol):
    """Runs commands. ``process.ProcessRunner`` is the real one, ``testing.ScriptedRunner`` the fake."""

    def run(self, command: Command, *, on_line: LineHandler | None = None) -> Completed:
        """Runs to the end.

        Raises CommandFailed (code not in ``ok_codes``), CommandTimedOut, PreconditionError (no such program),
        Interrupted (the runner was cancelled; the program has been ended by then).
        """
        ...


@dataclass(frozen=True)
class Child:
    """A process that was started. ``started`` is its start time as the operating system tells it, so that a later
    process with the same pid is not mistaken for it; ``boot`` names the boot of the machine, ``host`` the machine."""

    pid: int
    started: float
    program: str
    host: str
    boot: str


ChildHandler = Callable[[Child], None]


class CommandHost(Protocol):
    """Makes runners that are bound to a scope. ``process.ProcessHost`` is the real one."""

    def bind(self, *, cancel: Cancel, on_line: LineHandler | None, on_child: ChildHandler | None) -> CommandRunner:
        """A runner whose children end when ``cancel`` stops.

        Lines also go to ``on_line``, except where the output is secret; ``on_child`` hears of each process before the
        runner waits for it.
        """
        ...
