"""What every ObjectStore keeps, whatever it is made of. A new one is added to STORES and has to pass all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from platformctl.core.objects import ABSENT, ObjectChanged, ObjectStore
from platformctl.engine.disk_store import DiskObjectStore
from platformctl.testing import MemoryObjectStore

STORES: dict[str, Callable[[Path], ObjectStore]] = {
    "disk": DiskObjectStore,
    "memory": lambda _folder: MemoryObjectStore(),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return STORES[request.param](tmp_path / "store")


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
    assert contend(store, writers=8, rounds=60) == [1] * 60


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
