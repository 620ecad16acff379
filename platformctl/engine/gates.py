"""Gates: what is asked, what an answer is bound to, whose answer counts. Pure, but for the book that keeps answers.

The digest binds an answer to everything that was proposed: other plans, other parameters or other files make another
digest, and the old answer is worth nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from platformctl.core.canonical import digest
from platformctl.core.clock import Duration
from platformctl.core.errors import GateRejected
from platformctl.core.objects import ABSENT, ObjectChanged, ObjectStore

SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What an answer says."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Answer:
    """One person's answer to one question, written once. ``time`` is the answerer's wall time."""

    digest: str
    verdict: Verdict
    by: str
    time: datetime
    groups: frozenset[str] = frozenset()
    comment: str = ""

    def to_bytes(self) -> bytes:
        """The form in the store."""
        document = {
            "schemaVersion": SCHEMA_VERSION,
            "digest": self.digest,
            "answer": str(self.verdict),
            "by": self.by,
            "groups": sorted(self.groups),
            "time": self.time.isoformat(timespec="seconds"),
            "comment": self.comment,
        }
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Answer:
        """Raises ValueError for what is no answer of ours."""
        try:
            document: Mapping[str, Any] = json.loads(content)
            return cls(
                digest=str(document["digest"]),
                verdict=Verdict(document["answer"]),
                by=str(document["by"]),
                time=datetime.fromisoformat(document["time"]),
                groups=frozenset(str(group) for group in document["groups"]),
                comment=str(document["comment"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not an answer: {error}") from error


@dataclass(frozen=True)
class Approvers:
    """Who may answer, how many must approve, and for how long a question stands.

    Neither ``users`` nor ``groups`` means that whoever can write the record may. ``expires`` None: for ever.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    quorum: int = 1
    expires: Duration | None = None

    def may(self, name: str, groups: Iterable[str]) -> bool:
        """Whether this person's answer counts."""
        anyone = not self.users and not self.groups
        return anyone or name in self.users or not self.groups.isdisjoint(groups)

    def too_late(self, asked: datetime, now: datetime) -> bool:
        """Whether a question asked then no longer stands."""
        return self.expires is not None and (now - asked).total_seconds() > self.expires.seconds

    def names(self) -> tuple[str, ...]:
        """For people: users, then groups as ``group:NAME``."""
        return (*sorted(self.users), *(f"group:{group}" for group in sorted(self.groups)))


@dataclass(frozen=True)
class Standing:
    """How a question stands. ``counted``: the answers that count, the oldest of each person, in order of time."""

    approved: bool
    rejected: Answer | None
    expired: bool
    counted: tuple[Answer, ...]


def stand(
    question: str, answers: Iterable[Answer], approvers: Approvers, *, asked: datetime, now: datetime
) -> Standing:
    """Applies the rules: only for this digest, only who may, each person once, one refusal is enough, not too late."""
    counted: dict[str, Answer] = {}
    for answer in sorted(answers, key=lambda answer: answer.time):
        if answer.digest == question and approvers.may(answer.by, answer.groups):
            counted.setdefault(answer.by, answer)
    expired = approvers.too_late(asked, now)
    refusals = [answer for answer in counted.values() if answer.verdict is Verdict.REJECTED]
    approvals = len(counted) - len(refusals)
    return Standing(
        approved=not expired and not refusals and approvals >= approvers.quorum,
        rejected=refusals[0] if refusals else None,
        expired=expired,
        counted=tuple(counted.values()),
    )


def question_digest(
    *,
    pipeline: str,
    stage: str,
    environment: str,
    parameters: Mapping[str, str],
    tree: str,
    proposals: Mapping[str, Any],
) -> str:
    """What an answer is bound to: SHA-256 of canonical JSON of all of it. Versions of tools are in the proposals."""
    return digest(
        {
            "schema": SCHEMA_VERSION,
            "pipeline": pipeline,
            "stage": stage,
            "environment": environment,
            "parameters": dict(parameters),
            "tree": tree,
            "proposals": dict(proposals),
        }
    )


class AnswerBook:
    """The answers of one run: one object per question and person, written once and never changed."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def write(self, answer: Answer, approvers: Approvers) -> None:
        """Keeps the answer. Raises GateRejected for who may not answer, and for a second, different answer."""
        if not approvers.may(answer.by, answer.groups):
            raise GateRejected(f"{answer.by} may not answer here", hint=f"who may: {', '.join(approvers.names())}")
        key = f"{self._folder(answer.digest)}{quote(answer.by, safe='@')}.json"
        try:
            self._store.put_if(key, answer.to_bytes(), ABSENT)
        except ObjectChanged:
            stored = self._store.get(key)
            earlier = Answer.from_bytes(stored.data) if stored else None
            if earlier is None or earlier.verdict is not answer.verdict:
                raise GateRejected(
                    f"{answer.by} has already answered: {earlier.verdict if earlier else 'withdrawn'}",
                    hint="an answer is written once; start a new run to be asked again",
                ) from None

    def answers(self, question: str) -> list[Answer]:
        """Every answer to the question; what can't be read is no answer."""
        found = []
        for key in self._store.list(self._folder(question)):
            stored = self._store.get(key)
            with contextlib.suppress(ValueError):
                found.extend([Answer.from_bytes(stored.data)] if stored else [])
        return found

    def _folder(self, question: str) -> str:
        return f"{self._prefix}answers/{question.removeprefix('sha256:')}/"


def same_digest(given: str, question: str) -> bool:
    """Whether what a person gave to ``--approve`` is the question's digest; ``sha256:`` may be left out."""
    return given.strip().lower().removeprefix("sha256:") == question.removeprefix("sha256:")
