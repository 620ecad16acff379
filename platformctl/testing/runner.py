"""A runner that starts nothing: it answers the commands it was told of and refuses all others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import Child, ChildHandler, Command, CommandRunner, Completed, LineHandler, Stream
from platformctl.core.errors import CommandTimedOut
from platformctl.process.outcome import checked, last_lines, shortened
from platformctl.process.redact import KnownSecrets
from platformctl.process.streams import Tail, lines
from platformctl.testing.clock import FakeClock

_PATIENCE = 10.0  # seconds of real time that a blocking reply waits for its cancel

Argument = str | EllipsisType


class Unscripted(AssertionError):
    """A command was run that no script told of. Not a PlatformError: product code must not swallow it."""


@dataclass(frozen=True)
class Reply:
    """How a scripted command ends. ``seconds`` pass on the runner's clock; more than the command's timeout means that
    it times out. ``raises`` is raised in place of a result. ``blocks``: it runs until it is cancelled."""

    stdout: str = ""
    stderr: str = ""
    returncode: int = 0
    seconds: float = 0.0
    raises: BaseException | None = None
    blocks: bool = False


Answer = Reply | Callable[[Command], Reply]
"""A callable may look at the command and do what the program would have done to files."""


@dataclass
class _Script:
    pattern: tuple[Argument, ...]
    answer: Answer
    times: int | None
    used: int = 0

    def covers(self, command: Command) -> bool:
        if self.times is not None and self.used >= self.times:
            return False
        argv = (Path(command.argv[0]).name, *command.argv[1:])
        pattern = self.pattern
        if pattern and pattern[-1] is ...:
            pattern = pattern[:-1]
            argv = argv[: len(pattern)]
        return len(argv) == len(pattern) and all(
            expected is ... or expected == given for expected, given in zip(pattern, argv, strict=True)
        )


@dataclass
class ScriptedRunner:
    """Implements CommandRunner and CommandHost. ``calls`` holds every command that was run, in order.

    ``clock`` should be the test's own FakeClock, so that scripted seconds pass there.
    """

    clock: Clock = field(default_factory=FakeClock)
    redactor: KnownSecrets = field(default_factory=KnownSecrets)
    calls: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._scripts: list[_Script] = []
        self._lock = threading.Lock()

    def on(self, program: str, *arguments: Argument, reply: Answer | None = None, times: int | None = None) -> None:
        """Scripts a command: the program's file name and its arguments, each equal.

        ``...`` stands for any one argument, as the last one for whatever follows. ``reply`` None is a silent success.
        ``times`` None answers for ever; the first script that covers a command and is not used up answers it.
        """
        self._scripts.append(_Script((program, *arguments), Reply() if reply is None else reply, times))

    def bind(self, *, cancel: Cancel, on_line: LineHandler | None, on_child: ChildHandler | None) -> CommandRunner:
        """A runner of the same script for one scope."""
        return _Bound(self, cancel, on_line, on_child)

    def run(self, command: Command, *, on_line: LineHandler | None = None) -> Completed:
        """Answers as scripted. Raises Unscripted, what the reply says, and what CommandRunner says."""
        return self.bind(cancel=Cancel(), on_line=None, on_child=None).run(command, on_line=on_line)

    def argvs(self) -> list[tuple[str, ...]]:
        """What was run, programs by file name: the form to compare with what was expected."""
        return [(Path(command.argv[0]).name, *command.argv[1:]) for command in self.calls]

    def assert_used(self) -> None:
        """Raises AssertionError naming each script that was to be used more often than it was, or never was."""
        unused = [
            " ".join("..." if part is ... else part for part in script.pattern)
            for script in self._scripts
            if script.used < (script.times if script.times is not None else 1)
        ]
        if unused:
            raise AssertionError(f"scripted but not run: {'; '.join(unused)}")

    def take(self, command: Command) -> Reply:
        """Records the command and finds its reply. Raises Unscripted."""
        with self._lock:
            self.calls.append(command)
            script = next((script for script in self._scripts if script.covers(command)), None)
            if script is None:
                raise Unscripted(f"no script covers `{command}`")
            script.used += 1
        return script.answer(command) if callable(script.answer) else script.answer


@dataclass(frozen=True)
class _Bound:
    host: ScriptedRunner
    cancel: Cancel
    on_line: LineHandler | None
    on_child: ChildHandler | None

    def run(self, command: Command, *, on_line: LineHandler | None = None) -> Completed:
        self.cancel.check()
        reply = self.host.take(command)
        if self.on_child is not None:
            self.on_child(Child(2_000_000_000, 0.0, Path(command.argv[0]).name, "scripted", "scripted"))
        if reply.blocks and not self.cancel.event.wait(_PATIENCE):
            raise AssertionError(f"`{command}` blocks and nobody cancelled it")
        self.cancel.check()
        if reply.raises is not None:
            raise reply.raises
        return self._finish(command, reply, on_line)

    def _finish(self, command: Command, reply: Reply, on_line: LineHandler | None) -> Completed:
        out, err = (
            text if command.secret_output else self.host.redactor.redact(text) for text in (reply.stdout, reply.stderr)
        )
        spoken = [] if command.secret_output else [(Stream.OUT, line) for line in lines(out)]
        spoken += [] if command.secret_output else [(Stream.ERR, line) for line in lines(err)]
        for stream, line in spoken:
            for handler in (self.on_line, on_line):
                if handler is not None:
                    handler(stream, line)
        tail = last_lines(line for _, line in spoken)
        passed = reply.seconds if command.timeout is None else min(reply.seconds, command.timeout)
        self.host.clock.wait(passed)
        if command.timeout is not None and reply.seconds > command.timeout:
            raise CommandTimedOut(shortened(str(command)), command.timeout, tail)
        kept = Tail(command.capture), Tail(command.capture)
        for intake, text in zip(kept, (out, err), strict=True):
            intake.add(text)
        stdout, stderr = (intake.text() for intake in kept)
        truncated = any(intake.truncated for intake in kept)
        return checked(Completed(command, reply.returncode, stdout, stderr, passed, truncated=truncated), tail)
