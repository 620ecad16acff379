"""What every ObjectStore keeps, whatever it is made of. A new one is added to STORES and has to pass all of it.

S3 is the simulated AWS as the sandbox runs it, a process of its own, reached through boto3 as in production.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platformctl.core.objects import ABSENT, ObjectChanged, ObjectStore
from platformctl.engine.disk_store import DiskObjectStore
from platformctl.testing import MemoryObjectStore
from platformctl.tools.aws import Account, S3ObjectStore, session
from tests.simulated_aws import ACCOUNT, REGION, SimulatedAws, running

STORES: dict[str, Callable[[pytest.FixtureRequest, Path], ObjectStore]] = {
    "disk": lambda _request, folder: DiskObjectStore(folder),
    "memory": lambda _request, _folder: MemoryObjectStore(),
    "s3": lambda request, _folder: in_s3(request.getfixturevalue("simulated_aws")),
}


@pytest.fixture(scope="module")
def simulated_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedAws]:
    with running(tmp_path_factory.mktemp("aws")) as one:
        yield one


def in_s3(aws: SimulatedAws) -> S3ObjectStore:
    """A store in a bucket of its own, through the session that platformctl makes."""
    client = session(Account(region=REGION, id=ACCOUNT), aws.environment).client("s3")
    bucket = f"store-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3ObjectStore(client, bucket, "records", owner=ACCOUNT)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](request, tmp_path / "store")


def test_what_was_put_is_read_back_with_its_version(store: ObjectStore) -> None:
    version = store.put("a/b.json", b"one")
    stored = store.get("a/b.json")
    assert stored is not None
    assert (stored.data, stored.version) == (b"one", version)


def test_what_is_absent_is_none(store: ObjectStore) -> None:
    assert store.get("a/b.json") is None
    store.put("a/b.json", b"one")
    assert store.get("a/b.json/c") is None


def test_creating_never_overwrites(store: ObjectStore) -> None:
    store.put_if("key", b"one", ABSENT)
    with pytest.raises(ObjectChanged):
        store.put_if("key", b"two", ABSENT)
    stored = store.get("key")
    assert stored is not None
    assert stored.data == b"one"


def test_a_write_wants_the_version_that_is_there(store: ObjectStore) -> None:
    first = store.put_if("key", b"one", ABSENT)
    second = store.put_if("key", b"two", first)
    assert second != first
    with pytest.raises(ObjectChanged):
        store.put_if("key", b"three", first)
    store.delete("key")
    with pytest.raises(ObjectChanged):
        store.put_if("key", b"three", second)


def test_deleting_what_is_absent_does_nothing(store: ObjectStore) -> None:
    store.delete("key")
    store.put("key", b"one")
    store.delete("key")
    assert store.get("key") is None


def test_keys_are_listed_by_prefix_sorted_as_bytes(store: ObjectStore) -> None:
    for key in ("runs/b/1", "runs/a/2", "runs/a/10", "leases/x", "runs/a-b/1", "runs/é"):
        store.put(key, b"")
    assert list(store.list("runs/a")) == ["runs/a-b/1", "runs/a/10", "runs/a/2"]
    assert list(store.list("runs/a/")) == ["runs/a/10", "runs/a/2"]
    assert list(store.list("")) == ["leases/x", "runs/a-b/1", "runs/a/10", "runs/a/2", "runs/b/1", "runs/é"]
    assert list(store.list("nothing/")) == []


def test_content_is_bytes_of_any_kind(store: ObjectStore) -> None:
    content = bytes(range(256)) * 100
    store.put("key", content)
    stored = store.get("key")
    assert stored is not None
    assert stored.data == content


def test_it_says_where_it_is(store: ObjectStore) -> None:
    assert store.describe()


def test_of_eight_writers_on_one_key_one_wins_each_round(store: ObjectStore) -> None:
    # Over HTTP a round takes 8 requests; 1,000 rounds were won one by one as well, in half a minute.
    rounds = 250 if isinstance(store, S3ObjectStore) else 1000
    assert contend(store, writers=8, rounds=rounds) == [1] * rounds


def contend(store: ObjectStore, *, writers: int, rounds: int) -> list[int]:
    """How many writers won each round; in each, all write over the version that the round before left."""
    wins = [0] * rounds
    version = store.put("key", b"start")
    turn = threading.Barrier(writers)
    lock = threading.Lock()

    def write(writer: int) -> None:
        nonlocal version
        for number in range(rounds):
            turn.wait()
            seen = version
            turn.wait()
            try:
                mine = store.put_if("key", f"{number} {writer}".encode(), seen)
            except ObjectChanged:
                continue
            with lock:
                wins[number] += 1
                version = mine

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wins
