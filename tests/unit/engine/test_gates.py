"""Whose answer counts, what it is bound to, and how it is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from platformctl.core.clock import Duration
from platformctl.core.errors import GateRejected
from platformctl.engine.gates import Answer, AnswerBook, Approvers, Verdict, question_digest, same_digest, stand
from platformctl.testing import MemoryObjectStore

NOW = datetime(2026, 9, 26, 12, 0, tzinfo=UTC)
ASKED = NOW - timedelta(hours=1)
QUESTION = "sha256:" + "a" * 64
LEADS = Approvers(users=frozenset({"anna"}), groups=frozenset({"leads"}), quorum=2, expires=Duration(86_400.0))


def answer(
    by: str, verdict: Verdict = Verdict.APPROVED, *groups: str, question: str = QUESTION, minute: int = 0
) -> Answer:
    return Answer(question, verdict, by, ASKED + timedelta(minutes=minute), frozenset(groups))


def approved(*answers: Answer, approvers: Approvers = LEADS, now: datetime = NOW) -> bool:
    return stand(QUESTION, answers, approvers, asked=ASKED, now=now).approved


def test_users_and_members_of_groups_may_answer() -> None:
    assert approved(answer("anna"), answer("ben", Verdict.APPROVED, "leads"))
    assert not approved(answer("anna"), answer("mallory", Verdict.APPROVED, "others"))


def test_without_approvers_anyone_may() -> None:
    assert approved(answer("anyone"), approvers=Approvers())


def test_one_person_counts_once() -> None:
    assert not approved(answer("anna"), answer("anna", minute=5))


def test_an_answer_to_another_question_does_not_count() -> None:
    other = answer("ben", Verdict.APPROVED, "leads", question="sha256:" + "b" * 64)
    assert not approved(answer("anna"), other)


def test_a_refusal_outweighs_every_approval() -> None:
    standing = stand(
        QUESTION,
        [answer("anna"), answer("ben", Verdict.APPROVED, "leads"), answer("eve", Verdict.REJECTED, "leads", minute=9)],
        LEADS,
        asked=ASKED,
        now=NOW,
    )
    assert (standing.approved, standing.rejected and standing.rejected.by) == (False, "eve")


def test_who_approved_first_cannot_refuse_later_in_a_second_entry() -> None:
    standing = stand(
        QUESTION, [answer("anna", Verdict.REJECTED, minute=5), answer("anna")], LEADS, asked=ASKED, now=NOW
    )
    assert standing.rejected is None


def test_after_its_time_a_question_is_closed_however_many_approved() -> None:
    late = NOW + timedelta(days=1)
    answers = [answer("anna"), answer("ben", Verdict.APPROVED, "leads")]
    assert not approved(*answers, now=late)
    assert stand(QUESTION, answers, LEADS, asked=ASKED, now=late).expired


def digest(**changed: Any) -> str:
    facts: dict[str, Any] = {
        "pipeline": "provision",
        "stage": "apply",
        "environment": "dev",
        "parameters": {"stacks": ""},
        "tree": "sha256:1",
        "proposals": {"stacks/network.json": {"changes": [{"address": "a", "after": {"x": 1}}]}},
    }
    return question_digest(**{**facts, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"pipeline": "teardown"},
        {"stage": "destroy"},
        {"environment": "prod"},
        {"parameters": {"stacks": "network"}},
        {"tree": "sha256:2"},
        {"proposals": {}},
        {"proposals": {"stacks/network.json": {"changes": [{"address": "a", "after": {"x": 2}}]}}},
    ],
)
def test_whatever_changes_changes_the_digest(changed: dict[str, Any]) -> None:
    assert digest(**changed) != digest()


def test_the_order_of_keys_does_not() -> None:
    turned = {"stacks/network.json": {"changes": [{"after": {"x": 1}, "address": "a"}]}}
    assert digest(proposals=turned) == digest()
    assert digest().startswith("sha256:")


def test_a_digest_may_be_given_with_or_without_its_algorithm_but_only_whole() -> None:
    assert same_digest(QUESTION, QUESTION)
    assert same_digest("A" * 64, QUESTION)
    assert not same_digest("a" * 12, QUESTION)


def test_an_answer_is_kept_once_and_read_back() -> None:
    book = AnswerBook(MemoryObjectStore(), "runs/dev/r1/")
    given = Answer(QUESTION, Verdict.APPROVED, "anna", NOW, frozenset({"leads"}), "looks right")
    book.write(given, LEADS)
    book.write(given, LEADS)
    assert book.answers(QUESTION) == [given]
    with pytest.raises(GateRejected, match="anna has already answered: approved"):
        book.write(answer("anna", Verdict.REJECTED), LEADS)


def test_a_name_with_slashes_stays_one_key() -> None:
    store = MemoryObjectStore()
    book = AnswerBook(store, "runs/dev/r1/")
    book.write(answer("../../leases/x@corp"), Approvers())
    [key] = store.list("")
    assert key == f"runs/dev/r1/answers/{'a' * 64}/..%2F..%2Fleases%2Fx@corp.json"


def test_what_is_no_answer_counts_for_nothing() -> None:
    store = MemoryObjectStore()
    store.put(f"runs/dev/r1/answers/{'a' * 64}/x.json", b"yes please")
    assert AnswerBook(store, "runs/dev/r1/").answers(QUESTION) == []
