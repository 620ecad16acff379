"""Wrong credentials fail as they fail in AWS, and a second account is really another one."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.simulated_aws import ACCOUNT, SimulatedAws

OTHER_ACCOUNT = "210987654321"


def refusal(call: Callable[[], Any]) -> tuple[str, int]:
    """The error code and HTTP status a call fails with."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return str(answer["Error"]["Code"]), int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_the_seeded_user_is_who_it_says_and_may_take_its_roles(aws: SimulatedAws) -> None:
    assert aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/platform"
    for role in ("platform-plan", "platform-apply"):
        identity = aws.as_role(role, "sts").get_caller_identity()
        assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/tester"


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "wrong"),
    [
        ("sts", "get_caller_identity", ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)),
        ("s3", "list_buckets", ("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403)),
        ("ec2", "describe_vpcs", ("AuthFailure", 401), ("AuthFailure", 401)),
        ("eks", "list_clusters", ("UnrecognizedClientException", 403), ("InvalidSignatureException", 403)),
        ("ecr", "describe_repositories", ("UnrecognizedClientException", 400), ("InvalidSignatureException", 400)),
        ("route53", "list_hosted_zones", ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)),
    ],
)
def test_an_unknown_key_and_a_wrong_secret_are_refused_in_each_services_own_words(
    aws: SimulatedAws, service: str, operation: str, unknown: tuple[str, int], wrong: tuple[str, int]
) -> None:
    stranger = aws.client(service, key="AKIA0000000000000000", secret="x")
    forger = aws.client(service, secret="x")
    assert refusal(getattr(stranger, operation)) == unknown
    assert refusal(getattr(forger, operation)) == wrong


def test_a_session_that_was_declared_over_is_an_expired_token(aws: SimulatedAws) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/platform-plan"
    taken = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="tester")["Credentials"]
    keys = {"key": taken["AccessKeyId"], "secret": taken["SecretAccessKey"], "token": taken["SessionToken"]}
    assert aws.client("sts", **keys).get_caller_identity()["Account"] == ACCOUNT
    assert refusal(aws.client("sts", **{**keys, "token": "other"}).get_caller_identity)[0] == "InvalidClientTokenId"
    status, _ = control(aws, "POST", "credentials/expire", {"access_key_id": taken["AccessKeyId"]})
    assert status == 200
    assert refusal(aws.client("sts", **keys).get_caller_identity) == ("ExpiredToken", 403)
    assert refusal(aws.client("s3", **keys).list_buckets) == ("ExpiredToken", 400)


def test_without_credentials_nothing_is_answered(aws: SimulatedAws) -> None:
    unsigned = boto3.client(
        "s3", region_name="ap-northeast-2", endpoint_url=aws.endpoint, config=Config(signature_version=UNSIGNED)
    )
    assert refusal(unsigned.list_buckets) == ("AccessDenied", 403)


def test_a_role_must_exist_and_trust_the_caller(aws: SimulatedAws) -> None:
    sts = aws.client("sts")
    for arn in (f"arn:aws:iam::{ACCOUNT}:role/none", aws.service_role("trusts-only-eks"), "arn:aws:iam::1:role/x"):
        wanted = {"RoleArn": arn, "RoleSessionName": "tester"}
        assert refusal(partial(sts.assume_role, **wanted))[0] == "AccessDenied"


def test_a_role_that_wants_an_external_id_gets_the_right_one_or_refuses(aws: SimulatedAws) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/platform"},
        "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = aws.client("iam").create_role(RoleName="external", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = aws.client("sts")
    assert sts.assume_role(RoleArn=arn, RoleSessionName="tester", ExternalId="agreed")["Credentials"]
    assert refusal(lambda: sts.assume_role(RoleArn=arn, RoleSessionName="tester"))[0] == "AccessDenied"
    wrong = {"RoleArn": arn, "RoleSessionName": "tester", "ExternalId": "guessed"}
    assert refusal(lambda: sts.assume_role(**wrong))[0] == "AccessDenied"


def test_the_other_accounts_bucket_is_closed_to_us_and_open_to_its_owner(aws: SimulatedAws) -> None:
    bucket = "sandbox-of-another-account"
    assert refusal(lambda: aws.client("s3").head_bucket(Bucket=bucket)) == ("403", 403)
    assert refusal(lambda: aws.client("s3").get_object(Bucket=bucket, Key="x"))[1] == 403
    place = {"CreateBucketConfiguration": {"LocationConstraint": "ap-northeast-2"}}
    create = partial(aws.client("s3").create_bucket, Bucket=bucket, **place)
    assert refusal(create) == ("BucketAlreadyExists", 409)
    arn = f"arn:aws:iam::{OTHER_ACCOUNT}:role/platform-apply"
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="tester")["Credentials"]
    theirs = aws.client("s3", key=keys["AccessKeyId"], secret=keys["SecretAccessKey"], token=keys["SessionToken"])
    theirs.put_object(Bucket=bucket, Key="x", Body=b"theirs")
    assert theirs.get_object(Bucket=bucket, Key="x")["Body"].read() == b"theirs"


def test_a_presigned_identity_url_is_answered_by_sts_and_a_page_in_a_browser_by_nobody(aws: SimulatedAws) -> None:
    url = aws.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET").removeprefix(aws.endpoint)
    status, body = raw(aws, "GET", url, {"Accept": "application/json"})
    assert status == 200
    assert b"user/platform" in body
    assert raw(aws, "GET", url.replace("Version", "Wersion"), {})[0] == 403
    assert raw(aws, "GET", url, {"Origin": "https://example.org"})[0] == 403
    assert raw(aws, "POST", "/moto-api/reset", {})[0] == 404


def control(aws: SimulatedAws, method: str, route: str, document: Any = None) -> tuple[int, Any]:
    """One of the sandbox's own routes."""
    status, body = raw(aws, method, f"/_sandbox/{route}", {}, json.dumps(document))
    return status, json.loads(body)


def raw(aws: SimulatedAws, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, bytes]:
    """A request without an SDK."""
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
