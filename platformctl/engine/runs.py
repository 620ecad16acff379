"""Looks at runs from outside: lists them, reads one, answers its question, ends one whose process is gone.

Reads what is on this machine and, with a state bucket, what other machines recorded there. Drives nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock, Duration
from platformctl.core.command import Child
from platformctl.core.errors import GateRejected, Status, UsageError
from platformctl.core.events import EventKind
from platformctl.core.objects import ObjectStore
from platformctl.core.secret import Redactor
from platformctl.engine.gates import Answer, Approvers, Verdict, same_digest
from platformctl.engine.journal import Journal
from platformctl.engine.lease import LEASE_TIMES, Holder, LeaseTimes, acquire, read_lease
from platformctl.engine.opening import answer_book, latest_record
from platformctl.engine.record import Recorded, RunDirectory, check_run_id, local_runs
from platformctl.engine.remote import RemoteRecord, RemoteRun, find_remote, list_remote
from platformctl.engine.request import Actor
from platformctl.engine.stages import run_lease
from platformctl.engine.state import GateState, RunState, derive
from platformctl.process.children import alive, current, here

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


@dataclass(frozen=True, kw_only=True)
class RunHistory:
    """The runs of one root, and of one state bucket when there is one.

    ``runs``: ``.platform/runs``. ``records`` and ``leases``: the state bucket; None looks at this machine only.
    ``lease_clock``: see Engine.
    """

    runs: Path
    clock: Clock
    redactor: Redactor
    records: ObjectStore | None = None
    leases: ObjectStore | None = None
    lease_times: LeaseTimes = LEASE_TIMES
    lease_clock: Clock | None = None
    alive: Callable[[Child], bool] = alive

    def list(self, environment: str = "") -> list[RunSummary]:
        """Every run of one environment, or of all, newest first: this machine's and the store's.

        A run that says RUNNING while nobody drives it is shown as ABORTED.
        """
        rows = {run.id: self._local_row(run) for run in local_runs(self.runs)}
        for run in list_remote(self.records, environment) if self.records is not None else ():
            known = rows.get(run.id)
            if known is None or not known.status.final:
                rows[run.id] = self._remote_row(run, known)
        wanted = (row for row in rows.values() if environment in ("", row.environment))
        return sorted(wanted, key=lambda row: row.id, reverse=True)

    def read(self, run_id: str, environment: str = "") -> RunState:
        """How a run stands. ``environment`` finds it in the store without looking through all of them.

        Raises UsageError when there is none.
        """
        directory = self.directory(run_id)
        recorded = directory.read() if directory.exists else Recorded((), ())
        stored = self._stored_lines(run_id, environment or derive(run_id, recorded.events).environment)
        recorded = latest_record(recorded, stored)
        if not recorded.events:
            raise UsageError(f"no run {run_id!r}", hint="platformctl runs list")
        state = derive(run_id, recorded.events)
        if state.status is Status.RUNNING and self._gone(state):
            state.status = Status.ABORTED
            state.warnings.append({"message": "the process of this run is gone", "hint": "--resume goes on with it"})
        return state

    def directory(self, run_id: str) -> RunDirectory:
        """The run's folder on this machine, which may not exist. Raises UsageError for what is no id."""
        return RunDirectory(self.runs / check_run_id(run_id))

    def answer(self, state: RunState, *, digest: str, verdict: Verdict, actor: Actor, comment: str = "") -> GateState:
        """Answers the question that the run waits with; returns it.

        Raises GateRejected: it asks nothing, it asks about another digest, the question has expired, the actor may not
        answer or answered otherwise before.
        """
        show = f"platformctl runs show {state.id}"
        if state.question is None:
            raise GateRejected(f"run {state.id} asks nothing now; it is {state.status}", hint=show)
        stage, question = state.question
        if not same_digest(digest, question.digest):
            raise GateRejected(
                f"the answer is for {digest}, but stage {stage} asks about {question.digest}",
                hint=f"look at what is proposed now: {show}",
            )
        approvers, now = _rules(question), self.clock.now()
        if approvers.too_late(question.asked, now):
            raise GateRejected(f"the question of stage {stage} has expired", hint="start a new run")
        book = answer_book(self.records, state.environment, self.directory(state.id))
        book.write(Answer(question.digest, verdict, actor.name, now, actor.groups, comment), approvers)
        return question

    def close(self, run_id: str, status: Status, actor: Actor, environment: str = "") -> RunState:
        """Ends a run whose process is gone, or that waits for an answer.

        Raises LeaseHeld while it is driven, UsageError when there is none or it has ended by itself.
        """
        before = self.read(run_id, environment)
        directory = self.directory(run_id)
        with directory.claim(), contextlib.ExitStack() as stack:
            journal = Journal(
                directory, redactor=self.redactor, clock=self.clock, reporters=(), on_broken=Cancel().stop
            )
            stack.callback(journal.close)
            remote = self._drive(before, actor, stack)
            local = directory.read() if directory.exists else Recorded((), ())
            stored = tuple(remote.lines()) if remote is not None else ()
            recorded = latest_record(local, stored)
            if recorded is not local:
                directory.replace_events(recorded.lines)
            journal.restore(recorded)
            if journal.state.status.final:
                raise UsageError(
                    f"run {run_id} has ended already: {journal.state.status}", hint=f"platformctl runs show {run_id}"
                )
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

    def _drive(self, state: RunState, actor: Actor, stack: contextlib.ExitStack) -> RemoteRecord | None:
        """Takes the run's lease in the store, waiting for a dead holder's to expire."""
        if self.records is None or self.leases is None:
            return None
        key, me = run_lease(state.environment, state.id), current()
        held = read_lease(self.leases, key)
        lease = acquire(
            self.leases,
            key,
            Holder(f"{actor} (pid {me.pid} on {me.host})", state.id),
            clock=self.lease_clock or self.clock,
            times=self.lease_times,
            wait=held.ttl + 1.0 if held is not None and not held.released and self._gone(state) else 0.0,
        )
        stack.callback(lease.release)
        remote = RemoteRecord(self.records, state.environment, state.id, self.clock)
        remote.adopt(lease.number, lease.verify)
        return remote

    def _stored_lines(self, run_id: str, environment: str) -> tuple[str, ...]:
        if self.records is None:
            return ()
        if not environment:
            found = find_remote(self.records, run_id)
            if found is None:
                return ()
            environment = found.environment
        return tuple(RemoteRecord(self.records, environment, run_id, self.clock).lines())

    def _gone(self, state: RunState) -> bool:
        """Whether nobody drives the run any more, as far as can be told from here at a glance."""
        with contextlib.suppress(KeyError):
            process = state.process
            child = Child(process["pid"], process["started"], "platformctl", process["host"], process["boot"])
            if here(child):
                return not self.alive(child)
        return self._lapsed(state.environment, state.id)

    def _lapsed(self, environment: str, run_id: str) -> bool:
        if self.leases is None or self.records is None:
            return False  # driven on another machine, and nothing here tells more
        lease = read_lease(self.leases, run_lease(environment, run_id))
        if lease is None or lease.released:
            return True
        silent = (self.clock.now() - datetime.fromisoformat(lease.renewed)).total_seconds()
        return silent > _SILENT * lease.ttl

    def _local_row(self, directory: RunDirectory) -> RunSummary:
        state = _summary(directory)
        status = Status(state["status"])
        if status is Status.RUNNING:
            derived = directory.state()  # run.json may be a little behind the events
            status = Status.ABORTED if derived.status is Status.RUNNING and self._gone(derived) else derived.status
        return RunSummary(
            directory.id, state["pipeline"], state["environment"], status, state["actor"], state["started"] or ""
        )

    def _remote_row(self, run: RemoteRun, known: RunSummary | None) -> RunSummary:
        status = run.status
        if known is not None and known.status is Status.RUNNING:
            status = known.status  # driven right here
        elif status is Status.RUNNING and self._lapsed(run.environment, run.id):
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


def _rules(question: GateState) -> Approvers:
    """Who may answer, as the question itself recorded it: this machine may not have the environment's file."""
    return Approvers(
        users=frozenset(question.users),
        groups=frozenset(question.groups),
        quorum=question.quorum,
        expires=Duration.parse(question.expires) if question.expires else None,
    )


def _publish(remote: RemoteRecord, journal: Journal, stored: tuple[str, ...]) -> None:
    state = journal.state
    begun = [(index, stage) for index, stage in enumerate(state.stages.values()) if stage.started or stage.gate]
    index, stage = begun[-1] if begun else next(iter(enumerate(state.stages.values())))
    remote.continue_after(len(stored))
    remote.push(journal.lines, pipeline=state.pipeline, index=index, stage=stage.name, status=state.status, close=True)


def _summary(directory: RunDirectory) -> Mapping[str, Any]:
    """``run.json``, or the same derived from the events when a crash came before it was written."""
    try:
        document: Mapping[str, Any] = json.loads((directory.path / "run.json").read_bytes())
        return document
    except (OSError, ValueError):
        return directory.state().to_json()
