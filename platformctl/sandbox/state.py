"""What is remembered between two commands: ports, and each part as it was started. Written atomically, under a lock.

A pid alone is never trusted: a record names the process's start time and boot as well.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import Child
from platformctl.core.errors import PreconditionError, TransientError
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import Part

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Record:
    """A part as it was started. ``fingerprint`` is the part's own at that time."""

    part: Part
    child: Child
    fingerprint: str


@dataclass(frozen=True)
class State:
    """``ports`` by name, kept over down and up. ``kubeconfig``: of the cluster that stands in for our own control
    plane, empty for our own. ``records`` by the part's name."""

    ports: Mapping[str, int] = field(default_factory=dict)
    kubeconfig: str = ""
    records: Mapping[str, Record] = field(default_factory=dict)

    def with_record(self, record: Record) -> State:
        """With the part started."""
        return dataclasses.replace(self, records={**self.records, record.part.name: record})

    def without(self, name: str) -> State:
        """With the part stopped."""
        return dataclasses.replace(self, records={key: item for key, item in self.records.items() if key != name})


def load(path: Path) -> State:
    """The state; an empty one when there is no file, or a file that was damaged from outside: what still runs is then
    found by its marker.

    Raises PreconditionError when a newer platformctl wrote it, or when it is not readable for us.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["schemaVersion"]
    except FileNotFoundError:
        return State()
    except PermissionError as error:
        raise PreconditionError(
            f"{path} belongs to another user", hint="run the command as the user who ran `platformctl sandbox up`"
        ) from error
    except (ValueError, KeyError, TypeError):
        return State()
    if version != SCHEMA_VERSION:
        raise PreconditionError(
            f"the sandbox was started by another version of platformctl (its state has schema {version})",
            hint="run `sandbox down` with that version first",
        )
    try:
        return _read(document)
    except (ValueError, KeyError, TypeError):
        return State()


def save(path: Path, state: State) -> None:
    """Replaces the file in one step; readers see the old state or the new one."""
    document = {
        "schemaVersion": SCHEMA_VERSION,
        "ports": dict(state.ports),
        "kubeconfig": state.kubeconfig,
        "parts": [
            {
                "part": record.part.to_json(),
                "child": dataclasses.asdict(record.child),
                "fingerprint": record.fingerprint,
            }
            for record in state.records.values()
        ],
    }
    write_private(path, json.dumps(document, indent=1))


def write_private(path: Path, text: str) -> None:
    """Writes a file that only we may read (0600), replacing what was there in one step. Whoever calls holds the lock.

    Raises PreconditionError when that is not possible: a full disk, a folder of another user.
    """
    # Always the same name: what a killed command left is overwritten, not collected.
    fresh = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise PreconditionError(f"{path} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def exclusively(
    layout: Layout, action: str, *, clock: Clock, cancel: Cancel, patience: float, on_wait: Callable[[str], None]
) -> Iterator[None]:
    """Holds the sandbox's lock; the kernel frees it when its holder dies, by whatever signal.

    ``action`` is what others are told we do. ``on_wait`` is called, with what the holder does, before waiting for it.
    Raises TransientError when the lock is still held after ``patience`` seconds, PreconditionError when the folder
    cannot be written, and the reason of ``cancel`` when that stops.
    """
    from filelock import FileLock, Timeout

    try:
        layout.make()
    except OSError as error:
        raise PreconditionError(f"{layout.directory} cannot be written: {error.strerror}") from error
    lock, holder = FileLock(layout.lock), layout.directory / "lock.holder"
    limit, told = clock.monotonic() + patience, False
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if clock.monotonic() >= limit:
                who = _holder(holder)
                raise TransientError(
                    f"the sandbox is still being changed by {who} after {patience:g} s", hint="try again later"
                ) from None
            if not told:
                on_wait(_holder(holder))
                told = True
            clock.wait(0.1, cancel.event)
            cancel.check()
    try:
        write_private(holder, f"`{action}` (pid {os.getpid()})")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another command"
    except OSError:
        return "another command"


def _read(document: Mapping[str, Any]) -> State:
    records = [
        Record(Part.from_json(item["part"]), Child(**item["child"]), item["fingerprint"]) for item in document["parts"]
    ]
    return State(
        ports={str(name): int(port) for name, port in document["ports"].items()},
        kubeconfig=str(document["kubeconfig"]),
        records={record.part.name: record for record in records},
    )
