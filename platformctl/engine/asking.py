"""Opens a stage's gate, or says why it stays shut: asks, collects answers, waits, parks."""

from __future__ import annotations

from typing import Any

from platformctl.core.errors import GateRejected, GateWaiting, Status
from platformctl.core.events import EventKind
from platformctl.engine.context import Deadline
from platformctl.engine.gates import Answer, Approvers, Standing, Verdict, question_digest, same_digest, stand
from platformctl.engine.pipeline import Gate, Stage
from platformctl.engine.request import Question
from platformctl.engine.scope import RunScope
from platformctl.engine.state import GateState
from platformctl.spec.environment import Environment

AUTO = "auto-approve"
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0


def approvers_of(environment: Environment) -> Approvers:
    """Who answers for this environment."""
    declared = environment.approvers
    return Approvers(frozenset(declared.users), frozenset(declared.groups), declared.quorum, declared.expires)


def open_gate(scope: RunScope, stage: Stage, gate: Gate) -> dict[str, Any]:
    """The proposals that the gate's approval binds, by name, once it is open.

    Raises GateWaiting (nobody answered yet), GateRejected (declined, expired, approved for another digest, the
    confirmation missing), and whatever the run is stopped with.
    """
    environment = scope.request.environment
    if gate.confirm and scope.parameters.get(gate.confirm) != environment.name:
        raise GateRejected(
            f"stage {stage.name} wants the environment's name repeated",
            hint=f"--param {gate.confirm}={environment.name}",
        )
    proposals = scope.proposals(stage.name)
    summaries = _summaries(scope, stage)
    if gate.unless_empty and not summaries:
        return proposals
    digest = question_digest(
        pipeline=scope.request.pipeline.name,
        stage=stage.name,
        environment=environment.name,
        parameters=scope.parameters,
        tree=scope.request.tree,
        proposals=proposals,
    )
    question = _ask(scope, stage, gate, digest, summaries)
    _Gate(scope, stage, question, approvers_of(environment)).open()
    return proposals


def _summaries(scope: RunScope, stage: Stage) -> tuple[str, ...]:
    """One line for each step that proposes a change."""
    return tuple(
        f"{step.name}: {step.summary}" if step.summary else step.name
        for step in scope.finished_before(stage.name)
        if step.changed and any(artifact.get("kind") == "proposal" for artifact in step.artifacts)
    )


def _ask(scope: RunScope, stage: Stage, gate: Gate, digest: str, summaries: tuple[str, ...]) -> Question:
    """Journals the question, unless just this one was asked before; another one before it is superseded."""
    approvers = approvers_of(scope.request.environment)
    question = Question(
        run=scope.run_id,
        stage=stage.name,
        environment=scope.request.environment.name,
        text=gate.question,
        digest=digest,
        proposals=summaries,
        approvers=approvers.names(),
        quorum=approvers.quorum,
    )
    asked = _state(scope, stage)
    if asked is not None and asked.digest != digest:
        superseded = {"digest": asked.digest, "answer": "superseded"}
        scope.journal.emit(EventKind.GATE_ANSWERED, stage=stage.name, detail=superseded)
    if asked is None or asked.digest != digest:
        _announce(scope, question, approvers)
    return question


def _announce(scope: RunScope, question: Question, approvers: Approvers) -> None:
    detail: dict[str, Any] = {
        "digest": question.digest,
        "question": question.text,
        "approvers": list(question.approvers),
        "users": sorted(approvers.users),
        "groups": sorted(approvers.groups),
        "quorum": question.quorum,
        "expires": str(approvers.expires or ""),
        "proposals": list(question.proposals),
    }
    scope.journal.emit(EventKind.GATE_ASKED, stage=question.stage, detail=detail)


def _state(scope: RunScope, stage: Stage) -> GateState | None:
    recorded = scope.state.stages.get(stage.name)
    return recorded.gate if recorded else None


class _Gate:
    """One question while this process waits at it."""

    def __init__(self, scope: RunScope, stage: Stage, question: Question, approvers: Approvers) -> None:
        self._scope, self._stage, self._question, self._approvers = scope, stage, question, approvers
        self._clock = scope.engine.clock

    def open(self) -> None:
        """Returns when the gate is open."""
        if self._automatic():
            return
        self._answer_given()
        if self._settled():
            return
        if self._scope.state.stages[self._stage.name].status is not Status.WAITING:
            # Asked by an earlier process that was then stopped: what was shown stands, and it is waited for again.
            _announce(self._scope, self._question, self._approvers)
        self._answer_at_the_terminal()
        if self._settled():
            return
        self._wait()

    def _automatic(self) -> bool:
        """Whether it opens unasked. A protected environment never does."""
        request = self._scope.request
        if request.environment.protected:
            if request.auto_approve:
                message = f"--auto-approve does not count: {request.environment.name} is protected"
                self._scope.journal.warn(message, "a person must approve", stage=self._stage.name)
            return False
        state = _state(self._scope, self._stage)
        before = state is not None and any(
            answer.digest == self._question.digest and answer.answer == Verdict.APPROVED and answer.comment == AUTO
            for answer in state.answers
        )
        if request.auto_approve and not before:
            self._journal(Verdict.APPROVED, request.actor.name, AUTO)
        return request.auto_approve or before

    def _answer_given(self) -> None:
        """Takes ``--approve DIGEST`` as the actor's answer."""
        given = self._scope.request.approve
        if not given:
            return
        if not same_digest(given, self._question.digest):
            raise GateRejected(
                f"the approval is for {given}, but stage {self._stage.name} asks about {self._question.digest}",
                hint=f"look at what is proposed now: platformctl runs show {self._scope.run_id}",
            )
        self._write(Verdict.APPROVED)

    def _answer_at_the_terminal(self) -> None:
        actor = self._scope.request.actor
        ask = self._scope.engine.ask
        if ask is None or not self._approvers.may(actor.name, actor.groups):
            return
        if any(answer.by == actor.name for answer in self._standing().counted):
            return  # has answered; others are missing
        answer = ask(self._question)
        self._scope.cancel.check()
        if answer is not None:
            self._write(Verdict.APPROVED if answer else Verdict.REJECTED)

    def _wait(self) -> None:
        wait = self._scope.request.wait
        budget = Deadline(self._clock, wait.seconds if wait else 0.0, self._question.text)
        if wait:  # else the end of the run tells the store
            self._scope.publish(self._stage.name, Status.WAITING, close=True)
        pause = _FIRST_PAUSE
        while budget.left > 0:
            self._clock.wait(min(pause, budget.left), self._scope.cancel.event)
            self._scope.cancel.check()
            if self._settled():
                return
            pause = min(_LONGEST_PAUSE, pause * 1.5)
        waited = f" within {wait}" if wait else ""
        raise GateWaiting(
            f"stage {self._stage.name} waits for an answer{waited}: {self._question.text}",
            hint=f"platformctl runs approve {self._scope.run_id} {self._question.digest}, then --resume",
        )

    def _settled(self) -> bool:
        """Journals answers that are new; True when the gate is open. Raises GateRejected."""
        standing = self._standing()
        state = _state(self._scope, self._stage)
        known = {(answer.digest, answer.by) for answer in state.answers} if state else set()
        for answer in standing.counted:
            if (answer.digest, answer.by) not in known:
                self._journal(answer.verdict, answer.by, answer.comment)
        if standing.rejected is not None:
            comment = f": {standing.rejected.comment}" if standing.rejected.comment else ""
            raise GateRejected(f"{standing.rejected.by} declined stage {self._stage.name}{comment}")
        if standing.expired:
            self._journal("expired", "", "")
            raise GateRejected(
                f"nobody answered stage {self._stage.name} within {self._approvers.expires}",
                hint="what was proposed is too old; start a new run",
            )
        return standing.approved

    def _standing(self) -> Standing:
        state = _state(self._scope, self._stage)
        approvers = self._approvers
        if state is not None and state.opened == self._question.digest:
            # It was open before and the stage began: an answer that was in time stays good.
            approvers = Approvers(approvers.users, approvers.groups, approvers.quorum, None)
        now = self._clock.now()
        answers = self._scope.answers.answers(self._question.digest)
        return stand(self._question.digest, answers, approvers, asked=state.asked if state else now, now=now)

    def _write(self, verdict: Verdict) -> None:
        actor = self._scope.request.actor
        answer = Answer(self._question.digest, verdict, actor.name, self._clock.now(), actor.groups)
        self._scope.answers.write(answer, self._approvers)

    def _journal(self, verdict: str, by: str, comment: str) -> None:
        detail = {"digest": self._question.digest, "answer": str(verdict), "by": by, "comment": comment}
        self._scope.journal.emit(EventKind.GATE_ANSWERED, stage=self._stage.name, detail=detail)
