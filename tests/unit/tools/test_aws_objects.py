"""The S3 object store against scripted answers: what only a failing or slow S3 would show."""

from __future__ import annotations

import io
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from platformctl.core.errors import PreconditionError, TransientError
from platformctl.core.objects import ABSENT, ObjectChanged
from platformctl.tools.aws.objects import S3ObjectStore

NAMED = {"Bucket": "acme", "Key": "leases/dev", "ExpectedBucketOwner": "123456789012"}


@pytest.fixture
def client() -> Any:
    return boto3.client("s3", region_name="eu-west-1", aws_access_key_id="A" * 20, aws_secret_access_key="x")


@pytest.fixture
def store(client: Any) -> S3ObjectStore:
    return S3ObjectStore(client, "acme", owner="123456789012")


def refusal(code: str, status: int, attempts: int = 0) -> dict[str, Any]:
    return {"service_error_code": code, "http_status_code": status, "response_meta": {"RetryAttempts": attempts}}


def test_a_write_that_met_somebody_elses_is_refused(client: Any, store: S3ObjectStore) -> None:
    with Stubber(client) as s3:
        s3.add_client_error(
            "put_object",
            **refusal("PreconditionFailed", 412),
            expected_params={**NAMED, "IfMatch": '"1"', "Body": b"x"},
        )
        with pytest.raises(ObjectChanged):
            store.put_if("leases/dev", b"x", '"1"')


@pytest.mark.parametrize(("code", "status"), [("ConditionalRequestConflict", 409), ("NoSuchKey", 404)])
def test_a_write_beside_another_write_or_after_a_delete_is_refused(
    client: Any, store: S3ObjectStore, code: str, status: int
) -> None:
    with Stubber(client) as s3:
        s3.add_client_error("put_object", **refusal(code, status))
        with pytest.raises(ObjectChanged):
            store.put_if("leases/dev", b"x", '"1"')


def test_a_write_whose_answer_got_lost_recognises_itself(client: Any, store: S3ObjectStore) -> None:
    with Stubber(client) as s3:
        s3.add_client_error("put_object", **refusal("PreconditionFailed", 412, attempts=1))
        s3.add_response("get_object", {"Body": io.BytesIO(b"mine"), "ETag": '"7"'}, NAMED)
        assert store.put_if("leases/dev", b"mine", ABSENT) == '"7"'


def test_a_repeated_write_that_lost_is_refused(client: Any, store: S3ObjectStore) -> None:
    with Stubber(client) as s3:
        s3.add_client_error("put_object", **refusal("PreconditionFailed", 412, attempts=1))
        s3.add_response("get_object", {"Body": io.BytesIO(b"theirs"), "ETag": '"7"'}, NAMED)
        with pytest.raises(ObjectChanged):
            store.put_if("leases/dev", b"mine", ABSENT)


def test_throttling_is_transient(client: Any, store: S3ObjectStore) -> None:
    with Stubber(client) as s3:
        s3.add_client_error("get_object", **refusal("SlowDown", 503))
        with pytest.raises(TransientError, match="throttles"):
            store.get("leases/dev")


def test_a_bucket_of_another_account_is_named_as_such(client: Any, store: S3ObjectStore) -> None:
    with Stubber(client) as s3:
        s3.add_client_error("get_object", **refusal("AccessDenied", 403))
        s3.add_response("head_bucket", {}, {"Bucket": "acme"})
        with pytest.raises(PreconditionError, match="does not belong to account 123456789012"):
            store.get("leases/dev")


def test_a_denial_that_is_not_the_owners_fault_stays_a_denial(client: Any, store: S3ObjectStore) -> None:
    with Stubber(client) as s3:
        s3.add_client_error("get_object", **refusal("AccessDenied", 403))
        s3.add_client_error("head_bucket", **refusal("403", 403))
        with pytest.raises(PreconditionError, match="access denied"):
            store.get("leases/dev")
