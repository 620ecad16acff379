"""Opens a run for this process: makes it or finds it, here or in the state bucket, and closes it properly again."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from platformctl import __version__
from platformctl.core.cancel import Cancel
from platformctl.core.errors import PlatformError, UsageError
from platformctl.core.events import EventKind
from platformctl.core.objects import ObjectStore
from platformctl.engine.disk_store import DiskObjectStore
from platformctl.engine.expand import selected
from platformctl.engine.gates import AnswerBook
from platformctl.engine.journal import Journal
from platformctl.engine.parameters import check_names, resolve_parameters
from platformctl.engine.record import Recorded, RunDirectory, check_run_id, new_run_id, parse_events
from platformctl.engine.remote import RemoteRecord, run_prefix
from platformctl.engine.request import Request
from platformctl.engine.scope import RunScope
from platformctl.engine.stages import expanded, give_back, run_lease, take_lease
from platformctl.engine.state import RunState, derive
from platformctl.process.children import current

if TYPE_CHECKING:
    from platformctl.engine.execute import Engine

_EMPTY = Recorded((), ())


@contextlib.contextmanager
def opened(engine: Engine, request: Request, cancel: Cancel) -> Iterator[RunScope]:
    """The run, driven by this process and by no other until the end of the block.

    Raises UsageError (unknown run, stage or parameter; other parameters than before), LeaseHeld (another process drives
    it), PreconditionError (the folder can't be written), TransientError (the state bucket can't be reached).
    """
    _check_request(request)
    run_id = check_run_id(request.resume or request.run_id or new_run_id(engine.clock.now(), request.pipeline.name))
    directory = RunDirectory(engine.runs / run_id)
    with directory.claim():
        scope = _scope(engine, request, directory, cancel)
        lease = None
        try:
            if scope.remote is not None:
                _known(scope, scope.remote)
                lease = take_lease(scope, run_lease(request.environment.name, run_id), say=scope.journal.tell)
                scope.remote.adopt(lease.number, lease.verify)
            recorded = _load(scope)
            _restore(scope, recorded)
            yield scope
        finally:
            if lease is not None:
                give_back(scope, lease)
            scope.journal.close()


def latest_record(local: Recorded, stored: tuple[str, ...]) -> Recorded:
    """This machine's record where it goes on from the store's, else the store's.

    The store's wins a conflict: what this machine then has more was written after its lease was taken over.
    """
    if local.lines[: len(stored)] == stored:
        return local
    return parse_events("".join(f"{line}\n" for line in stored))


def answer_book(records: ObjectStore | None, environment: str, directory: RunDirectory) -> AnswerBook:
    """Where the run's answers are: beside its record in the state bucket, else in its own folder."""
    if records is not None:
        return AnswerBook(records, run_prefix(environment, directory.id))
    return AnswerBook(DiskObjectStore(directory.path), "")


def _check_request(request: Request) -> None:
    """What is wrong whatever was recorded: told before a folder is made or the state bucket is asked."""
    known = [stage.name for stage in request.pipeline.stages]
    for name in request.stages:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"{request.pipeline.name} has no stage {name!r}", hint=f"{meant}it has: {', '.join(known)}"
            )
    check_names(request.pipeline, request.parameters)
    for stage in request.pipeline.stages:
        if stage.each is not None:
            selected(stage, request.environment.graph(stage.each), request.parameters)


def _scope(engine: Engine, request: Request, directory: RunDirectory, cancel: Cancel) -> RunScope:
    remote = None
    if engine.records is not None and not request.dry_run:
        remote = RemoteRecord(engine.records, request.environment.name, directory.id, engine.clock)

    def broken(error: PlatformError) -> None:
        scope.cancel.stop(error)

    journal = Journal(
        directory, redactor=engine.redactor, clock=engine.clock, reporters=engine.reporters, on_broken=broken
    )
    scope = RunScope(
        engine=engine,
        request=request,
        parameters={},
        directory=directory,
        journal=journal,
        cancel=cancel,
        answers=answer_book(engine.records, request.environment.name, directory),
        remote=remote,
    )
    return scope


def _load(scope: RunScope) -> Recorded:
    """What was recorded so far; of this machine's record and the store's, the one that goes on from the other.

    Raises UsageError when there is none and the run was to be resumed.
    """
    local = scope.directory.read() if scope.directory.exists else _EMPTY
    recorded = local if scope.remote is None else _latest(scope, scope.remote, local)
    if scope.request.resume and not recorded.events:
        raise _unknown(scope.request.resume)
    return recorded


def _known(scope: RunScope, remote: RemoteRecord) -> None:
    """Raises UsageError for a run to resume that is neither here nor in the store, before it leaves a lease there."""
    if scope.request.resume and not scope.directory.exists and not remote.lines():
        raise _unknown(scope.request.resume)


def _unknown(run_id: str) -> UsageError:
    return UsageError(f"no run {run_id!r}", hint="platformctl runs list")


def _latest(scope: RunScope, remote: RemoteRecord, local: Recorded) -> Recorded:
    stored = tuple(remote.lines())
    remote.continue_after(len(stored))
    latest = latest_record(local, stored)
    if latest is not local:
        scope.directory.replace_events(stored)
    return latest


def _restore(scope: RunScope, recorded: Recorded) -> None:
    """Journals the start, or that this process goes on."""
    request, journal = scope.request, scope.journal
    driver: dict[str, Any] = {
        "actor": request.actor.name,
        "url": request.url,
        "tree": request.tree,
        "stages": [stage.name for stage in request.pipeline.stages],
        **{key: value for key, value in asdict(current()).items() if key != "program"},
    }
    if recorded.events:
        before = derive(scope.run_id, recorded.events)
        scope.parameters = _agreed(request, before)
        _check_items(scope)
        scope.interrupted = {step.name: tuple(step.children) for step in before.steps() if step.children}
        journal.restore(recorded)
        journal.emit(EventKind.RUN_RESUMED, detail=driver)
        return
    scope.parameters = resolve_parameters(request.pipeline, request.parameters)
    _check_items(scope)
    start = {
        "pipeline": request.pipeline.name,
        "environment": request.environment.name,
        "timezone": request.environment.timezone,
        "parameters": dict(scope.parameters),
        "dry_run": request.dry_run,
        "revision": request.revision,
        "version": __version__,
    }
    journal.emit(EventKind.RUN_STARTED, detail={**start, **driver})


def _check_items(scope: RunScope) -> None:
    """Raises UsageError before anything starts when a parameter names a stack, addon or service that is not there."""
    for stage in scope.request.pipeline.stages:
        expanded(scope, stage)


def _agreed(request: Request, before: RunState) -> dict[str, str]:
    """The parameters the run began with. Raises UsageError when the request contradicts what it is."""
    facts = [
        ("pipeline", before.pipeline, request.pipeline.name),
        ("environment", before.environment, request.environment.name),
        ("dry run", str(before.dry_run).lower(), str(request.dry_run).lower()),
        *((name, before.parameters.get(name, ""), value) for name, value in request.parameters.items()),
    ]
    for subject, was, wanted in facts:
        if was != wanted:
            raise UsageError(
                f"run {before.id} began with {subject} {was!r}, not {wanted!r}",
                hint="a run goes on as it began; start a new one for something else",
            )
    return resolve_parameters(request.pipeline, before.parameters)
