"""Leases: one run at a time works on an environment. Conditional writes on an ObjectStore, nothing else.

A lease's object keeps its fencing number for ever, also when nobody holds it, so that every holder has a higher number
than all before it. Expired means: seen unchanged for the holder's own time on the observer's monotonic clock; wall
clocks of two machines are never compared. A lease does not protect what children of a dead holder still do: they die
with their parent, and Terraform's own lock stands beneath.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.errors import LeaseHeld, PlatformError, PreconditionError
from platformctl.core.objects import ABSENT, ObjectChanged, ObjectStore

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds. ``ttl``: unchanged for so long means the holder is dead. ``heartbeat``: between two renewals.

    ``margin``: so long before others may take over, a holder that could not renew stops its children.
    """

    ttl: float = 30.0
    heartbeat: float = 5.0
    margin: float = 10.0


LEASE_TIMES = LeaseTimes()


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, for people: ``name`` is ``user@host pid 123``; ``run`` its run; ``url`` its build."""

    name: str
    run: str
    url: str = ""


@dataclass(frozen=True)
class LeaseRecord:
    """The object in the store. ``token`` tells two acquisitions apart; ``beat`` counts renewals, so that each changes
    the object; ``since`` and ``renewed`` are the holder's wall time, for people only."""

    number: int
    holder: Holder
    token: str
    beat: int
    since: str
    renewed: str
    ttl: float
    released: bool = False

    def to_bytes(self) -> bytes:
        """The form in the store."""
        document = {
            "schemaVersion": SCHEMA_VERSION,
            "number": self.number,
            "holder": {"name": self.holder.name, "run": self.holder.run, "url": self.holder.url},
            "token": self.token,
            "beat": self.beat,
            "since": self.since,
            "renewed": self.renewed,
            "ttl": self.ttl,
            "released": self.released,
        }
        return (json.dumps(document, indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> LeaseRecord:
        """Raises ValueError for what is no lease of ours: nobody may take over what they can't read."""
        try:
            document: Mapping[str, Any] = json.loads(content)
            holder = document["holder"]
            return cls(
                number=int(document["number"]),
                holder=Holder(str(holder["name"]), str(holder["run"]), str(holder.get("url", ""))),
                token=str(document["token"]),
                beat=int(document["beat"]),
                since=str(document["since"]),
                renewed=str(document["renewed"]),
                ttl=float(document["ttl"]),
                released=bool(document["released"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a lease: {error}") from error


def read_lease(store: ObjectStore, key: str) -> LeaseRecord | None:
    """The lease as it stands; None when nobody ever held it. Raises TransientError when it can't be read."""
    stored = store.get(key)
    return None if stored is None else _parse(store, key, stored.data)


class Lease:
    """A held lease, made by ``acquire``. ``number`` fences; ``took_over`` names the dead holder it was taken from."""

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        *,
        record: LeaseRecord,
        version: str,
        renewed: float,
        clock: Clock,
        times: LeaseTimes,
        took_over: Holder | None,
    ) -> None:
        self.number = record.number
        self.took_over = took_over
        self._store, self._key, self._clock, self._times = store, key, clock, times
        self._record, self._version, self._renewed = record, version, renewed
        self._lost: LeaseHeld | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def lost(self) -> LeaseHeld | None:
        """Why this lease is no longer ours; None while it is."""
        return self._lost

    def renew(self) -> None:
        """Writes the next beat. Raises LeaseHeld when it is lost, TransientError when the store can't be reached."""
        with self._lock:
            self._check_time()
            before = self._clock.monotonic()
            self._write(self._next(released=False))
            self._renewed = before  # counted from before the write: others see it change no earlier than that

    def verify(self) -> None:
        """Reads the number in the store: it must still be ours. Raises LeaseHeld, TransientError."""
        with self._lock:
            self._check_time()
            self._compare(read_lease(self._store, self._key))

    def keep(self, on_lost: Callable[[LeaseHeld], None]) -> None:
        """Renews from a thread of its own until ``release``; calls ``on_lost`` as soon as it is lost.

        A second thread watches the time, because a renewal may hang in the network for longer than is left.
        """
        for target in (self._heartbeat, self._watch):
            thread = threading.Thread(target=target, args=(on_lost,), name=f"lease {self._key}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def release(self) -> None:
        """Gives it up; the number stays in the store. A lost lease is left as it is. Raises TransientError."""
        self._done.set()
        if self._lost is not None:
            return
        for thread in self._threads:
            thread.join()
        with self._lock:
            if self._lost is None:
                self._write(self._next(released=True))
                self._lost = LeaseHeld(f"the lease {self._key} was released by this run")

    def _heartbeat(self, on_lost: Callable[[LeaseHeld], None]) -> None:
        while not self._clock.wait(self._times.heartbeat, self._done):
            try:
                self.renew()
            except LeaseHeld as lost:
                on_lost(lost)
                return
            except PlatformError:
                continue  # the store does not answer; the watching thread knows when that has lasted too long

    def _watch(self, on_lost: Callable[[LeaseHeld], None]) -> None:
        while self._remaining() > 0:
            if self._clock.wait(self._remaining(), self._done):
                return
        try:
            self._check_time()
        except LeaseHeld as lost:
            on_lost(lost)

    def _remaining(self) -> float:
        return self._renewed + self._times.ttl - self._times.margin - self._clock.monotonic()

    def _check_time(self) -> None:
        """Past its time a lease is lost, taken over or not: this process was stopped, or the store is out of reach."""
        if self._lost is not None:
            raise self._lost
        if self._remaining() <= 0:
            late = self._clock.monotonic() - self._renewed
            raise self._lose(f"the lease {self._key} could not be renewed for {late:.0f} s; others may take it over")

    def _compare(self, current: LeaseRecord | None) -> None:
        if current is None:
            raise self._lose(f"the lease {self._key} is gone from {self._store.describe()}")
        if current.token != self._record.token:
            raise self._lose(
                f"the lease {self._key} was taken over by {current.holder.name} (run {current.holder.run}), "
                f"number {current.number} after {self.number}"
            )

    def _write(self, record: LeaseRecord) -> None:
        try:
            self._version = self._store.put_if(self._key, record.to_bytes(), self._version)
        except ObjectChanged:
            # Either somebody took over, or an earlier write of ours arrived although its answer got lost.
            stored = self._store.get(self._key)
            current = None if stored is None else _parse(self._store, self._key, stored.data)
            self._compare(current)
            if stored is not None:
                self._version = self._put_again(record, stored.version)
        self._record = record

    def _put_again(self, record: LeaseRecord, version: str) -> str:
        try:
            return self._store.put_if(self._key, record.to_bytes(), version)
        except ObjectChanged:
            raise self._lose(f"the lease {self._key} is written by somebody else") from None

    def _next(self, *, released: bool) -> LeaseRecord:
        record = self._record
        return LeaseRecord(
            number=record.number,
            holder=record.holder,
            token=record.token,
            beat=record.beat + 1,
            since=record.since,
            renewed=self._clock.now().isoformat(timespec="seconds"),
            ttl=record.ttl,
            released=released,
        )

    def _lose(self, message: str) -> LeaseHeld:
        self._lost = LeaseHeld(message, hint="nothing more was written; `platformctl runs show` tells what was done")
        self._done.set()
        return self._lost


def acquire(
    store: ObjectStore,
    key: str,
    holder: Holder,
    *,
    clock: Clock,
    times: LeaseTimes = LEASE_TIMES,
    wait: float = 0.0,
    cancel: Cancel | None = None,
    on_wait: Callable[[LeaseRecord], None] | None = None,
) -> Lease:
    """Takes the lease, or waits up to ``wait`` seconds for it.

    A holder that died is noticed only while waiting: its record must be seen unchanged for its ``ttl``. ``on_wait``
    hears once of whom we wait for. Raises LeaseHeld (names the holder, since when, its build), whatever ``cancel``
    stops with, TransientError when the store can't be reached.
    """
    observer = _Observer(clock)
    deadline = clock.monotonic() + wait
    told = False
    while True:
        stored = store.get(key)
        current = None if stored is None else _parse(store, key, stored.data)
        free = current is None or current.released
        expired = not free and current is not None and observer.expired(current)
        if free or expired:
            version = stored.version if stored else ABSENT
            lease = _take(store, key, holder, current=current, version=version, clock=clock, times=times)
            if lease is not None:
                return lease
            continue  # somebody was faster; look again
        if current is None or clock.monotonic() >= deadline:
            raise held_error(key, current)
        if on_wait is not None and not told:
            told = True
            on_wait(current)
        pause = min(times.heartbeat, deadline - clock.monotonic(), observer.remaining(current))
        clock.wait(max(0.01, pause), cancel.event if cancel else None)
        if cancel is not None:
            cancel.check()


def held_error(key: str, record: LeaseRecord | None) -> LeaseHeld:
    """The error for a lease that another run holds."""
    if record is None:
        return LeaseHeld(f"the lease {key} changes hands too fast")
    url = f", {record.holder.url}" if record.holder.url else ""
    return LeaseHeld(
        f"the lease {key} is held by {record.holder.name} since {record.since} (run {record.holder.run}{url})",
        hint=f"wait with --lock-wait 10m; a dead holder's lease is taken over after {record.ttl:g} s of waiting",
    )


class _Observer:
    """Watches one lease from outside: since when, on our own clock, has it not changed?"""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = ("", -1)
        self._since = 0.0

    def expired(self, record: LeaseRecord) -> bool:
        """Whether it has been unchanged for the holder's time."""
        if (record.token, record.beat) != self._seen:
            self._seen = (record.token, record.beat)
            self._since = self._clock.monotonic()
        return self.remaining(record) <= 0

    def remaining(self, record: LeaseRecord) -> float:
        """Seconds until it counts as expired."""
        return self._since + record.ttl - self._clock.monotonic()


def _take(
    store: ObjectStore,
    key: str,
    holder: Holder,
    *,
    current: LeaseRecord | None,
    version: str,
    clock: Clock,
    times: LeaseTimes,
) -> Lease | None:
    """Writes our record over the free or expired one; None when somebody was faster."""
    took_over = current.holder if current is not None and not current.released else None
    now = clock.now().isoformat(timespec="seconds")
    record = LeaseRecord(
        number=(current.number if current else 0) + 1,
        holder=holder,
        token=uuid.uuid4().hex,
        beat=0,
        since=now,
        renewed=now,
        ttl=times.ttl,
    )
    before = clock.monotonic()
    try:
        written = store.put_if(key, record.to_bytes(), version)
    except ObjectChanged:
        return None
    return Lease(
        store, key, record=record, version=written, renewed=before, clock=clock, times=times, took_over=took_over
    )


def _parse(store: ObjectStore, key: str, content: bytes) -> LeaseRecord:
    try:
        return LeaseRecord.from_bytes(content)
    except ValueError as error:
        raise PreconditionError(
            f"{key} in {store.describe()} is {error}", hint="look at it, and delete it when no run is active"
        ) from error
