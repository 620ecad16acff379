"""The record in the state bucket: what another machine needs to list, approve and resume a run.

    runs/<environment>/<run>/segments/<seq>.<number>.<pipeline>.<stage index>.<stage>.<STATUS>.jsonl
    runs/<environment>/<run>/proposals/<sha256>.json
    runs/<environment>/<run>/answers/<sha256 of the question>/<who>.json

A segment holds the events that one process wrote during one stage; the segments of a run in order are its
``events.jsonl``. ``number`` is the fencing number of the run's lease: what a process of a lower number wrote after a
higher one began does not count. Logs, other artifacts and everything private stay where they were made.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from platformctl.core.clock import Clock
from platformctl.core.errors import LeaseHeld, Status, TransientError
from platformctl.core.objects import ABSENT, ObjectChanged, ObjectStore

RUNS = "runs/"
_PUSH_INTERVAL = 5.0  # seconds between writes within a stage; its borders are written at once
_PATIENCE = 30.0  # seconds a border's write is tried again
_RETRY = 2.0


@dataclass(frozen=True, order=True)
class SegmentKey:
    """A segment's key, read. Ordered as the segments are."""

    seq: int
    number: int
    pipeline: str
    index: int
    stage: str
    status: Status

    def name(self) -> str:
        """The last part of the key."""
        return (
            f"{self.seq:04d}.{self.number:04d}.{self.pipeline}.{self.index:02d}.{self.stage}.{self.status.value}.jsonl"
        )

    @classmethod
    def parse(cls, name: str) -> SegmentKey:
        """Raises ValueError for the name of something else."""
        seq, number, pipeline, index, stage, status, ending = name.split(".")
        if ending != "jsonl":
            raise ValueError(name)
        return cls(int(seq), int(number), pipeline, int(index), stage, Status(status))


@dataclass(frozen=True)
class RemoteRun:
    """A run as its keys alone tell it."""

    id: str
    environment: str
    pipeline: str
    stage: str
    status: Status


def run_prefix(environment: str, run_id: str) -> str:
    """Where a run's objects are."""
    return f"{RUNS}{environment}/{run_id}/"


def list_remote(store: ObjectStore, environment: str = "") -> list[RemoteRun]:
    """Every run in the store, of one environment or of all, newest id first. One listing, no object is read."""
    prefix = f"{RUNS}{environment}/" if environment else RUNS
    found: dict[tuple[str, str], list[SegmentKey]] = {}
    for key in store.list(prefix):
        parts = key.removeprefix(RUNS).split("/")
        if len(parts) == 4 and parts[2] == "segments":
            with contextlib.suppress(ValueError):
                found.setdefault((parts[0], parts[1]), []).append(SegmentKey.parse(parts[3]))
    runs = []
    for (where, run_id), keys in found.items():
        last = counted(keys)[-1]
        runs.append(RemoteRun(run_id, where, last.pipeline, last.stage, last.status))
    return sorted(runs, key=lambda run: run.id, reverse=True)


def find_remote(store: ObjectStore, run_id: str) -> RemoteRun | None:
    """The run of that id in any environment, None when there is none."""
    return next((run for run in list_remote(store) if run.id == run_id), None)


def counted(keys: Iterable[SegmentKey]) -> list[SegmentKey]:
    """The segments that count, in order.

    Of several with one seq the highest number wins, and of one number the status that ended it. A segment with a lower
    number than one before it was written by a process that had been taken over.
    """
    best: dict[int, SegmentKey] = {}
    for key in keys:
        other = best.get(key.seq)
        if other is None or (key.number, key.status is not Status.RUNNING) > (
            other.number,
            other.status is not Status.RUNNING,
        ):
            best[key.seq] = key
    result: list[SegmentKey] = []
    for _, key in sorted(best.items()):
        if not result or key.number >= result[-1].number:
            result.append(key)
    return result


class RemoteRecord:
    """One run's objects. Reading needs no lease; ``adopt`` and everything after it does."""

    def __init__(self, store: ObjectStore, environment: str, run_id: str, clock: Clock) -> None:
        self.store = store
        self.prefix = run_prefix(environment, run_id)
        self._clock = clock
        self._fence: Callable[[], None] = lambda: None
        self._number = 0
        self._seq = 0
        self._done = 0
        self._open: SegmentKey | None = None
        self._version = ABSENT
        self._pushed = float("-inf")
        self._lock = threading.Lock()

    def lines(self) -> list[str]:
        """The run's event lines, from all segments. Raises TransientError."""
        return [line for key in self._keys() for line in self._read(key)[0]]

    def adopt(self, number: int, fence: Callable[[], None]) -> None:
        """Writes from here on as the holder of the run's lease ``number``; ``fence`` raises when that is lost.

        Seals the segment that the holder before us may have left open, so that its late writes are refused.
        """
        self._number, self._fence = number, fence
        keys = self._keys()
        if not keys:
            return
        last = keys[-1]
        self._seq = last.seq
        while last.status is Status.RUNNING:
            lines, version = self._read(last)
            try:
                # An empty line more changes the version and nothing else.
                self.store.put_if(self._key(last), _content([*lines, ""]), version)
                return
            except ObjectChanged:
                continue

    def continue_after(self, lines: int) -> None:
        """Says how many lines of the run's events the store already holds."""
        self._done = lines

    def push(self, lines: Sequence[str], *, pipeline: str, index: int, stage: str, status: Status, close: bool) -> None:
        """Writes the segment at a stage's border, all of ``lines`` that no closed segment holds.

        Tried again for half a minute. Raises LeaseHeld when another process has the run, TransientError.
        """
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            try:
                self._push(lines, SegmentKey(0, self._number, pipeline, index, stage, status), close=close)
                return
            except LeaseHeld:
                raise
            except TransientError:
                if self._clock.monotonic() >= deadline:
                    raise
                self._clock.wait(_RETRY)

    def push_some(self, lines: Sequence[str], *, pipeline: str, index: int, stage: str) -> None:
        """Writes the open segment within a stage, not too often. Raises LeaseHeld, TransientError."""
        if self._clock.monotonic() - self._pushed >= _PUSH_INTERVAL:
            self._push(lines, SegmentKey(0, self._number, pipeline, index, stage, Status.RUNNING), close=False)

    def put_proposal(self, digest: str, content: bytes) -> None:
        """Keeps a proposal under its own digest; there already is fine."""
        self._fence()
        with contextlib.suppress(ObjectChanged):
            self.store.put_if(self._proposal(digest), content, ABSENT)

    def proposal(self, digest: str) -> bytes | None:
        """A proposal's content, None when it is not there."""
        stored = self.store.get(self._proposal(digest))
        return stored.data if stored else None

    def _push(self, lines: Sequence[str], target: SegmentKey, *, close: bool) -> None:
        with self._lock:
            self._fence()
            seq = self._open.seq if self._open else self._seq + 1
            key = SegmentKey(seq, target.number, target.pipeline, target.index, target.stage, target.status)
            content = _content(lines[self._done :])
            version = self._version if key == self._open else ABSENT
            try:
                self._version = self.store.put_if(self._key(key), content, version)
            except ObjectChanged:
                self._version = self._already(key, content)
            if self._open is not None and key != self._open:
                self.store.delete(self._key(self._open))
            self._open, self._seq, self._pushed = key, seq, self._clock.monotonic()
            if close:
                self._open, self._version, self._done = None, ABSENT, len(lines)

    def _already(self, key: SegmentKey, content: bytes) -> str:
        """Writes once more over what an earlier write of ours left whose answer got lost; the new version."""
        stored = self.store.get(self._key(key))
        with contextlib.suppress(ObjectChanged):
            # Only we write under our number, and only ever more lines; whoever takes over seals it with an empty one.
            if stored is not None and content.startswith(stored.data):
                return self.store.put_if(self._key(key), content, stored.version)
        raise LeaseHeld(
            f"the record of the run in {self.store.describe()} is written by another process",
            hint="`platformctl runs show` tells which",
        )

    def _keys(self) -> list[SegmentKey]:
        prefix = f"{self.prefix}segments/"
        keys = []
        for key in self.store.list(prefix):
            with contextlib.suppress(ValueError):
                keys.append(SegmentKey.parse(key.removeprefix(prefix)))
        return counted(keys)

    def _read(self, key: SegmentKey) -> tuple[list[str], str]:
        stored = self.store.get(self._key(key))
        if stored is None:  # renamed between the listing and now
            raise TransientError(f"{self._key(key)} in {self.store.describe()} has just changed", hint="try again")
        return [line for line in stored.data.decode().split("\n") if line], stored.version

    def _key(self, key: SegmentKey) -> str:
        return f"{self.prefix}segments/{key.name()}"

    def _proposal(self, digest: str) -> str:
        return f"{self.prefix}proposals/{digest.removeprefix('sha256:')}.json"


def _content(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
