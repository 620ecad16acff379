"""The contract of a step: typed inputs, what it is given, what it returns. Steps are where tools meet the engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from platformctl.core.clock import Clock, Duration
from platformctl.core.command import CommandRunner
from platformctl.core.secret import Secret, SecretResolver
from platformctl.spec.environment import Environment


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon the engine tries a step again after a TransientError; nothing else is ever retried.

    The wait before attempt n+1 is ``first * 2**(n-1)``, at most ``longest``, times a random factor of 0.5 to 1; a
    server's own ``retry_after`` wins when it is longer.
    """

    attempts: int = 1
    first: Duration = Duration(1.0)
    longest: Duration = Duration(30.0)


NO_RETRY = RetryPolicy()


@dataclass(frozen=True)
class Cost:
    """What one step takes of the machine, so that the engine can bound how many run at once. Memory in MiB."""

    cores: float = 1.0
    memory: int = 128


class ArtifactKind(StrEnum):
    """What a file is for."""

    FILE = "file"  # something for people
    PROPOSAL = "proposal"  # a JSON document; the gates' digest covers its content and the report shows it
    PRIVATE = "private"  # stays in private/ (0700) and never leaves the machine: saved plans


@dataclass(frozen=True)
class Artifact:
    """A file that a step leaves in the run. ``name`` is relative, unique in the run, stable: ``stacks/a.json``."""

    name: str
    path: Path
    kind: ArtifactKind = ArtifactKind.FILE


@dataclass(frozen=True)
class StepResult:
    """What a step knows at its end.

    ``changed``: it altered something outside the run directory; plan, diff and drift steps set it when they found a
    difference; a dry run never does. ``outputs``: small JSON values for later steps, never secrets. ``summary``: one
    line for people.
    """

    changed: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    summary: str = ""


class StepContext(Protocol):
    """What a step is given. The engine implements it; ``testing.run_pipeline`` gives a scripted one."""

    @property
    def environment(self) -> Environment: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...
    @property
    def run_id(self) -> str: ...
    @property
    def step_name(self) -> str:
        """The step's name in the run: ``plan/network``, the same on every machine and every resume."""
        ...

    @property
    def root(self) -> Path:
        """The user's root: the folder of ``platform.yaml``."""
        ...

    @property
    def run_directory(self) -> Path:
        """``.platform/runs/<id>``."""
        ...

    @property
    def dry_run(self) -> bool: ...
    @property
    def runner(self) -> CommandRunner:
        """Bound to this step: lines go to its log, children are journaled, a lost lease or Ctrl-C ends them."""
        ...

    @property
    def clock(self) -> Clock: ...
    @property
    def secrets(self) -> SecretResolver: ...
    @property
    def connection(self) -> Mapping[str, str | Secret]:
        """Variables that reach the sandbox's AWS and Kubernetes instead of real ones; empty for a real environment."""
        ...

    def program(self, name: str) -> Path:
        """The path of an external program (``terraform``). Raises PreconditionError with what to do."""
        ...

    def content(self, relative: str) -> Path:
        """A file or folder of ours (``terraform/stacks/registry``): the user's root first, then the wheel's content.

        Raises PreconditionError when neither holds it.
        """
        ...

    def artifact_path(self, name: str, kind: ArtifactKind = ArtifactKind.FILE) -> Path:
        """Where to write the artifact of that name; its folder exists."""
        ...

    def outputs(self, step_name: str) -> Mapping[str, Any]:
        """The outputs of an earlier step of this run, empty when it did not finish."""
        ...

    def approved(self, artifact: str) -> Mapping[str, Any] | None:
        """The proposal of that name as the gate's approval bound it; None when no gate covered it."""
        ...

    def progress(self, message: str, *, current: int | None = None, total: int | None = None) -> None:
        """Tells people where a long step is."""
        ...

    def warn(self, message: str, hint: str = "") -> None:
        """Records something that people should know but that stops nothing."""
        ...

    def journal_lock(self, lock_id: str) -> None:
        """Records the id of a lock that this step's child holds (Terraform's): a resume may break exactly that one."""
        ...

    def checkpoint(self) -> None:
        """Raises Interrupted, LeaseHeld or CommandTimedOut when the step must stop. Call it between pieces of work."""
        ...

    def interrupted_children(self) -> tuple[Mapping[str, Any], ...]:
        """On a resume: the STEP_CHILD details journaled by the attempt that died, oldest first; else empty."""
        ...


def option(description: str, *, default: Any = MISSING, example: str = "") -> Any:
    """A field of a step, with what the command line and the reference say about it."""
    metadata = {"description": description, "example": example}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """Typed inputs and the work.

    Subclasses are frozen keyword-only dataclasses. Their fields are str, int, bool, Path, Enum, Duration, SecretRef,
    ``tuple[str, ...]`` or ``Mapping[str, str]``, each made with ``option(...)``, so that command-line flags, the
    reference and Groovy help come from them. Steps never fan out: the engine is the only scheduler.
    """

    kind: ClassVar[str]
    """The step's name on the command line and in the record, kebab-case: ``stack-plan``."""
    retry: ClassVar[RetryPolicy] = NO_RETRY
    deadline: ClassVar[Duration] = Duration(3600.0)
    cost: ClassVar[Cost] = Cost()

    @abstractmethod
    def run(self, context: StepContext) -> StepResult:
        """Does the work; its first docstring line is the reference's text. Raises PlatformError."""


Catalogue = Mapping[str, type[Step]]
"""Every kind of step by name; ``steps.CATALOGUE`` is ours, handed to the engine by ``cli``."""

ProgramFinder = Callable[[str], Path]
"""Finds an external program; ``toolchain`` gives the real one."""
