"""A process that runs a real pipeline of real child processes, and dies where it is told to: for the tests beside it.

    python -m tests.integration.engine.drive '{"root": "...", "run_id": "r1"}'

Every step appends its name to ``<root>/done.txt`` from a child process. ``die``: ``after-step`` kills this process (-9)
as soon as its first step has been journaled as finished, ``in-child`` when its first child has been journaled, random
``after:N`` after N events. ``slow``: the child of that step sleeps for a minute first.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Duration, SystemClock
from platformctl.core.command import Command
from platformctl.core.errors import PlatformError, exit_code
from platformctl.core.events import Event, EventKind
from platformctl.engine.disk_store import DiskObjectStore
from platformctl.engine.execute import Engine
from platformctl.engine.lease import LeaseTimes
from platformctl.engine.pipeline import Gate, Pipeline, Stage
from platformctl.engine.request import Actor, Request
from platformctl.engine.schedule import Capacity
from platformctl.engine.step import Step, StepContext, StepResult, option
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.process.signals import stopping
from platformctl.testing.pipeline import ScriptedSecrets
from tests.pipelines.engine.environments import an_environment

STACKS: dict[str, tuple[str, ...]] = {"network": (), "cluster": ("network",)}
TIMES = LeaseTimes(ttl=1.2, heartbeat=0.2, margin=0.4)
WORK = """
import sys, time
time.sleep(float(sys.argv[3]))
with open(sys.argv[1], "a") as file:
    file.write(sys.argv[2] + "\\n")
"""


@dataclass(frozen=True, kw_only=True)
class Child(Step):
    """Does its work in a child process."""

    kind = "child"
    deadline: ClassVar[Duration] = Duration(120.0)
    item: str = option("Which.")
    slow: str = option("The step that takes a minute.", default="")

    def run(self, context: StepContext) -> StepResult:
        """Starts the child and waits for it."""
        pause = "60" if context.step_name == self.slow else "0"
        argv = (sys.executable, "-I", "-S", "-c", WORK, str(context.root / "done.txt"), context.step_name, pause)
        context.runner.run(Command(argv, timeout=100.0, grace=0.5))
        return StepResult(changed=True)


@dataclass
class Death:
    """Kills this process at the moment it was told to; the record has the event by then."""

    when: str
    events: int = 0

    def handle(self, event: Event) -> None:
        """Dies, or does not."""
        if event.kind is EventKind.STEP_LINE:
            return
        self.events += 1
        print(f"{event.kind} {event.stage} {event.step}", flush=True)  # noqa: T201 - the test reads along
        finished = event.kind is EventKind.STEP_FINISHED and event.detail["status"] == "SUCCEEDED"
        if (
            (self.when == "after-step" and finished)
            or (self.when == "in-child" and event.kind is EventKind.STEP_CHILD)
            or self.when == f"after:{self.events}"
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        """Nothing to close."""


def pipeline(slow: str) -> Pipeline:
    def steps(item: str) -> tuple[Step, ...]:
        return (Child(item=item, slow=slow),)

    return Pipeline(
        "drive",
        "For tests.",
        (
            Stage("plan", steps, each="stacks"),
            Stage("apply", steps, each="stacks", lease=True, gate=Gate("Go on?", unless_empty=False)),
            Stage("verify", steps, each="stacks"),
        ),
    )


def main(told: dict[str, str]) -> int:
    root = Path(told["root"])
    store = DiskObjectStore(root / "bucket")
    redactor = KnownSecrets()

    def missing(name: str) -> Path:
        raise FileNotFoundError(name)

    engine = Engine(
        root=root,
        runs=root / told.get("runs", "runs"),
        host=ProcessHost(redactor, SystemClock()),
        programs=missing,
        content=missing,
        secrets=ScriptedSecrets(),
        redactor=redactor,
        clock=SystemClock(),
        leases=store,
        records=store if told.get("records") else None,
        reporters=(Death(told.get("die", "")),),
        capacity=Capacity(cores=2.0, memory=4096),
        lease_times=TIMES,
    )
    request = Request(
        pipeline=pipeline(told.get("slow", "")),
        environment=an_environment(STACKS),
        actor=Actor("driver"),
        run_id=told["run_id"],
        auto_approve=True,
        lock_wait=Duration.parse(told.get("lock_wait", "0s")),
    )
    cancel, hurry = Cancel(), Cancel()
    with stopping(cancel, hurry):
        try:
            error = engine.run(request, cancel, hurry).error
        except PlatformError as refused:
            error = refused
    if error is not None:
        print(f"error: {error}", flush=True)  # noqa: T201 - the test reads along
    return exit_code(error) if error is not None else 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
