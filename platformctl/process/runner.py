"""Runs one program to its end: streams what it prints, ends it when it must stop. The contract is core ``command``.

One thread per command, the caller's, which sleeps until the program prints, ends, or must be ended; nothing is polled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock, SystemClock
from platformctl.core.command import ChildHandler, Command, CommandRunner, Completed, LineHandler
from platformctl.core.errors import CommandTimedOut
from platformctl.core.secret import Secret
from platformctl.process import children
from platformctl.process.execution import Execution
from platformctl.process.guardian import Guardian
from platformctl.process.outcome import checked, shortened
from platformctl.process.redact import KnownSecrets
from platformctl.process.spawn import environment


class ProcessHost:
    """Makes runners; implements core CommandHost. One per platformctl process: all its children share one guard.

    ``environ``: what the allow-listed variables are taken from, our own by default.
    """

    def __init__(
        self, redactor: KnownSecrets, clock: Clock | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.redactor = redactor
        self.clock = clock or SystemClock()
        self.environ = os.environ if environ is None else environ
        self.guardian = Guardian()

    def bind(self, *, cancel: Cancel, on_line: LineHandler | None, on_child: ChildHandler | None) -> CommandRunner:
        """A runner whose children end when ``cancel`` stops.

        Lines also go to ``on_line``, except where the output is secret; ``on_child`` hears of each process before the
        runner waits for it. When a handler raises, the program is ended and the error passed on.
        """
        return ProcessRunner(self, cancel, on_line, on_child)

    def close(self) -> None:
        """Lets the guard go. A host that is forgotten is closed as well."""
        self.guardian.close()


@dataclass(frozen=True)
class ProcessRunner:
    """Runs commands for one scope. Safe to share between threads as far as its handlers are."""

    host: ProcessHost
    cancel: Cancel
    on_line: LineHandler | None
    on_child: ChildHandler | None

    def run(self, command: Command, *, on_line: LineHandler | None = None) -> Completed:
        """Runs to the end, and with it whatever the program left in its process group.

        Raises CommandFailed (code not in ``ok_codes``), CommandTimedOut, PreconditionError (no such program),
        TransientError (no room for a process), and the reason for which ``cancel`` stopped: the program has been ended
        by then.
        """
        self.cancel.check()
        for value in (*command.env.values(), command.stdin):
            if isinstance(value, Secret):
                self.host.redactor.add(value)
        begun = self.host.clock.monotonic()
        handlers = [handler for handler in (self.on_line, on_line) if handler is not None]
        execution = Execution(command, clock=self.host.clock, known=self.host.redactor, handlers=handlers)
        with closing(execution), self.host.guardian.ward(command.grace) as ward:
            try:
                pid = execution.start(environment(command, self.host.environ) | ward.variables)
                self.host.guardian.started(ward, pid, execution.pipes)
                if self.on_child is not None:
                    self.on_child(children.identify(pid, Path(command.argv[0]).name))
                execution.attend(self.cancel)
            except BaseException:
                execution.abandon()
                raise
        return self._result(command, execution, self.host.clock.monotonic() - begun)

    def _result(self, command: Command, execution: Execution, seconds: float) -> Completed:
        if execution.interrupted:
            self.cancel.check()
        shown = shortened(self.host.redactor.redact(str(command)))
        if execution.timed_out:
            raise CommandTimedOut(shown, command.timeout or 0.0, execution.tail())
        out, err = execution.out.kept, execution.err.kept
        texts = out.text(), err.text()
        truncated = out.truncated or err.truncated
        completed = Completed(command, execution.returncode, *texts, seconds, truncated=truncated)
        return checked(completed, execution.tail(), shown=shown)
