"""Runs one stage: what is left to do of it, its gate, its lease, its steps in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from platformctl.core.errors import CommandTimedOut, PlatformError, Status, describe
from platformctl.core.events import EventKind
from platformctl.engine.asking import open_gate
from platformctl.engine.attempt import run_step
from platformctl.engine.context import Deadline
from platformctl.engine.expand import ALONE, StepInstance, expand, selected
from platformctl.engine.lease import Holder, Lease, LeaseRecord, acquire, read_lease
from platformctl.engine.pipeline import Stage
from platformctl.engine.schedule import Capacity, Node, Skipped, run_graph
from platformctl.engine.scope import RunScope
from platformctl.process.children import current


def environment_lease(name: str) -> str:
    """The key of an environment's lease."""
    return f"leases/environments/{name}.json"


def run_lease(environment: str, run_id: str) -> str:
    """The key of a run's own lease: one process at a time drives a run."""
    return f"leases/runs/{environment}/{run_id}.json"


def expanded(scope: RunScope, stage: Stage) -> tuple[StepInstance, ...]:
    """The stage's steps for this run's environment and parameters. Raises UsageError for an unknown item."""
    graph = scope.request.environment.graph(stage.each) if stage.each is not None else ALONE
    return expand(stage, graph, selected(stage, graph, scope.parameters))


def finished(scope: RunScope, stage: Stage) -> bool:
    """Whether the stage is done, each step of it with the files as they are now."""
    recorded = scope.state.stages.get(stage.name)
    if recorded is None or recorded.status is not Status.SUCCEEDED:
        return False
    return all(scope.done(instance.name) is not None for instance in expanded(scope, stage))


def remember_approved(scope: RunScope, stage: Stage) -> None:
    """What the gate of a stage that is not run again had bound, stays bound for the stages after it."""
    recorded = scope.state.stages.get(stage.name)
    if stage.gate is not None and recorded is not None and recorded.status is Status.SUCCEEDED:
        scope.approved = scope.proposals(stage.name)


def run_stage(scope: RunScope, stage: Stage) -> None:
    """Runs what is left of the stage. Raises what stopped it: a step's error, a gate's, a lost lease, Ctrl-C."""
    scope.cancel.check()
    if finished(scope, stage):
        remember_approved(scope, stage)
        return
    instances = expanded(scope, stage)
    todo = [instance for instance in instances if scope.done(instance.name) is None]
    started = scope.engine.clock.monotonic()
    try:
        if todo and stage.gate is not None and not scope.request.dry_run:
            scope.approved = open_gate(scope, stage, stage.gate)
        with _leased(scope, stage if todo else None):
            _begin(scope, stage, instances)
            _run_steps(scope, stage, todo)
    except PlatformError as error:
        if error.status is not Status.WAITING:
            _end(scope, stage, error.status, started, error)
        raise
    except Exception as bug:
        _end(scope, stage, Status.ERRORED, started, bug)
        raise
    _end(scope, stage, Status.SUCCEEDED, started, None)


def holder(scope: RunScope) -> Holder:
    """This process, as a lease names it."""
    me = current()
    return Holder(f"{scope.request.actor} (pid {me.pid} on {me.host})", scope.run_id, scope.request.url)


def take_lease(scope: RunScope, key: str, *, say: Callable[[str], None]) -> Lease:
    """Takes a lease and keeps it; ``say`` hears of whom we wait for. Raises LeaseHeld.

    One that an earlier process of this very run holds is waited for until it expires: that process is dead, because
    only one drives a run at a time.
    """
    engine, wait = scope.engine, scope.request.lock_wait.seconds
    current = read_lease(engine.leases, key)
    if current is not None and not current.released and current.holder.run == scope.run_id:
        wait = max(wait, current.ttl + engine.lease_times.heartbeat)
    lease = acquire(
        engine.leases,
        key,
        holder(scope),
        clock=engine.lease_clock or engine.clock,
        times=engine.lease_times,
        wait=wait,
        cancel=scope.cancel,
        on_wait=lambda record: say(_waiting(key, record, wait)),
    )
    lease.keep(scope.lost(lease))
    scope.leases.append(lease)
    return lease


def give_back(scope: RunScope, lease: Lease) -> bool:
    """Releases a lease; True when it was still ours. One that can't be released lapses by itself, and that is said."""
    scope.leases.remove(lease)
    ours = lease.lost is None
    try:
        lease.release()
    except PlatformError as error:
        lapses = f"it lapses in {scope.engine.lease_times.ttl:g} s"
        scope.journal.warn(f"a lease could not be released: {error.message}", lapses)
        return False
    return ours


@contextlib.contextmanager
def _leased(scope: RunScope, stage: Stage | None) -> Iterator[None]:
    """Holds the environment's lease around a stage that changes it."""
    if stage is None or not stage.lease or scope.request.dry_run:
        yield
        return
    lease = take_lease(scope, environment_lease(scope.request.environment.name), say=scope.journal.warn)
    detail: dict[str, object] = {"number": lease.number}
    if lease.took_over is not None:
        detail["took_over"] = f"{lease.took_over.name} (run {lease.took_over.run})"
    scope.journal.emit(EventKind.LEASE_ACQUIRED, stage=stage.name, detail=detail)
    try:
        yield
    finally:
        if give_back(scope, lease):
            scope.journal.emit(EventKind.LEASE_RELEASED, stage=stage.name, detail={"number": lease.number})


def _waiting(key: str, record: LeaseRecord, wait: float) -> str:
    run = record.holder.run
    return f"waiting up to {wait:g} s for {key}, held by {record.holder.name} since {record.since} (run {run})"


def _begin(scope: RunScope, stage: Stage, instances: Sequence[StepInstance]) -> None:
    done = {step.name: step for step in (scope.done(instance.name) for instance in instances) if step is not None}
    steps = [
        {"name": instance.name, "kind": instance.step.kind, "needs": list(instance.needs)} for instance in instances
    ]
    scope.journal.emit(EventKind.STAGE_STARTED, stage=stage.name, detail={"steps": steps})
    for name, step in done.items():
        detail = {
            "status": Status.SKIPPED.value,
            "changed": False,
            "outputs": step.outputs,
            "artifacts": list(step.artifacts),
            "summary": f"done before: {step.summary}" if step.summary else "done before",
        }
        scope.journal.emit(EventKind.STEP_FINISHED, stage=stage.name, step=name, detail=detail)
    scope.publish(stage.name, Status.RUNNING, close=False)


def _run_steps(scope: RunScope, stage: Stage, todo: Sequence[StepInstance]) -> None:
    by_name = {instance.name: instance for instance in todo}
    nodes = [
        Node(instance.name, tuple(need for need in instance.needs if need in by_name), instance.step.cost)
        for instance in todo
    ]
    limit = scope.request.environment.deadlines.stages.get(stage.name, stage.deadline)
    deadline = Deadline(scope.engine.clock, limit.seconds, f"stage {stage.name}")
    cancel, before = scope.cancel, len(scope.errors)

    def skip(skipped: Skipped) -> None:
        if skipped.because:
            summary = f"needs {skipped.because}, which did not succeed"
        elif cancel.reason is not None:
            summary = f"not started: {cancel.reason.message}"
        else:
            summary = "not started: another step failed" if deadline.left > 0 else "not started: out of time"
        detail = {"status": Status.SKIPPED.value, "changed": False, "summary": summary}
        scope.journal.emit(EventKind.STEP_FINISHED, stage=stage.name, step=skipped.name, detail=detail)

    ok = run_graph(
        nodes,
        lambda node: run_step(scope, by_name[node.name], cancel, deadline),
        capacity=scope.engine.capacity or Capacity.measure(),
        stopped=lambda: cancel.reason is not None or deadline.left <= 0,
        on_skip=skip,
    )
    if ok:
        return
    cancel.check()
    if len(scope.errors) > before:
        raise scope.errors[before]
    raise CommandTimedOut(deadline.subject, deadline.seconds, hint="steps were left that had not started")


def _end(scope: RunScope, stage: Stage, status: Status, started: float, error: BaseException | None) -> None:
    detail: dict[str, object] = {
        "status": status.value,
        "seconds": round(scope.engine.clock.monotonic() - started, 3),
    }
    if error is not None:
        detail["error"] = describe(error)
    scope.journal.emit(EventKind.STAGE_FINISHED, stage=stage.name, detail=detail)
    if status is Status.SUCCEEDED:
        scope.publish(stage.name, Status.RUNNING, close=True)
