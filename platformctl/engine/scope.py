"""What all parts of one running run share: the engine's means, the request, the record, the reason to stop."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platformctl.core.cancel import Cancel
from platformctl.core.errors import LeaseHeld, PlatformError, PreconditionError, Status, TransientError, describe
from platformctl.core.events import EventKind
from platformctl.engine.disk import disk_errors, write_whole
from platformctl.engine.gates import AnswerBook
from platformctl.engine.journal import Journal
from platformctl.engine.lease import Lease
from platformctl.engine.record import RunDirectory
from platformctl.engine.remote import RemoteRecord
from platformctl.engine.request import Request
from platformctl.engine.state import RunState, StepState
from platformctl.engine.step import ArtifactKind

if TYPE_CHECKING:
    from platformctl.engine.execute import Engine


def file_digest(content: bytes) -> str:
    """``sha256:...`` of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass
class RunScope:
    """One run while this process drives it.

    ``interrupted``: what earlier processes journaled about children, by step. ``approved``: the proposals that the last
    opened gate bound. ``leases``: those held now, checked before each step. ``errors``: what stopped steps, in time's
    order.
    """

    engine: Engine
    request: Request
    parameters: Mapping[str, str]
    directory: RunDirectory
    journal: Journal
    cancel: Cancel
    answers: AnswerBook
    remote: RemoteRecord | None = None
    interrupted: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    approved: dict[str, Any] | None = None
    leases: list[Lease] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.directory.id

    @property
    def state(self) -> RunState:
        """How the run stands now."""
        return self.journal.state

    def failed(self, error: BaseException) -> None:
        """Remembers what stopped a step; the first one is the run's."""
        with self._lock:
            self.errors.append(error)

    def lost(self, lease: Lease) -> Callable[[LeaseHeld], None]:
        """What to do when this lease is lost: record it and stop everything."""

        def stop(error: LeaseHeld) -> None:
            self.journal.emit(EventKind.LEASE_LOST, detail={"number": lease.number, "error": describe(error)})
            self.cancel.stop(error)

        return stop

    def fence(self) -> None:
        """Checks every held lease's number in the store. Raises LeaseHeld, or whatever the run was stopped with.

        A store that is out of reach is asked again until the lease's own watch gives up.
        """
        for lease in list(self.leases):
            while True:
                self.cancel.check()
                try:
                    lease.verify()
                    break
                except LeaseHeld:
                    raise
                except TransientError:
                    self.engine.clock.wait(1.0, self.cancel.event)

    def done(self, name: str) -> StepState | None:
        """The step, if it need not be done again: it succeeded with the same files, and what it proposed is here."""
        step = self.state.step(name)
        if step is None or step.status is not Status.SUCCEEDED or step.tree != self.request.tree:
            return None
        return step if all(self._has(artifact) for artifact in step.artifacts) else None

    def finished_before(self, stage: str) -> list[StepState]:
        """The steps of earlier stages that succeeded with the files as they are now."""
        found: list[StepState] = []
        for recorded in self.state.stages.values():
            if recorded.name == stage:
                break
            found += [
                step
                for step in recorded.steps.values()
                if step.status is Status.SUCCEEDED and step.tree == self.request.tree
            ]
        return found

    def proposals(self, stage: str) -> dict[str, Any]:
        """Every proposal of earlier stages, by name. Raises PreconditionError when one has been altered."""
        return {
            artifact["name"]: self._proposal(artifact)
            for step in self.finished_before(stage)
            for artifact in step.artifacts
            if artifact.get("kind") == ArtifactKind.PROPOSAL
        }

    def publish(self, stage: str, status: Status, *, close: bool) -> None:
        """Brings the store's record up to date at a stage's border. Raises LeaseHeld, TransientError."""
        if self.remote is not None and self.journal.broken is None:
            lines, index = list(self.journal.lines), self._index(stage)
            pipeline = self.request.pipeline.name
            self.remote.push(lines, pipeline=pipeline, index=index, stage=stage, status=status, close=close)

    def publish_some(self, stage: str) -> None:
        """The same within a stage, now and then; what can't be sent now is sent later."""
        if self.remote is None or self.journal.broken is not None:
            return
        lines, index = list(self.journal.lines), self._index(stage)
        try:
            self.remote.push_some(lines, pipeline=self.request.pipeline.name, index=index, stage=stage)
        except LeaseHeld as error:
            self.cancel.stop(error)
        except PlatformError as error:
            self.journal.warn(f"the record in {self.remote.store.describe()} is behind: {error.message}", stage=stage)

    def _index(self, stage: str) -> int:
        return [declared.name for declared in self.request.pipeline.stages].index(stage)

    def _has(self, artifact: Mapping[str, Any]) -> bool:
        """Whether a proposal is here unaltered; fetched from the store if need be. Other artifacts are for people."""
        if artifact.get("kind") != ArtifactKind.PROPOSAL:
            return True
        path = self.directory.artifact_path(artifact["name"], ArtifactKind.PROPOSAL)
        if path.is_file() and file_digest(path.read_bytes()) == artifact["digest"]:
            return True
        content = self.remote.proposal(artifact["digest"]) if self.remote is not None else None
        if content is None or file_digest(content) != artifact["digest"]:
            return False
        write_whole(path, content)
        return True

    def _proposal(self, artifact: Mapping[str, Any]) -> Any:
        path = self.directory.artifact_path(artifact["name"], ArtifactKind.PROPOSAL)
        with disk_errors(path):
            content = path.read_bytes()
        if file_digest(content) != artifact["digest"]:
            raise PreconditionError(
                f"the proposal {artifact['name']} was altered after it was made",
                hint=f"platformctl run --resume {self.run_id} makes it again",
            )
        return json.loads(content)
