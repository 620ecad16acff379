"""The run directory: ``.platform/runs/<id>/`` with events, derived state, logs, artifacts and what is private.

``events.jsonl`` is the truth: appended to, never rewritten, a line at a time. Everything else can be made from it or is
named by it. docs/concepts/record.md is the reference.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from platformctl.core.errors import LeaseHeld, UsageError
from platformctl.core.events import Event
from platformctl.engine.disk import disk_errors, sync_directory, write_whole
from platformctl.engine.state import RunState, derive
from platformctl.engine.step import ArtifactKind

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_EVENTS = "events.jsonl"


def new_run_id(now: datetime, pipeline: str) -> str:
    """An id that sorts by time: ``20260926T101500Z-provision-7f3a``."""
    return f"{now:%Y%m%dT%H%M%SZ}-{pipeline}-{secrets.token_hex(2)}"


def check_run_id(run_id: str) -> str:
    """The id, if it may name a folder and a key. Raises UsageError."""
    if not _RUN_ID.fullmatch(run_id) or ".." in run_id:
        raise UsageError(
            f"{run_id!r} is no id of a run",
            hint="letters, digits, '.', '_' and '-'; at most 128; begins with a letter or digit",
        )
    return run_id


@dataclass(frozen=True)
class Recorded:
    """What ``events.jsonl`` held.

    ``lines``: the readable ones, without their ends; ``events``: what this version of ours makes of them. ``torn``: the
    last line was cut short by a crash and is not among them. ``damaged``: other lines that can't be read.
    """

    events: tuple[Event, ...]
    lines: tuple[str, ...]
    torn: bool = False
    damaged: int = 0


def parse_events(text: str) -> Recorded:
    """Reads the form of ``events.jsonl``. Kinds of a newer version are left out, not counted as damage."""
    whole, newline, rest = text.rpartition("\n")
    events, lines, damaged = [], [], 0
    for line in whole.split("\n") if newline else ():
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            lines.append(line)
        except ValueError:
            damaged += 1
            continue
        with contextlib.suppress(KeyError, ValueError, TypeError):
            events.append(Event.from_json(document))
    return Recorded(tuple(events), tuple(lines), torn=bool(rest), damaged=damaged)


class RunDirectory:
    """One run's folder. Reading never changes it; ``append`` and its like need ``claim`` first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """Whether a run was recorded here."""
        try:
            return (self.path / _EVENTS).stat().st_size > 0
        except OSError:
            return False

    @property
    def private(self) -> Path:
        """What never leaves this machine (0700): saved plans, tracebacks."""
        return self.path / "private"

    def read(self) -> Recorded:
        """The events. Raises PreconditionError when they can't be read."""
        path = self.path / _EVENTS
        with disk_errors(path):
            return parse_events(path.read_text(encoding="utf-8", errors="replace"))

    def state(self) -> RunState:
        """How the run stands according to its events."""
        return derive(self.id, self.read().events)

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Makes the folder and keeps it for this process; the operating system frees it when the process dies.

        A folder in which no event was written is removed again.
        Raises LeaseHeld when another process drives the run, PreconditionError when nothing can be written here.
        """
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for folder, mode in (("logs", 0o755), ("artifacts", 0o755), ("private", 0o700)):
                (self.path / folder).mkdir(exist_ok=True)
                (self.path / folder).chmod(mode)
            lock = FileLock(self.path / "lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise LeaseHeld(
                    f"run {self.id} is driven by another process on this machine",
                    hint=f"`platformctl runs show {self.id}` tells where it is",
                ) from None
        try:
            yield
        finally:
            self.close()
            if not self.exists:
                shutil.rmtree(self.path, ignore_errors=True)
            lock.release()

    def append(self, line: str, *, durable: bool) -> None:
        """Adds one event's line; ``durable`` ones survive a power cut. Raises PreconditionError: nothing was added."""
        path = self.path / _EVENTS
        with disk_errors(path):
            if self._descriptor is None:
                self._descriptor = self._open(path)
            before = os.fstat(self._descriptor).st_size
            content = line.encode() + b"\n"
            try:
                written = os.write(self._descriptor, content)
                if written != len(content):  # a disk that fills up takes the first part; the next write says why
                    os.write(self._descriptor, content[written:])
                if durable:
                    os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, before)
                raise

    def replace_events(self, lines: Sequence[str]) -> None:
        """Puts another machine's record in place of this folder's."""
        self.close()
        write_whole(self.path / _EVENTS, "".join(f"{line}\n" for line in lines).encode(), durable=True)

    def write_state(self, state: RunState) -> None:
        """Writes ``run.json``. Raises PreconditionError; the old one is then untouched."""
        content = json.dumps(state.to_json(), indent=2, ensure_ascii=False) + "\n"
        write_whole(self.path / "run.json", content.encode())

    def log_path(self, step: str) -> Path:
        """The step's log: ``plan/network`` logs to ``logs/plan.network.log``."""
        return self.path / "logs" / f"{step.replace('/', '.')}.log"

    def artifact_path(self, name: str, kind: ArtifactKind) -> Path:
        """Where an artifact of that name lives. Raises ValueError for a name that leaves the folder."""
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ValueError(f"{name!r} is no name of an artifact")
        return (self.private if kind is ArtifactKind.PRIVATE else self.path / "artifacts").joinpath(*parts)

    def close(self) -> None:
        """Lets go of the open file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, path: Path) -> int:
        """Opens for appending, and cuts off a line that a crash left torn."""
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if new:
            sync_directory(path.parent)
            return descriptor
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.ftruncate(descriptor, content.rfind(b"\n") + 1)
        return descriptor


def local_runs(runs: Path) -> list[RunDirectory]:
    """Every run recorded on this machine, newest id first."""
    if not runs.is_dir():
        return []
    with disk_errors(runs):
        found = [RunDirectory(path) for path in runs.iterdir() if path.is_dir()]
    return sorted((run for run in found if run.exists), key=lambda run: run.id, reverse=True)
