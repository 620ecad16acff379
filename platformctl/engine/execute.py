"""The engine: everything a run needs, handed in, and the one call that runs a pipeline."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import CommandHost
from platformctl.core.events import Reporter
from platformctl.core.objects import ObjectStore
from platformctl.core.secret import Redactor, Secret, SecretResolver
from platformctl.engine.lease import LEASE_TIMES, LeaseTimes
from platformctl.engine.request import Ask, Request, RunResult
from platformctl.engine.schedule import Capacity
from platformctl.engine.step import ProgramFinder


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What runs pipelines. Every effect is a field, so a test hands in its own.

    ``root``: the folder of ``platform.yaml``. ``runs``: ``.platform/runs`` under it.
    ``host``: starts processes. ``programs``: finds external programs. ``content``: finds a file of ours in the root or
    in the wheel; raises PreconditionError. ``connection``: variables that reach the sandbox; empty otherwise.
    ``leases``: where leases live, the state bucket or else a directory of this user's on this machine.
    ``records``: where run records are kept too, the state bucket; None without one.
    ``ask``: asks at the terminal; None without one. ``capacity``: what may run at once; None measures the machine.
    ``lease_clock``: the clock of heartbeats and expiry, ``clock`` when None; tests whose clock runs by itself set it.
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
    jitter: random.Random = field(default_factory=random.Random)

    def run(self, request: Request, cancel: Cancel | None = None, hurry: Cancel | None = None) -> RunResult:
        """Runs, or goes on with, what ``request`` asks.

        ``cancel`` ends the work (Ctrl-C); stages that always run still do. ``hurry`` ends those too. What stopped the
        run is in the result's ``error``; raised is only what kept it from starting: UsageError, PreconditionError,
        LeaseHeld (another process drives this very run), TransientError (the record can't be reached).
        """
        raise NotImplementedError
