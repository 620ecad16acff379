"""One run at a time: who gets the lease, who loses it, and when."""

from __future__ import annotations

import json
import threading

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.errors import Interrupted, LeaseHeld, PreconditionError, TransientError
from platformctl.engine.lease import Holder, Lease, LeaseTimes, acquire, read_lease
from platformctl.testing import FakeClock, MemoryObjectStore, SteppedClock

KEY = "leases/environments/dev.json"
TIMES = LeaseTimes(ttl=30.0, heartbeat=5.0, margin=10.0)
ANNA = Holder("anna@laptop (pid 1)", "run-a", "https://ci.example.org/7")
BEN = Holder("ben@desk (pid 2)", "run-b")


def take(store: MemoryObjectStore, clock: FakeClock, holder: Holder = ANNA, wait: float = 0.0) -> Lease:
    return acquire(store, KEY, holder, clock=clock, times=TIMES, wait=wait)


def test_a_free_lease_is_taken_with_the_first_number() -> None:
    store = MemoryObjectStore()
    assert take(store, FakeClock()).number == 1


def test_a_held_lease_names_its_holder_since_when_and_its_build() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    take(store, clock)
    with pytest.raises(LeaseHeld) as caught:
        take(store, clock, BEN)
    assert caught.value.exit_code == 6
    assert "anna@laptop (pid 1) since 2026-01-01T00:00:00+00:00" in caught.value.message
    assert "https://ci.example.org/7" in caught.value.message
    assert "--lock-wait" in caught.value.hint


def test_a_released_lease_is_free_and_the_number_goes_on() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    take(store, clock).release()
    second = take(store, clock, BEN)
    assert (second.number, second.took_over) == (2, None)


def test_a_lease_whose_holder_died_is_taken_over_with_a_higher_number() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    take(store, clock)
    second = take(store, clock, BEN, wait=60.0)
    assert (second.number, second.took_over) == (2, ANNA)
    assert clock.monotonic() >= TIMES.ttl


def test_a_lease_that_is_renewed_is_never_taken_over() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    lease = take(store, clock)
    store.before = lambda method, key: lease.renew() if method == "get" and len(store.calls) % 3 == 0 else None
    with pytest.raises(LeaseHeld):
        take(store, clock, BEN, wait=300.0)
    store.before = None
    assert lease.lost is None


def test_expiry_is_measured_by_the_observer_not_by_the_holders_wall_clock() -> None:
    store = MemoryObjectStore()
    take(store, FakeClock())
    much_later = FakeClock()
    much_later.advance(1_000_000.0)
    with pytest.raises(LeaseHeld):
        take(store, much_later, BEN, wait=TIMES.ttl - 1.0)


def test_the_old_holder_is_refused_after_a_takeover() -> None:
    store = MemoryObjectStore()
    old = take(store, FakeClock())
    take(store, FakeClock(), BEN, wait=60.0)
    for attempt in (old.verify, old.renew):
        with pytest.raises(LeaseHeld, match="taken over by ben@desk") as caught:
            attempt()
        assert "number 2 after 1" in caught.value.message
    old.release()
    current = read_lease(store, KEY)
    assert current is not None
    assert (current.holder, current.released) == (BEN, False)


def test_a_holder_that_slept_past_its_time_gives_up_even_when_nobody_took_over() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    lease = take(store, clock)
    clock.advance(TIMES.ttl)
    with pytest.raises(LeaseHeld, match="could not be renewed for 30 s"):
        lease.verify()


def test_renewing_extends_the_time() -> None:
    store, clock = MemoryObjectStore(), FakeClock()
    lease = take(store, clock)
    for _ in range(10):
        clock.advance(TIMES.heartbeat)
        lease.renew()
    lease.verify()


class LossyStore(MemoryObjectStore):
    """Loses the answer of the next conditional write, but not the write."""

    lose = False

    def put_if(self, key: str, data: bytes, version: str) -> str:
        written = super().put_if(key, data, version)
        if self.lose:
            self.lose = False
            raise TransientError("connection reset")
        return written


def test_a_write_whose_answer_got_lost_is_recognised_as_our_own() -> None:
    store, clock = LossyStore(), FakeClock()
    lease = take(store, clock)
    store.lose = True
    with pytest.raises(TransientError):
        lease.renew()
    lease.renew()
    lease.verify()


def test_of_many_who_try_at_once_one_wins() -> None:
    store, won, lost = MemoryObjectStore(), [], []
    barrier = threading.Barrier(8)

    def contend(number: int) -> None:
        barrier.wait()
        try:
            won.append(take(store, FakeClock(), Holder(f"h{number}", f"r{number}")).number)
        except LeaseHeld as error:
            lost.append(error)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]
    assert len(lost) == 7


def test_waiting_ends_when_the_run_is_interrupted() -> None:
    store, cancel = MemoryObjectStore(), Cancel()
    take(store, FakeClock())
    cancel.stop(Interrupted(2))
    with pytest.raises(Interrupted):
        acquire(store, KEY, BEN, clock=FakeClock(), times=TIMES, wait=600.0, cancel=cancel)


def test_a_lease_that_cannot_be_read_is_not_taken_over() -> None:
    store = MemoryObjectStore()
    store.put(KEY, b"not json")
    with pytest.raises(PreconditionError, match="not a lease"):
        take(store, FakeClock())


def test_the_object_says_who_holds_it_in_plain_json() -> None:
    store = MemoryObjectStore()
    take(store, FakeClock())
    stored = store.get(KEY)
    assert stored is not None
    document = json.loads(stored.data)
    assert (document["schemaVersion"], document["number"], document["released"]) == (1, 1, False)
    assert document["holder"] == {"name": ANNA.name, "run": "run-a", "url": ANNA.url}


class Kept:
    """A lease kept by its threads, on a clock that the test moves."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryObjectStore(), SteppedClock()
        self.lease = acquire(self.store, KEY, ANNA, clock=self.clock, times=TIMES)
        self.lost = threading.Event()
        self.reasons: list[LeaseHeld] = []
        self.lease.keep(self._on_lost)
        self.clock.until_waiting(2)

    def _on_lost(self, reason: LeaseHeld) -> None:
        self.reasons.append(reason)
        self.lost.set()

    def step(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if not self.lost.is_set():
            self.clock.until_waiting(2)

    def beats(self) -> int:
        record = read_lease(self.store, KEY)
        return -1 if record is None else record.beat


def test_heartbeats_renew_until_release_and_then_end() -> None:
    kept = Kept()
    for _ in range(12):
        kept.step(TIMES.heartbeat)
    assert kept.beats() >= 10
    kept.lease.release()
    record = read_lease(kept.store, KEY)
    assert record is not None
    assert record.released
    assert not kept.lost.is_set()


def test_a_holder_that_cannot_renew_stops_before_others_may_take_over() -> None:
    kept = Kept()
    kept.store.fail("put_if", TransientError("no route to host"), times=1000)
    passed = 0.0
    while not kept.lost.is_set():
        kept.clock.advance(1.0)
        passed += 1.0
        kept.lost.wait(0.02)
        assert passed < TIMES.ttl, "others may take over by now"
    assert passed <= TIMES.ttl - TIMES.margin + 1.0
    assert "could not be renewed" in kept.reasons[0].message


def test_a_holder_that_finds_itself_replaced_says_so_at_its_next_heartbeat() -> None:
    kept = Kept()
    stored = kept.store.get(KEY)
    assert stored is not None
    kept.store.delete(KEY)
    acquire(kept.store, KEY, BEN, clock=FakeClock(), times=TIMES)
    kept.clock.advance(TIMES.heartbeat)
    assert kept.lost.wait(5.0)
    assert "taken over by ben@desk" in kept.reasons[0].message


def test_a_renewal_that_hangs_does_not_keep_a_lost_lease_alive() -> None:
    kept, hang = Kept(), threading.Event()
    kept.store.before = lambda method, key: (hang.wait(5.0), None)[1] if method == "put_if" else None
    kept.clock.advance(TIMES.ttl - TIMES.margin)
    try:
        assert kept.lost.wait(5.0)
    finally:
        hang.set()
