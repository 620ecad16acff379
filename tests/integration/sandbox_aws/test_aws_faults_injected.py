"""Injected faults look to an SDK like the real ones: errors, throttling, reset connections, slow and lost answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from platformctl.sandbox.aws.faults import ALWAYS, Faults, Kind, Phase, Rule
from tests.simulated_aws import SimulatedAws


@pytest.fixture
def faults(aws: SimulatedAws) -> Iterator[Faults]:
    """Rules that are gone after the test."""
    with aws.faults as client:
        yield client


def test_a_call_fails_as_often_as_asked_with_the_error_asked(aws: SimulatedAws, faults: Faults) -> None:
    faults.put(Rule("eks", "ListClusters", times=2, code="ServerException", status=500, message="on purpose"))
    eks = aws.client("eks")
    for _ in range(2):
        with pytest.raises(ClientError, match=r"ServerException.*on purpose"):
            eks.list_clusters()
    assert "clusters" in eks.list_clusters()
    assert faults.hits() == [2]


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "describe_vpcs", "RequestLimitExceeded"),
        ("s3", "list_buckets", "SlowDown"),
        ("sts", "get_caller_identity", "Throttling"),
        ("eks", "list_clusters", "ThrottlingException"),
        ("ecr", "describe_repositories", "ThrottlingException"),
    ],
)
def test_throttling_is_worded_as_the_service_words_it_and_sdks_retry_it(
    aws: SimulatedAws, faults: Faults, service: str, operation: str, code: str
) -> None:
    faults.put(Rule(service, kind=Kind.THROTTLE, times=2))
    with pytest.raises(ClientError, match=code):
        getattr(aws.client(service), operation)()
    assert getattr(aws.client(service, retries=2), operation)()
    assert faults.hits() == [2]


def test_a_connection_is_reset_in_the_middle_of_an_answer(aws: SimulatedAws, faults: Faults) -> None:
    faults.put(Rule("sts", "GetCallerIdentity", Kind.RESET))
    with pytest.raises(ConnectionClosedError):
        aws.client("sts").get_caller_identity()
    assert aws.client("sts").get_caller_identity()["Account"]


def test_an_answer_can_get_lost_after_the_work_was_done(aws: SimulatedAws, faults: Faults) -> None:
    s3 = aws.client("s3")
    place = {"CreateBucketConfiguration": {"LocationConstraint": "ap-northeast-2"}}
    faults.put(Rule("s3", "CreateBucket", Kind.ERROR, phase=Phase.AFTER))
    with pytest.raises(ClientError, match="InternalFailure"):
        s3.create_bucket(Bucket="lost-answer", **place)
    assert s3.head_bucket(Bucket="lost-answer")["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_rule_can_mean_one_object_only(aws: SimulatedAws, faults: Faults) -> None:
    s3 = aws.client("s3")
    place = {"CreateBucketConfiguration": {"LocationConstraint": "ap-northeast-2"}}
    s3.create_bucket(Bucket="one-object", **place)
    faults.put(Rule("s3", "PutObject", times=ALWAYS, contains="leases/", code="InternalError"))
    s3.put_object(Bucket="one-object", Key="state", Body=b"x")
    with pytest.raises(ClientError, match="InternalError"):
        s3.put_object(Bucket="one-object", Key="leases/dev", Body=b"x")


def test_a_slow_answer_comes_too_late_for_an_impatient_client(aws: SimulatedAws, faults: Faults) -> None:
    faults.put(Rule("sts", "GetCallerIdentity", Kind.DELAY, seconds=2.0))
    with pytest.raises(ReadTimeoutError):
        aws.client("sts", read_timeout=0.3).get_caller_identity()
    assert faults.hits() == [1]


def test_a_rule_that_makes_no_sense_is_refused_with_the_reason(faults: Faults) -> None:
    with pytest.raises(ValueError, match="times is 0"):
        faults.put(Rule("s3", times=0))
