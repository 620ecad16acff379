"""What is asked of the engine and what it answers: values that the command line, Jenkins and tests share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.clock import Duration
from platformctl.core.errors import Status
from platformctl.engine.pipeline import Pipeline
from platformctl.engine.state import RunState
from platformctl.spec.environment import Environment

NO_WAIT = Duration(0.0)


@dataclass(frozen=True)
class Actor:
    """Who asks. ``groups`` come from the identity provider of whoever calls us; empty on a laptop."""

    name: str
    groups: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Question:
    """What a gate asks: shown by a terminal prompt, and by ``runs show`` while the run waits.

    ``proposals``: one line per step that proposes a change. ``approvers``: who may answer; empty means anyone who can
    write the record.
    """

    run: str
    stage: str
    environment: str
    text: str
    digest: str
    proposals: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    quorum: int = 1


Ask = Callable[[Question], bool | None]
"""Asks a person at the terminal: True approves, False rejects, None leaves the run waiting."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of ``platformctl run``.

    ``stages``: only these, in the pipeline's order; earlier ones must have finished. Empty means all.
    ``run_id``: creates the run of that id or goes on with it (Jenkins names it after the build). ``resume``: goes on
    with a run that must exist. With neither, a new id is made.
    ``approve``: the digest that the actor approves. ``auto_approve``: opens gates unasked, never in a protected
    environment. ``wait``: how long a gate may be waited for; None parks the run at once.
    ``lock_wait``: how long another run's lease may be waited for.
    ``tree``: ``engine.tree.working_tree``'s digest of the files that matter; approvals are bound to it.
    """

    pipeline: Pipeline
    environment: Environment
    actor: Actor
    parameters: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    run_id: str = ""
    resume: str = ""
    dry_run: bool = False
    approve: str = ""
    auto_approve: bool = False
    wait: Duration | None = None
    lock_wait: Duration = NO_WAIT
    url: str = ""
    revision: str = ""
    tree: str = ""


@dataclass(frozen=True)
class RunResult:
    """How a call ended. ``status`` is PENDING when the asked stages are done and others remain, WAITING when a gate has
    no answer yet. ``error`` decides the exit code (``core.errors.exit_code``); None when nothing stopped the run."""

    run_id: str
    directory: Path
    state: RunState
    error: BaseException | None = None

    @property
    def status(self) -> Status:
        """The run's status."""
        return self.state.status

    @property
    def changed(self) -> bool:
        """Whether any step altered something, or found a difference, in this run."""
        return self.state.changed

    def to_json(self) -> dict[str, Any]:
        """The form of ``run.json``."""
        return self.state.to_json()
