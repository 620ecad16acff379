"""Which calls a fault rule strikes, how often, and which rules are refused."""

from __future__ import annotations

from typing import Any

import pytest

from platformctl.sandbox.aws.faults import ALWAYS, FaultBook


def test_a_rule_strikes_as_often_as_it_says_and_then_lets_calls_through() -> None:
    book = FaultBook([{"service": "eks", "operation": "CreateCluster", "times": 2, "code": "ServerException"}])
    struck = [book.strike("eks", "CreateCluster", "") is not None for _ in range(4)]
    assert struck == [True, True, False, False]
    assert book.to_json()[0]["hits"] == 2


def test_a_rule_leaves_other_services_other_operations_and_other_resources_alone() -> None:
    rule = {"service": "s3", "operation": "PutObject", "contains": "leases/", "times": ALWAYS}
    book = FaultBook([rule])
    assert book.strike("eks", "PutObject", "leases/a") is None
    assert book.strike("s3", "GetObject", "leases/a") is None
    assert book.strike("s3", "PutObject", "/bucket/state") is None
    assert all(book.strike("s3", "PutObject", "/bucket/leases/a") for _ in range(5))


def test_a_star_means_every_operation_and_the_first_rule_that_is_left_wins() -> None:
    book = FaultBook(
        [{"service": "sts", "operation": "AssumeRole", "status": 403}, {"service": "sts", "times": ALWAYS}]
    )
    assert [rule.status for _ in range(2) if (rule := book.strike("sts", "AssumeRole", ""))] == [403, 500]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"operation": "X"}, "service is missing"),
        ({"service": "s3", "oops": 1}, "unknown: oops"),
        ({"service": "s3", "kind": "flood"}, "flood"),
        ({"service": "s3", "times": 0}, "times is 0"),
        ({"service": "s3", "status": 42}, "status is 42"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_the_others_stay(rule: dict[str, Any], said: str) -> None:
    book = FaultBook([{"service": "eks"}])
    with pytest.raises(ValueError, match=said):
        book.replace([rule])
    assert [kept["service"] for kept in book.to_json()] == ["eks"]
