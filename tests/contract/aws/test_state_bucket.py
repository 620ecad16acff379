"""The state bucket as ``env bootstrap`` makes it, and who may read what in it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
import requests
from botocore.stub import Stubber

from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Secret
from platformctl.tools.aws import Account, S3ObjectStore, Session, session
from platformctl.tools.aws.bucket import StateBucket
from platformctl.tools.aws.policies import Layout, role_policies
from tests.contract.aws.conftest import OWNER, REGION


@pytest.fixture
def layout() -> Layout:
    return Layout(bucket=f"acme-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def bucket(aws: Session, layout: Layout) -> StateBucket:
    return StateBucket(aws.client("s3"), layout, aws.account, tls=False)


def changed(bucket: StateBucket, **settings: Any) -> list[str]:
    return [setting.name for setting in bucket.ensure(**settings) if setting.changed]


def test_a_bucket_is_made_as_it_must_be(aws: Session, bucket: StateBucket, layout: Layout) -> None:
    assert "bucket" in changed(bucket)
    s3, name = aws.client("s3"), layout.bucket
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == REGION
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    assert s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    owner = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"][0]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"


def test_the_second_time_nothing_changes(bucket: StateBucket) -> None:
    bucket.ensure()
    assert changed(bucket) == []


def test_a_dry_run_makes_nothing(aws: Session, bucket: StateBucket, layout: Layout) -> None:
    assert "bucket" in changed(bucket, dry_run=True)
    assert layout.bucket not in {item["Name"] for item in aws.client("s3").list_buckets()["Buckets"]}


def test_what_was_undone_is_put_right_and_what_others_added_stays(aws: Session, layout: Layout) -> None:
    bucket = StateBucket(aws.client("s3"), layout, aws.account)
    bucket.ensure()
    s3 = aws.client("s3")
    theirs = {
        "Sid": "Theirs",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteBucket",
        "Resource": layout.arn(),
    }
    s3.put_bucket_policy(Bucket=layout.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))
    s3.put_bucket_versioning(Bucket=layout.bucket, VersioningConfiguration={"Status": "Suspended"})
    assert changed(bucket) == ["versioning", "TLS only"]
    statements = json.loads(s3.get_bucket_policy(Bucket=layout.bucket)["Policy"])["Statement"]
    assert "aws:SecureTransport" in statements[1]["Condition"]["Bool"]
    assert [statement["Sid"] for statement in statements] == ["Theirs", "PlatformctlTlsOnly"]


def test_a_bucket_in_another_region_is_named(aws: Session, layout: Layout) -> None:
    elsewhere = {"LocationConstraint": "eu-west-1"}
    aws.client("s3", "eu-west-1").create_bucket(Bucket=layout.bucket, CreateBucketConfiguration=elsewhere)
    with pytest.raises(PreconditionError, match=f"is in eu-west-1, not in {REGION}"):
        StateBucket(aws.client("s3"), layout, aws.account).ensure()


@pytest.mark.parametrize("code", ["head", "create"])
def test_a_bucket_of_another_account_is_refused(code: str) -> None:
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="A" * 20, aws_secret_access_key="x")
    with Stubber(client) as s3:
        s3.add_client_error(
            "head_bucket", "403" if code == "head" else "404", http_status_code=403 if code == "head" else 404
        )
        if code == "create":
            s3.add_client_error("create_bucket", "BucketAlreadyExists", http_status_code=409)
        with pytest.raises(PreconditionError, match=f"belongs to another account than {OWNER}"):
            StateBucket(client, Layout("acme"), Account(region=REGION, id=OWNER)).ensure()


@pytest.fixture
def enforced(endpoint: str) -> Iterator[None]:
    """From here on the simulated AWS asks IAM before it answers."""
    _count(endpoint, 0)
    yield
    _count(endpoint, 10**9)


def _count(endpoint: str, unauthenticated: int) -> None:
    """How many calls more are answered without asking IAM."""
    requests.post(f"{endpoint}/moto-api/reset-auth", data=f"{unauthenticated}", timeout=10).raise_for_status()


def as_user(aws: Session, connection: Mapping[str, str | Secret], policy: dict[str, Any]) -> Session:
    iam, name = aws.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": Secret(key["SecretAccessKey"], "test")}
    return session(Account(region=REGION, id=OWNER), {**connection, **own})


READS = {
    "records-reader": {
        "runs/dev/1/segments/x": True,
        "dev/network.tfstate": False,
        "leases/environments/dev.json": False,
    },
    "state-reader": {"runs/dev/1/segments/x": False, "dev/network.tfstate": True, "prod/network.tfstate": False},
    "runner": {"runs/dev/1/segments/x": True, "dev/network.tfstate": False, "leases/environments/dev.json": True},
}


def test_who_may_read_run_records_cannot_read_states(
    aws: Session,
    bucket: StateBucket,
    layout: Layout,
    connection: Mapping[str, str | Secret],
    request: pytest.FixtureRequest,
) -> None:
    bucket.ensure()
    admin = S3ObjectStore(aws.client("s3"), layout.bucket)
    for key in {key for reads in READS.values() for key in reads}:
        admin.put(key, b"content")
    policies = role_policies(layout, "dev")
    users = {name: as_user(aws, connection, policies[name]) for name in READS}
    request.getfixturevalue("enforced")
    for name, reads in READS.items():
        store = S3ObjectStore(users[name].client("s3"), layout.bucket)
        for key, allowed in reads.items():
            if allowed:
                assert store.get(key) is not None, (name, key)
            else:
                with pytest.raises(PreconditionError, match="access denied"):
                    store.get(key)
