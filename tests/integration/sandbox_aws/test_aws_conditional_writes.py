"""Leases stand on this: of many writers that saw the same version of an object, exactly one wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from botocore.exceptions import ClientError

from tests.simulated_aws import SimulatedAws

WRITERS = 8
ROUNDS = 30
BUCKET = "conditional"


def attempt(client: Any, start: Barrier, **condition: str) -> str:
    """One write; its ETag, empty when somebody else was first."""
    start.wait(timeout=10)
    try:
        return str(client.put_object(Bucket=BUCKET, Key="lease", Body=b"mine", **condition)["ETag"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
        return ""


def test_one_of_eight_writers_wins_each_round_by_absence_and_by_version(aws: SimulatedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
    clients = [aws.client("s3") for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in range(ROUNDS):
            s3.delete_object(Bucket=BUCKET, Key="lease")
            start = Barrier(WRITERS)
            won = [etag for etag in pool.map(lambda c: attempt(c, start, IfNoneMatch="*"), clients) if etag]  # noqa: B023 - the round ends before the next begins
            assert len(won) == 1
            # Each writer must write something else, or the version would not change and all could win.
            s3.put_object(Bucket=BUCKET, Key="lease", Body=b"seen by all")
            seen = s3.head_object(Bucket=BUCKET, Key="lease")["ETag"]
            won = [etag for etag in pool.map(lambda c: attempt(c, start, IfMatch=seen), clients) if etag]  # noqa: B023 - as above
            assert len(won) == 1
