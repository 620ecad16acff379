"""Looks at runs from outside: lists them, reads one, answers its question, ends one whose process is gone.

Reads what is on this machine and, with a state bucket, what other machines recorded there. Drives nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Duration
from platformctl.core.command import Child
from platformctl.core.errors import GateRejected, Status, UsageError
from platformctl.core.events import EventKind
from platformctl.engine.gates import Answer, AnswerBook, Approvers, Verdict, same_digest
from platformctl.engine.journal import Journal
from platformctl.engine.lease import Holder, acquire, read_lease
from platformctl.engine.opening import answer_book, latest_record
from platformctl.engine.record import Recorded, RunDirectory, check_run_id, local_runs
from platformctl.engine.remote import RemoteRecord, RemoteRun, list_remote
from platformctl.engine.request import Actor
from platformctl.engine.stages import run_lease
from platformctl.engine.state import GateState, RunState, derive
from platformctl.process.children import current, here

if TYPE_CHECKING:
    from platformctl.engine.execute import Engine

_SILENT = 4
"""So many of its own lifetimes without a heartbeat, by wall clocks, and a lease is shown as lapsed. Only shown: who
wants to take it over must watch it."""


@dataclass(frozen=True)
class RunSummary:
    """One row of ``runs list``. ``local``: its folder is on this machine."""

    id: str
    pipeline: str
    environment: str
    status: Status
    actor: str = ""
    started: str = ""
    local: bool = True

    def to_json(self) -> dict[str, Any]:
        """The row for machines."""
        return {
            "id": self.id,
            "pipeline": self.pipeline,
            "environment": self.environment,
            "status": str(self.status),
            "actor": self.actor,
            "started": self.started,
            "local": self.local,
        }


def list_runs(engine: Engine, environment: str = "") -> list[RunSummary]:
    """Every run of one environment, or of all, newest first: this machine's and the store's.

    A run that says RUNNING while nobody drives it is shown as ABORTED.
    """
    rows = {run.id: _local_row(engine, run) for run in local_runs(engine.runs)}
    for run in list_remote(engine.records, environment) if engine.records is not None else ():
        known = rows.get(run.id)
        if known is None or not known.status.final:
            rows[run.id] = _remote_row(engine, run, known)
    wanted = (row for row in rows.values() if environment in ("", row.environment))
    return sorted(wanted, key=lambda row: row.id, reverse=True)


def read_run(engine: Engine, run_id: str, environment: str) -> RunState:
    """How a run stands. ``environment`` finds it in the store; not needed for one of this machine.

    Raises UsageError when there is none.
    """
    directory = RunDirectory(engine.runs / check_run_id(run_id))
    recorded = directory.read() if directory.exists else Recorded((), ())
    if engine.records is not None:
        stored = _stored_lines(engine, run_id, environment or derive(run_id, recorded.events).environment)
        recorded = latest_record(recorded, stored)
    if not recorded.events:
        raise UsageError(f"no run {run_id!r}", hint="platformctl runs list")
    state = derive(run_id, recorded.events)
    if state.status is Status.RUNNING and _gone(engine, state):
        state.status = Status.ABORTED
        state.warnings.append(
            {"message": "the process of this run is gone", "hint": "go on with --resume, or close it"}
        )
    return state


def answer_run(
    engine: Engine, state: RunState, *, digest: str, verdict: Verdict, actor: Actor, comment: str = ""
) -> GateState:
    """Answers the question that the run waits with; returns it.

    Raises GateRejected: it asks nothing, it asks about another digest, the question has expired, the actor may not
    answer or answered otherwise before.
    """
    waiting = state.question
    if waiting is None:
        raise GateRejected(
            f"run {state.id} asks nothing now; it is {state.status}", hint=f"platformctl runs show {state.id}"
        )
    stage, question = waiting
    if not same_digest(digest, question.digest):
        raise GateRejected(
            f"the answer is for {digest}, but stage {stage} asks about {question.digest}",
            hint=f"look at what is proposed now: platformctl runs show {state.id}",
        )
    approvers, now = _rules(question), engine.clock.now()
    if approvers.too_late(question.asked, now):
        raise GateRejected(f"the question of stage {stage} has expired", hint="start a new run")
    book: AnswerBook = answer_book(engine, state.environment, RunDirectory(engine.runs / state.id))
    book.write(Answer(question.digest, verdict, actor.name, now, actor.groups, comment), approvers)
    return question


def close_run(engine: Engine, run_id: str, environment: str, status: Status, actor: Actor) -> RunState:
    """Ends a run whose process is gone. Raises LeaseHeld while somebody drives it, UsageError when there is none."""
    before = read_run(engine, run_id, environment)
    directory = RunDirectory(engine.runs / run_id)
    with directory.claim(), contextlib.ExitStack() as stack:
        journal = Journal(
            directory, redactor=engine.redactor, clock=engine.clock, reporters=(), on_broken=Cancel().stop
        )
        stack.callback(journal.close)
        remote = _drive(engine, before, actor, stack)
        local = directory.read() if directory.exists else Recorded((), ())
        stored = tuple(remote.lines()) if remote is not None else ()
        recorded = latest_record(local, stored)
        if recorded is not local:
            directory.replace_events(recorded.lines)
        journal.restore(recorded)
        detail: dict[str, Any] = {
            "status": status.value,
            "changed": journal.state.changed,
            "error": {"type": "Closed", "message": f"closed by {actor}", "hint": ""},
        }
        journal.emit(EventKind.RUN_FINISHED, detail=detail)
        if journal.broken is not None:
            raise journal.broken
        if remote is not None:
            _publish(remote, journal, stored)
        return journal.state


def _rules(question: GateState) -> Approvers:
    """Who may answer, as the question itself recorded it: this machine may not have the environment's file."""
    return Approvers(
        users=frozenset(question.users),
        groups=frozenset(question.groups),
        quorum=question.quorum,
        expires=Duration.parse(question.expires) if question.expires else None,
    )


def _drive(engine: Engine, state: RunState, actor: Actor, stack: contextlib.ExitStack) -> RemoteRecord | None:
    """Takes the run's lease in the store, waiting for a dead holder's to expire."""
    if engine.records is None:
        return None
    key = run_lease(state.environment, state.id)
    me = current()
    held = read_lease(engine.leases, key)
    clock = engine.lease_clock or engine.clock
    lease = acquire(
        engine.leases,
        key,
        Holder(f"{actor} (pid {me.pid} on {me.host})", state.id),
        clock=clock,
        times=engine.lease_times,
        wait=held.ttl + 1.0 if held is not None and not held.released and _gone(engine, state) else 0.0,
    )
    stack.callback(lease.release)
    remote = RemoteRecord(engine.records, state.environment, state.id, engine.clock)
    remote.adopt(lease.number, lease.verify)
    return remote


def _publish(remote: RemoteRecord, journal: Journal, stored: tuple[str, ...]) -> None:
    state = journal.state
    begun = [(index, stage) for index, stage in enumerate(state.stages.values()) if stage.started or stage.gate]
    index, stage = begun[-1] if begun else next(iter(enumerate(state.stages.values())))
    remote.continue_after(len(stored))
    remote.push(journal.lines, pipeline=state.pipeline, index=index, stage=stage.name, status=state.status, close=True)


def _stored_lines(engine: Engine, run_id: str, environment: str) -> tuple[str, ...]:
    if engine.records is None:
        return ()
    if not environment:
        found = next((run for run in list_remote(engine.records) if run.id == run_id), None)
        if found is None:
            return ()
        environment = found.environment
    return tuple(RemoteRecord(engine.records, environment, run_id, engine.clock).lines())


def _gone(engine: Engine, state: RunState) -> bool:
    """Whether nobody drives the run any more, as far as can be told from here at a glance."""
    with contextlib.suppress(KeyError):
        process = state.process
        child = Child(process["pid"], process["started"], "platformctl", process["host"], process["boot"])
        if here(child):
            return not engine.alive(child)
    return engine.records is not None and _lapsed(engine, state.environment, state.id)


def _lapsed(engine: Engine, environment: str, run_id: str) -> bool:
    lease = read_lease(engine.leases, run_lease(environment, run_id))
    if lease is None or lease.released:
        return True
    return (engine.clock.now() - datetime.fromisoformat(lease.renewed)).total_seconds() > _SILENT * lease.ttl


def _local_row(engine: Engine, directory: RunDirectory) -> RunSummary:
    state = _summary(directory)
    status = Status(state["status"])
    if status is Status.RUNNING:
        derived = directory.state()  # run.json may be a little behind the events
        status = Status.ABORTED if derived.status is Status.RUNNING and _gone(engine, derived) else derived.status
    return RunSummary(
        directory.id, state["pipeline"], state["environment"], status, state["actor"], state["started"] or ""
    )


def _summary(directory: RunDirectory) -> Mapping[str, Any]:
    """``run.json``, or the same derived from the events when a crash came before it was written."""
    try:
        document: Mapping[str, Any] = json.loads((directory.path / "run.json").read_bytes())
        return document
    except (OSError, ValueError):
        return directory.state().to_json()


def _remote_row(engine: Engine, run: RemoteRun, known: RunSummary | None) -> RunSummary:
    status = run.status
    if known is not None and known.status is Status.RUNNING:
        status = known.status  # driven right here
    elif status is Status.RUNNING and _lapsed(engine, run.environment, run.id):
        status = Status.ABORTED
    return RunSummary(
        run.id,
        run.pipeline,
        run.environment,
        status,
        known.actor if known else "",
        known.started if known else "",
        local=known is not None,
    )
