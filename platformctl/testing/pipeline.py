"""The real engine over fakes: a pipeline runs as it would, but starts nothing, reaches nothing and never waits."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child
from platformctl.core.errors import PreconditionError
from platformctl.core.events import Event, EventKind, Reporter
from platformctl.core.objects import ObjectStore
from platformctl.core.secret import Secret, SecretRef
from platformctl.engine.execute import Engine
from platformctl.engine.pipeline import Pipeline
from platformctl.engine.request import Actor, Ask, Request, RunResult
from platformctl.engine.schedule import Capacity
from platformctl.spec.environment import Environment
from platformctl.testing.clock import FakeClock
from platformctl.testing.objects import MemoryObjectStore
from platformctl.testing.runner import ScriptedRunner

TESTER = Actor("tester@bench")


@dataclass
class CollectingReporter:
    """Keeps every event, in order."""

    events: list[Event] = field(default_factory=list)
    closed: bool = False

    def handle(self, event: Event) -> None:
        """Keeps it."""
        self.events.append(event)

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True

    def of(self, kind: EventKind) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event.kind is kind]


@dataclass
class ScriptedSecrets:
    """Resolves the references it was given, by their text form (``env:TOKEN``)."""

    values: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, reference: SecretRef) -> Secret:
        """Raises PreconditionError for any other."""
        if str(reference) not in self.values:
            raise PreconditionError(f"{reference} is not set")
        return Secret(self.values[str(reference)], str(reference))


@dataclass(kw_only=True)
class Bench:
    """Everything an engine wants, faked; change what a test is about before ``engine()`` or ``run()``.

    ``root``: a folder of the test's own. ``programs``: found by name; others are missing. ``ask`` None: no terminal.
    ``living``: the processes that count as alive.
    """

    root: Path
    runner: ScriptedRunner = field(default_factory=ScriptedRunner)
    clock: FakeClock = field(default_factory=FakeClock)
    leases: ObjectStore = field(default_factory=MemoryObjectStore)
    records: ObjectStore | None = None
    secrets: ScriptedSecrets = field(default_factory=ScriptedSecrets)
    programs: Mapping[str, Path] = field(default_factory=dict)
    connection: Mapping[str, str | Secret] = field(default_factory=dict)
    reporters: tuple[Reporter, ...] = ()
    ask: Ask | None = None
    living: tuple[Child, ...] = ()
    log: CollectingReporter = field(default_factory=CollectingReporter)

    def engine(self) -> Engine:
        """The real engine. Its leases live on the machine's clock: the fake one runs ahead of their heartbeats."""
        return Engine(
            root=self.root,
            runs=self.root / ".platform" / "runs",
            host=self.runner,
            programs=self._program,
            content=self._content,
            secrets=self.secrets,
            redactor=self.runner.redactor,
            clock=self.clock,
            leases=self.leases,
            records=self.records,
            reporters=(self.log, *self.reporters),
            connection=self.connection,
            ask=self.ask,
            capacity=Capacity(cores=4.0, memory=4096),
            lease_clock=SystemClock(),
            jitter=random.Random(0),  # noqa: S311 - spreads retries, keeps nothing secret
            alive=lambda child: child in self.living,
        )

    def run(
        self, pipeline: Pipeline, environment: Environment, cancel: Cancel | None = None, **request: Any
    ) -> RunResult:
        """Runs the pipeline. Raises what a fake refused: an unscripted command is the test's fault, not the run's."""
        asked = Request(pipeline=pipeline, environment=environment, **{"actor": TESTER, **request})
        result = self.engine().run(asked, cancel)
        if isinstance(result.error, AssertionError):
            raise result.error
        return result

    def _program(self, name: str) -> Path:
        if name not in self.programs:
            raise PreconditionError(f"{name} is missing", hint=f"platformctl tools sync {name}")
        return self.programs[name]

    def _content(self, relative: str) -> Path:
        path = self.root / relative
        if not path.exists():
            raise PreconditionError(f"{relative} does not exist")
        return path


def run_pipeline(pipeline: Pipeline, environment: Environment, root: Path, **request: Any) -> RunResult:
    """Runs a pipeline once on a fresh bench; ``request`` holds further fields of engine.Request."""
    return Bench(root=root).run(pipeline, environment, **request)
