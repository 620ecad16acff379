"""The object store keeps its contract on S3's own interface."""

from __future__ import annotations

import threading
import uuid

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.core.objects import ABSENT, ObjectChanged
from platformctl.tools.aws import S3ObjectStore, Session
from tests.contract.aws.conftest import REGION


@pytest.fixture
def bucket(aws: Session) -> str:
    name = f"acme-{uuid.uuid4().hex[:12]}"
    aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture
def store(aws: Session, bucket: str) -> S3ObjectStore:
    return S3ObjectStore(aws.client("s3"), bucket, "platform/records", owner="123456789012")


def test_what_was_put_is_got_with_its_version(store: S3ObjectStore) -> None:
    version = store.put("runs/1", b"one")
    found = store.get("runs/1")
    assert found is not None
    assert (found.data, found.version) == (b"one", version)


def test_an_absent_object_is_none_and_deleting_it_is_nothing(store: S3ObjectStore) -> None:
    assert store.get("runs/none") is None
    store.delete("runs/none")


def test_creating_never_overwrites(store: S3ObjectStore) -> None:
    store.put_if("lease", b"first", ABSENT)
    with pytest.raises(ObjectChanged):
        store.put_if("lease", b"second", ABSENT)


def test_a_write_on_an_old_version_is_refused(store: S3ObjectStore) -> None:
    old = store.put("lease", b"first")
    new = store.put_if("lease", b"second", old)
    with pytest.raises(ObjectChanged):
        store.put_if("lease", b"third", old)
    assert store.put_if("lease", b"third", new) != new


def test_a_write_on_a_deleted_object_is_refused(store: S3ObjectStore) -> None:
    version = store.put("lease", b"first")
    store.delete("lease")
    with pytest.raises(ObjectChanged):
        store.put_if("lease", b"second", version)


def test_keys_are_listed_sorted_and_without_the_prefix(store: S3ObjectStore) -> None:
    for key in ("runs/b", "runs/a/z", "runs/a-", "leases/dev"):
        store.put(key, b"x")
    assert list(store.list("runs/")) == ["runs/a-", "runs/a/z", "runs/b"]


def test_one_of_many_creators_wins(store: S3ObjectStore) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            store.put_if("lease", f"{number}".encode(), ABSENT)
        except ObjectChanged:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.get("lease")
    assert found is not None
    assert [f"{number}".encode() for number in won] == [found.data]


def test_a_bucket_that_does_not_exist_is_named(aws: Session) -> None:
    store = S3ObjectStore(aws.client("s3"), "acme-nowhere")
    with pytest.raises(PreconditionError, match="does not exist") as caught:
        store.put("x", b"x")
    assert "env bootstrap" in caught.value.hint
