"""The engine: everything a run needs, handed in, and the one call that runs a pipeline."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import Child, CommandHost
from platformctl.core.errors import GateWaiting, PlatformError, PreconditionError, Status, describe
from platformctl.core.events import EventKind, Reporter
from platformctl.core.objects import ObjectStore
from platformctl.core.secret import Redactor, Secret, SecretResolver
from platformctl.engine.journal import redact_error
from platformctl.engine.lease import LEASE_TIMES, LeaseTimes
from platformctl.engine.opening import opened
from platformctl.engine.pipeline import Stage
from platformctl.engine.request import Ask, Request, RunResult
from platformctl.engine.schedule import Capacity
from platformctl.engine.scope import RunScope
from platformctl.engine.stages import finished, remember_approved, run_stage
from platformctl.engine.step import ProgramFinder
from platformctl.process.children import alive


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What runs pipelines. Every effect is a field, so a test hands in its own.

    ``root``: the folder of ``platform.yaml``. ``runs``: ``.platform/runs`` under it.
    ``host``: starts processes. ``programs``: finds external programs. ``content``: finds a file of ours in the root or
    in the wheel; raises PreconditionError. ``connection``: variables that reach the sandbox; empty otherwise.
    ``leases``: where leases live, the state bucket or else a directory of this user's on this machine.
    ``records``: where run records are kept too, the state bucket; None without one.
    ``ask``: asks at the terminal; None without one. ``capacity``: what may run at once; None measures the machine.
    ``alive``: whether a process still runs on this machine. ``lease_clock``: the clock of heartbeats and expiry,
    ``clock`` when None; tests whose clock runs by itself set it.
    """

    root: Path
    runs: Path
    host: CommandHost
    programs: ProgramFinder
    content: Callable[[str], Path]
    secrets: SecretResolver
    redactor: Redactor
    clock: Clock
    leases: ObjectStore
    records: ObjectStore | None = None
    reporters: tuple[Reporter, ...] = ()
    connection: Mapping[str, str | Secret] = field(default_factory=dict)
    ask: Ask | None = None
    capacity: Capacity | None = None
    lease_times: LeaseTimes = LEASE_TIMES
    lease_clock: Clock | None = None
    alive: Callable[[Child], bool] = alive
    jitter: random.Random = field(default_factory=random.Random)

    def run(self, request: Request, cancel: Cancel | None = None, hurry: Cancel | None = None) -> RunResult:
        """Runs, or goes on with, what ``request`` asks.

        ``cancel`` ends the work (Ctrl-C); stages that always run still do. ``hurry`` ends those too. What stopped the
        run is in the result's ``error``; raised is only what kept it from starting: UsageError, PreconditionError,
        LeaseHeld (another process drives this very run), TransientError (the record can't be reached).
        """
        work, last = cancel or Cancel(), hurry or Cancel()
        with opened(self, request, work) as scope:
            error = _run_stages(scope, last)
            _finish(scope, error)
        return RunResult(scope.run_id, scope.directory.path, scope.state, error)


def _run_stages(scope: RunScope, hurry: Cancel) -> BaseException | None:
    """Runs the stages in order; what stopped the run, None when nothing did."""
    error: BaseException | None = None
    for stage in scope.request.pipeline.stages:
        if not _wanted(scope, stage):
            continue
        if error is not None and not stage.always:
            continue
        try:
            _check_earlier(scope, stage, failed=error is not None)
            run_stage(scope, stage)
        except GateWaiting as waiting:
            return error or waiting
        except Exception as stopped:  # noqa: BLE001 - becomes the run's status; cli turns it into the exit code
            if error is None:
                error = stopped
                # What always runs is not stopped by the reason that stopped the rest.
                scope.cancel = hurry
        if scope.journal.broken is not None:
            return scope.journal.broken
    return error


def _wanted(scope: RunScope, stage: Stage) -> bool:
    """Whether the stage is asked for; one that is not, but had its gate opened, still binds what was approved."""
    asked = scope.request.stages
    if not asked or stage.name in asked:
        return True
    remember_approved(scope, stage)
    return False


def _check_earlier(scope: RunScope, stage: Stage, *, failed: bool) -> None:
    """With ``--stage``, earlier stages must have finished, with the files as they are. Raises PreconditionError."""
    if not scope.request.stages or stage.always or failed:
        return
    for earlier in scope.request.pipeline.stages:
        if earlier.name == stage.name:
            return
        if not earlier.always and not finished(scope, earlier):
            raise PreconditionError(
                f"stage {earlier.name} comes before {stage.name} and has not finished with the files as they are now",
                hint=(
                    f"platformctl run {scope.request.pipeline.name} --env {scope.request.environment.name} "
                    f"--run-id {scope.run_id} --stage {earlier.name}"
                ),
            )


def _finish(scope: RunScope, error: BaseException | None) -> None:
    """Journals how the run stands now, and brings the store up to date. Raises nothing: the run is over."""
    detail: dict[str, Any] = {"status": _status(scope, error).value, "changed": scope.state.changed}
    if scope.state.started is not None:
        detail["seconds"] = round((scope.engine.clock.now() - scope.state.started).total_seconds(), 3)
    if error is not None:
        redact_error(error, scope.engine.redactor)
        detail["error"] = describe(error)
    scope.journal.emit(EventKind.RUN_FINISHED, detail=detail)
    last = next(reversed([stage for stage in scope.state.stages.values() if stage.started or stage.gate]), None)
    try:
        if last is not None:
            scope.publish(last.name, scope.state.status, close=True)
    except PlatformError as unsent:
        scope.journal.warn(f"the record could not be brought up to date: {unsent.message}", unsent.hint)


def _status(scope: RunScope, error: BaseException | None) -> Status:
    if isinstance(error, PlatformError):
        return error.status
    if error is not None:
        return Status.ERRORED
    stages = (scope.state.stages[stage.name] for stage in scope.request.pipeline.stages)
    done = all(stage.status is Status.SUCCEEDED for stage in stages)
    return Status.SUCCEEDED if done else Status.PENDING
