"""What a step is given while it runs: the engine's side of ``step.StepContext``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import Child, Command, CommandRunner, Completed, LineHandler, Stream
from platformctl.core.errors import CommandTimedOut
from platformctl.core.events import EventKind
from platformctl.core.secret import Secret, SecretResolver
from platformctl.engine.disk import disk_errors
from platformctl.engine.expand import StepInstance
from platformctl.engine.scope import RunScope
from platformctl.engine.step import ArtifactKind
from platformctl.spec.environment import Environment


class Deadline:
    """A moment on the clock, and whose it is. Pieces of work are bounded by what is left of it."""

    def __init__(self, clock: Clock, seconds: float, subject: str) -> None:
        self.subject = subject
        self.seconds = seconds
        self.waiting_for = ""
        self._clock = clock
        self._at = clock.monotonic() + seconds

    def within(self, outer: Deadline) -> Deadline:
        """This one, or the outer one where that comes first."""
        return self if self._at <= outer._at else outer

    @property
    def left(self) -> float:
        """Seconds; negative when it has passed."""
        return self._at - self._clock.monotonic()

    def check(self) -> None:
        """Raises CommandTimedOut, which says what was waited for, when it has passed."""
        if self.left <= 0:
            hint = f"it waited for: {self.waiting_for}" if self.waiting_for else ""
            raise CommandTimedOut(self.subject, self.seconds, hint=hint)


class BoundedRunner:
    """A runner none of whose commands outlives the deadline."""

    def __init__(self, runner: CommandRunner, deadline: Deadline) -> None:
        self._runner = runner
        self._deadline = deadline

    def run(self, command: Command, *, on_line: LineHandler | None = None) -> Completed:
        """See core.command.CommandRunner. Raises CommandTimedOut also when the step's deadline has passed."""
        self._deadline.waiting_for = str(command)
        self._deadline.check()
        left = self._deadline.left
        if command.timeout is not None and command.timeout <= left:
            return self._runner.run(command, on_line=on_line)
        try:
            return self._runner.run(replace(command, timeout=left), on_line=on_line)
        except CommandTimedOut as error:
            error.hint = error.hint or f"the deadline of {self._deadline.subject} is {self._deadline.seconds:g} s"
            raise


class Context:
    """See step.StepContext. One for each attempt of a step."""

    def __init__(self, scope: RunScope, instance: StepInstance, cancel: Cancel, deadline: Deadline) -> None:
        self._scope, self._instance, self._cancel, self._deadline = scope, instance, cancel, deadline

    @property
    def environment(self) -> Environment:
        """The environment of the run."""
        return self._scope.request.environment

    @property
    def parameters(self) -> Mapping[str, str]:
        """The pipeline's parameters, defaults filled in."""
        return self._scope.parameters

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._scope.run_id

    @property
    def step_name(self) -> str:
        """The step's name in the run."""
        return self._instance.name

    @property
    def root(self) -> Path:
        """The user's root."""
        return self._scope.engine.root

    @property
    def run_directory(self) -> Path:
        """``.platform/runs/<id>``."""
        return self._scope.directory.path

    @property
    def dry_run(self) -> bool:
        """Whether nothing may change."""
        return self._scope.request.dry_run

    @cached_property
    def runner(self) -> CommandRunner:
        """Bound to this step and to its deadline."""
        runner = self._scope.engine.host.bind(cancel=self._cancel, on_line=self._on_line, on_child=self._on_child)
        return BoundedRunner(runner, self._deadline)

    @property
    def clock(self) -> Clock:
        """The injected clock."""
        return self._scope.engine.clock

    @property
    def secrets(self) -> SecretResolver:
        """Resolves references; what it returns is redacted from then on."""
        return self._scope.engine.secrets

    @property
    def connection(self) -> Mapping[str, str | Secret]:
        """Variables that reach the sandbox."""
        return self._scope.engine.connection

    def program(self, name: str) -> Path:
        """The path of an external program."""
        return self._scope.engine.programs(name)

    def content(self, relative: str) -> Path:
        """A file of ours in the root or in the wheel."""
        return self._scope.engine.content(relative)

    def artifact_path(self, name: str, kind: ArtifactKind = ArtifactKind.FILE) -> Path:
        """Where to write the artifact of that name."""
        path = self._scope.directory.artifact_path(name, kind)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def outputs(self, step_name: str) -> Mapping[str, Any]:
        """The outputs of an earlier step of this run."""
        step = self._scope.state.step(step_name)
        return step.outputs if step is not None else {}

    def approved(self, artifact: str) -> Mapping[str, Any] | None:
        """The proposal of that name as the last opened gate bound it."""
        return None if self._scope.approved is None else self._scope.approved.get(artifact)

    def progress(self, message: str, *, current: int | None = None, total: int | None = None) -> None:
        """Tells people where a long step is."""
        self._deadline.waiting_for = message
        numbers = {"current": current, "total": total}
        detail = {"message": message, **{key: number for key, number in numbers.items() if number is not None}}
        self._emit(EventKind.STEP_PROGRESS, detail)

    def warn(self, message: str, hint: str = "") -> None:
        """Records something that stops nothing."""
        self._emit(EventKind.WARNING, {"message": message, "hint": hint})

    def journal_lock(self, lock_id: str) -> None:
        """Records the id of a lock that this step's child holds."""
        self._emit(EventKind.STEP_CHILD, {"lock": lock_id})

    def checkpoint(self) -> None:
        """Raises the reason to stop, if there is one."""
        self._cancel.check()
        self._deadline.check()

    def interrupted_children(self) -> tuple[Mapping[str, Any], ...]:
        """What earlier processes journaled for this step and did not bring to an end."""
        return self._scope.interrupted.get(self._instance.name, ())

    def _on_line(self, stream: Stream, text: str) -> None:
        self._scope.journal.line(self._instance.stage, self._instance.name, stream, text)

    def _on_child(self, child: Child) -> None:
        self._emit(EventKind.STEP_CHILD, asdict(child))

    def _emit(self, kind: EventKind, detail: Mapping[str, Any]) -> None:
        self._scope.journal.emit(kind, stage=self._instance.stage, step=self._instance.name, detail=detail)
