"""Runs one step: waits for what an interrupted attempt left behind, tries, tries again, journals the end."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.command import Child
from platformctl.core.errors import (
    LeaseHeld,
    PlatformError,
    PreconditionError,
    Status,
    TransientError,
    describe,
)
from platformctl.core.events import EventKind
from platformctl.engine.context import Context, Deadline
from platformctl.engine.disk import disk_errors, write_whole
from platformctl.engine.expand import StepInstance
from platformctl.engine.scope import RunScope, file_digest
from platformctl.engine.step import Artifact, ArtifactKind, RetryPolicy, StepResult

CHILD_PATIENCE = 600.0
"""Seconds that a resume waits for a process of the interrupted attempt; Terraform writes its state when interrupted."""

_CHILD_POLL = 0.5
_SCANNED = 16 * 1024 * 1024


def run_step(scope: RunScope, instance: StepInstance, cancel: Cancel, stage_deadline: Deadline) -> bool:
    """Runs the step to its end in this thread; True when it succeeded. Never raises."""
    clock = scope.engine.clock
    started = clock.monotonic()
    kind = instance.step.kind
    limit = scope.request.environment.deadlines.steps.get(kind, instance.step.deadline)
    own = Deadline(clock, limit.seconds, instance.name)
    deadline = own.within(stage_deadline)
    inner = Cancel(cancel)
    try:
        scope.fence()
        result = _attempts(scope, instance, inner, deadline)
        finished = _succeeded(scope, instance, result)
    except BaseException as error:  # noqa: BLE001 - a thread's end: whatever it is becomes the step's status
        finished = _stopped(scope, instance, inner.reason or error)
    detail = {**finished, "seconds": round(clock.monotonic() - started, 3)}
    _emit(scope, instance, EventKind.STEP_FINISHED, detail)
    scope.journal.end_log(instance.name)
    scope.publish_some(instance.stage)
    return bool(detail["status"] == Status.SUCCEEDED)


def retry_pause(policy: RetryPolicy, attempt: int, wished: float | None, factor: float) -> float:
    """Seconds until the attempt after ``attempt`` (from 1); ``factor`` is random, 0.5 to 1."""
    pause = min(policy.longest.seconds, policy.first.seconds * 2.0 ** (attempt - 1)) * factor
    return max(pause, wished or 0.0)


def _attempts(scope: RunScope, instance: StepInstance, cancel: Cancel, deadline: Deadline) -> StepResult:
    policy, clock = instance.step.retry, scope.engine.clock
    attempt = 1
    while True:
        _emit(scope, instance, EventKind.STEP_STARTED, {"kind": instance.step.kind, "attempt": attempt})
        cancel.check()  # also when the line before could not be written: nothing starts unrecorded
        if attempt == 1:
            _await_children(scope, instance, cancel, deadline)
        try:
            return instance.step.run(Context(scope, instance, cancel, deadline))
        except LeaseHeld:
            raise
        except TransientError as error:
            pause = retry_pause(policy, attempt, error.retry_after, scope.engine.jitter.uniform(0.5, 1.0))
            if attempt >= policy.attempts or pause >= deadline.left:
                raise
            detail = {"attempt": attempt, "seconds": round(pause, 3), "error": describe(error)}
            _emit(scope, instance, EventKind.STEP_RETRYING, detail)
            clock.wait(pause, cancel.event)
            cancel.check()
            attempt += 1


def _await_children(scope: RunScope, instance: StepInstance, cancel: Cancel, deadline: Deadline) -> None:
    """Waits for processes that the interrupted attempt started here and that still end. Raises PreconditionError."""
    clock = scope.engine.clock
    patience = Deadline(clock, CHILD_PATIENCE, instance.name).within(deadline)
    for detail in scope.interrupted.get(instance.name, ()):
        child = _child(detail)
        if child is None or not scope.engine.alive(child):
            continue
        message = f"waiting for {child.program} (pid {child.pid}), left by the interrupted attempt"
        _emit(scope, instance, EventKind.STEP_PROGRESS, {"message": message})
        while scope.engine.alive(child):
            if patience.left <= 0:
                raise PreconditionError(
                    f"{child.program} (pid {child.pid}) of the interrupted attempt still runs",
                    hint=f"look at it; end it with `kill -INT {child.pid}`, then resume again",
                )
            clock.wait(_CHILD_POLL, cancel.event)
            cancel.check()


def _child(detail: Mapping[str, Any]) -> Child | None:
    try:
        return Child(detail["pid"], detail["started"], detail["program"], detail["host"], detail["boot"])
    except KeyError:
        return None  # a lock, not a process


def _succeeded(scope: RunScope, instance: StepInstance, result: StepResult) -> dict[str, Any]:
    """The detail of a good end. Raises for a result that the record can't hold: the step's bug."""
    json.dumps(dict(result.outputs))
    return {
        "status": Status.SUCCEEDED.value,
        "changed": result.changed and not scope.request.dry_run,
        "outputs": dict(result.outputs),
        "artifacts": [_keep(scope, instance, artifact) for artifact in result.artifacts],
        "summary": result.summary,
    }


def _keep(scope: RunScope, instance: StepInstance, artifact: Artifact) -> dict[str, Any]:
    """Makes sure the artifact is in its place and fit to be shown; proposals also go to the store."""
    path = scope.directory.artifact_path(artifact.name, artifact.kind)
    with disk_errors(artifact.path):
        if artifact.path != path:
            write_whole(path, artifact.path.read_bytes(), mode=0o600)
        if artifact.kind is ArtifactKind.PRIVATE:
            path.chmod(0o600)
            return {"name": artifact.name, "kind": artifact.kind.value}
        content = path.read_bytes()
    text = content[:_SCANNED].decode(errors="replace")
    if scope.engine.redactor.redact(text) != text:
        path.unlink()
        raise PreconditionError(
            f"the artifact {artifact.name} held a secret in clear and was removed",
            hint=f"a bug of the step {instance.step.kind}: it must mask what it writes",
        )
    document = {"name": artifact.name, "kind": artifact.kind.value, "digest": file_digest(content)}
    if artifact.kind is ArtifactKind.PROPOSAL:
        json.loads(content)
        _check_unique(scope, instance, artifact.name)
        if scope.remote is not None:
            scope.remote.put_proposal(document["digest"], content)
    return document


def _check_unique(scope: RunScope, instance: StepInstance, name: str) -> None:
    for step in scope.state.steps():
        others = {artifact["name"] for artifact in step.artifacts if artifact.get("kind") == ArtifactKind.PROPOSAL}
        if step.name != instance.name and name in others:
            raise ValueError(f"{instance.name} and {step.name} both propose {name}")


def _stopped(scope: RunScope, instance: StepInstance, error: BaseException) -> dict[str, Any]:
    scope.failed(error)
    if isinstance(error, PlatformError):
        return {"status": error.status.value, "changed": False, "error": describe(error)}
    described = describe(error)
    path = scope.directory.private / f"traceback.{instance.name.replace('/', '.')}.txt"
    try:
        text = scope.engine.redactor.redact("".join(traceback.format_exception(error)))
        write_whole(path, text.encode(), mode=0o600)
        described["hint"] = f"the traceback is in {path}"
    except PlatformError as unwritable:
        described["hint"] = f"the traceback could not be written: {unwritable.message}"
    return {"status": Status.ERRORED.value, "changed": False, "error": described}


def _emit(scope: RunScope, instance: StepInstance, kind: EventKind, detail: Mapping[str, Any]) -> None:
    scope.journal.emit(kind, stage=instance.stage, step=instance.name, detail=detail)
