"""The record in the state bucket: which segments count, who may write, what a lost answer means."""

from __future__ import annotations

import pytest

from platformctl.core.errors import LeaseHeld, Status, TransientError
from platformctl.engine.remote import RemoteRecord, SegmentKey, counted, find_remote, list_remote
from platformctl.testing import FakeClock, MemoryObjectStore


def segment(seq: int, number: int = 1, status: Status = Status.RUNNING, stage: str = "plan") -> SegmentKey:
    return SegmentKey(seq, number, "provision", 0, stage, status)


class Writer:
    """One process that records a run."""

    def __init__(self, store: MemoryObjectStore, number: int = 1) -> None:
        self.record = RemoteRecord(store, "dev", "r1", FakeClock())
        self.lost: LeaseHeld | None = None
        self.record.adopt(number, self._fence)
        self.lines = self.record.lines()
        self.record.continue_after(len(self.lines))

    def push(self, *lines: str, status: Status = Status.RUNNING, close: bool = False, stage: str = "plan") -> None:
        self.lines += lines
        self.record.push(self.lines, pipeline="provision", index=0, stage=stage, status=status, close=close)

    def _fence(self) -> None:
        if self.lost is not None:
            raise self.lost


def test_a_key_is_read_as_it_was_written() -> None:
    key = segment(3, 2, Status.WAITING, "apply-all")
    assert key.name() == "0003.0002.provision.00.apply-all.WAITING.jsonl"
    assert SegmentKey.parse(key.name()) == key


def test_of_one_seq_the_higher_number_counts_and_then_the_end() -> None:
    assert counted([segment(1, 1), segment(1, 2)]) == [segment(1, 2)]
    ended = segment(1, 1, Status.FAILED)
    assert counted([segment(1, 1), ended]) == [ended]


def test_what_a_replaced_process_wrote_after_its_successor_does_not_count() -> None:
    assert counted([segment(1, 1), segment(2, 2), segment(3, 1)]) == [segment(1, 1), segment(2, 2)]


def test_segments_grow_and_close() -> None:
    store = MemoryObjectStore()
    writer = Writer(store)
    writer.push("a")
    writer.push("b")
    writer.push("c", close=True)
    writer.push("d", status=Status.SUCCEEDED, close=True, stage="apply")
    assert RemoteRecord(store, "dev", "r1", FakeClock()).lines() == ["a", "b", "c", "d"]
    assert len(list(store.list("runs/"))) == 2
    [run] = list_remote(store)
    assert (run.id, run.environment, run.pipeline, run.stage, run.status) == (
        "r1",
        "dev",
        "provision",
        "apply",
        Status.SUCCEEDED,
    )


def test_a_status_that_changes_moves_the_segment() -> None:
    store = MemoryObjectStore()
    writer = Writer(store)
    writer.push("a")
    writer.push("b", status=Status.FAILED, close=True)
    assert [key.rpartition("/")[2] for key in store.list("runs/")] == ["0001.0001.provision.00.plan.FAILED.jsonl"]


def test_the_late_write_of_a_replaced_process_is_refused_by_the_store() -> None:
    store = MemoryObjectStore()
    old = Writer(store)
    old.push("a")
    new = Writer(store, number=2)
    with pytest.raises(LeaseHeld, match="written by another process"):
        old.push("late")
    new.push("b", close=True)
    assert new.record.lines() == ["a", "b"]


def test_the_lease_is_checked_before_each_write() -> None:
    store = MemoryObjectStore()
    writer = Writer(store)
    writer.push("a")
    writer.lost = LeaseHeld("taken over")
    with pytest.raises(LeaseHeld, match="taken over"):
        writer.push("b")
    with pytest.raises(LeaseHeld, match="taken over"):
        writer.record.put_proposal("sha256:00", b"{}")


class LossyStore(MemoryObjectStore):
    """Loses the answers of conditional writes, but not the writes, so many times."""

    lose = 0

    def put_if(self, key: str, data: bytes, version: str) -> str:
        written = super().put_if(key, data, version)
        if self.lose:
            self.lose -= 1
            raise TransientError("connection reset")
        return written


def test_a_write_whose_answer_got_lost_is_not_taken_for_somebody_elses() -> None:
    store = LossyStore()
    writer = Writer(store)
    writer.push("a")
    store.lose = 1
    writer.push("b")
    writer.push("c", close=True)
    assert writer.record.lines() == ["a", "b", "c"]


def test_an_outage_is_waited_out_but_not_for_ever() -> None:
    store = MemoryObjectStore()
    writer = Writer(store)
    store.fail("put_if", TransientError("503"), times=5)
    writer.push("a")
    store.fail("put_if", TransientError("503"), times=1000)
    with pytest.raises(TransientError):
        writer.push("b")


def test_within_a_stage_the_store_is_written_now_and_then() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    record = RemoteRecord(store, "dev", "r1", clock)
    record.adopt(1, lambda: None)
    lines: list[str] = []
    for second in range(21):
        lines.append(str(second))
        record.push_some(lines, pipeline="provision", index=0, stage="plan")
        clock.advance(1.0)
    assert sum(method == "put_if" for method, _ in store.calls) == 5


def test_a_proposal_is_kept_under_its_digest_once() -> None:
    store = MemoryObjectStore()
    writer = Writer(store)
    writer.record.put_proposal("sha256:ab", b"{}")
    writer.record.put_proposal("sha256:ab", b"{}")
    assert writer.record.proposal("sha256:ab") == b"{}"
    assert writer.record.proposal("sha256:cd") is None


def test_a_run_is_found_in_any_environment() -> None:
    store = MemoryObjectStore()
    Writer(store).push("a")
    found = find_remote(store, "r1")
    assert found is not None
    assert found.environment == "dev"
    assert find_remote(store, "r2") is None
    assert list_remote(store, "prod") == []
