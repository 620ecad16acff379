"""Runs Terraform in a working copy and turns what it says into values and errors. Decides nothing about approvals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from platformctl.core.command import Command, CommandRunner, Completed
from platformctl.core.errors import CommandFailed, PlatformError, StepFailed
from platformctl.tools.terraform import commands
from platformctl.tools.terraform.commands import Place
from platformctl.tools.terraform.failures import Doing, Failure
from platformctl.tools.terraform.messages import Diagnostic, Messages, Progress
from platformctl.tools.terraform.normalise import NormalisedPlan, normalise

_TAIL = 10


class TerraformKilled(CommandFailed):
    """Terraform itself was killed in mid-apply: what it made may be in no state."""

    def __init__(self, cause: CommandFailed, stack: str) -> None:
        super().__init__(cause.command, cause.returncode, cause.tail)
        self.message = f"terraform was killed while it applied {stack}; what it made may be missing in the state"
        self.args = (self.message,)


@dataclass(frozen=True)
class Planned:
    """A saved plan. ``changed`` is Terraform's own answer: False means that neither resources nor outputs change."""

    path: Path
    changed: bool
    version: str
    warnings: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class Terraform:
    """One stack's Terraform. ``root`` is what file names in errors are shown relative to."""

    runner: CommandRunner
    place: Place
    stack: str
    root: Path

    def init(self) -> None:
        """Installs providers and modules as the lock file says. Raises SpecError for a fault in the stack's files."""
        self._run(commands.init_command(self.place), Doing.INIT, Messages())

    def fetch(self, address: str) -> None:
        """Copies a root module into the working directory. Raises what ``init`` raises."""
        self._run(commands.fetch_command(self.place, address), Doing.INIT, Messages())

    def plan(self, out: Path, *, destroy: bool = False) -> Planned:
        """Plans into ``out``. Raises SpecError, PreconditionError, TransientError or TerraformFailed."""
        messages = Messages()
        done = self._run(commands.plan_command(self.place, out, destroy=destroy), Doing.PLAN, messages)
        return Planned(
            path=out,
            changed=done.returncode == commands.CHANGES,
            version=messages.version,
            warnings=messages.warnings,
        )

    def show(self, planned: Planned, key: bytes, providers: Mapping[str, str]) -> NormalisedPlan:
        """The normalised plan. The raw text, with its secrets, lives only in this call."""
        if not planned.changed:
            return NormalisedPlan(terraform=planned.version, providers=dict(providers))
        return self.show_all(planned, key, providers)

    def show_all(self, planned: Planned, key: bytes, providers: Mapping[str, str]) -> NormalisedPlan:
        """The same, with the real values of everything that stays as it is, even when nothing changes."""
        done = self._run(commands.show_command(self.place, planned.path), Doing.PLAN, Messages())
        return normalise(done.stdout, key, providers)

    def apply(self, plan: Path, *, progress: Progress, on_start: Callable[[], None]) -> int:
        """Applies a saved plan; returns how many resources were worked on.

        ``on_start`` is called when the state is locked and before the first resource is touched. Raises
        TerraformKilled when Terraform ended without having had a chance to write its state.
        """
        messages = Messages(progress=progress, on_start=on_start)
        try:
            self._run(commands.apply_command(self.place, plan), Doing.APPLY, messages)
        except CommandFailed as error:
            if error.returncode < 0:
                raise TerraformKilled(error, self.stack) from error
            raise
        return messages.applied

    def force_unlock(self, lock_id: str) -> None:
        """Removes that lock. The caller has made sure that its holder is dead."""
        self.runner.run(commands.force_unlock_command(self.place, lock_id))

    def push_state(self, state: Path) -> None:
        """Stores a state that an apply could not store. Raises StepFailed when the stored one is newer."""
        try:
            self.runner.run(commands.state_push_command(self.place, state))
        except CommandFailed as error:
            raise StepFailed(
                f"the state an apply of {self.stack} left can't be stored: {' '.join(error.tail[-3:])}",
                hint=f"compare {state} with the stored state, then `terraform state push` it by hand",
            ) from error

    def _run(self, command: Command, doing: Doing, messages: Messages) -> Completed:
        done = self.runner.run(command, on_line=None if command.secret_output else messages)
        if done.returncode == commands.FAILED or messages.errors:
            raise self._error(command, doing, done, messages)
        return done

    def _error(self, command: Command, doing: Doing, done: Completed, messages: Messages) -> PlatformError:
        return Failure(
            command=command,
            returncode=done.returncode,
            doing=doing,
            stack=self.stack,
            root=self.root,
            diagnostics=messages.errors,
            tail=tuple(done.stderr.splitlines()[-_TAIL:]),
        ).error()
