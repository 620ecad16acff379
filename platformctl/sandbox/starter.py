"""The one starter of all parts: brings up what is missing, repairs what died, takes everything down in order.

Knows no part by name. Whoever calls it holds the sandbox's lock (``state.exclusively``). Killed at any moment, it
leaves what the next start or stop puts right: each part is recorded at once, and carries a mark until then.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import Child, Command
from platformctl.core.errors import Interrupted, PlatformError, PreconditionError, ToolError
from platformctl.sandbox import readiness
from platformctl.sandbox import state as states
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import Part, Readiness
from platformctl.sandbox.processes import DIRECTORY_VARIABLE, PART_VARIABLE, Processes
from platformctl.sandbox.repair import Repair, decide, levels
from platformctl.sandbox.state import Record, State

TAIL_LINES = 10
_LEFTOVER_GRACE = 2.0
_FIRST_LOOK, _LONGEST_LOOK = 0.02, 0.25


class Phase(StrEnum):
    """How a part goes through a start or a stop."""

    STARTING = "starting"
    CHECKING = "checking"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    EMPTIED = "emptied"


@dataclass(frozen=True)
class PartEvent:
    """One thing that happened to a part. ``message`` says why, or what is waited for."""

    part: str
    phase: Phase
    message: str = ""
    seconds: float = 0.0


class PartFailed(ToolError):
    """A part did not come up, or would not go. ``tail``: the last lines of its log."""

    def __init__(self, message: str, tail: Iterable[str] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tail = tuple(tail)


class PartEnded(PartFailed):
    """A part's process ended while it was waited for. ``part``: its name."""

    def __init__(self, part: str, tail: Iterable[str]) -> None:
        super().__init__(f"{part} ended before it was ready", tail, hint=f"platformctl sandbox logs {part}")
        self.part = part


class Starter:
    """Starts and stops the parts of one sandbox; keeps ``state`` equal to the state file."""

    def __init__(
        self,
        layout: Layout,
        processes: Processes,
        *,
        clock: Clock,
        watch: Callable[[PartEvent], None],
        cancel: Cancel | None = None,
        look: Callable[[Readiness, Path], str] = readiness.look,
    ) -> None:
        self.layout = layout
        self.state = states.load(layout.state)
        self._processes = processes
        self._clock = clock
        self._watch = watch
        self._cancel = cancel or Cancel()
        self._look = look
        self._lock = threading.Lock()

    def alive(self) -> frozenset[str]:
        """The recorded parts whose process lives."""
        return frozenset(name for name, record in self.state.records.items() if self._processes.alive(record.child))

    def settle(self, ports: Mapping[str, int], kubeconfig: str) -> None:
        """Remembers the ports and the stand-in cluster before anything is started with them."""
        self._keep(replace(self.state, ports=dict(ports), kubeconfig=kubeconfig))

    def up(self, parts: Mapping[str, Part]) -> Repair:
        """Makes exactly these parts run, and waits until all are ready; what ran already is left alone.

        Returns what it did. Raises PartFailed, PreconditionError (a program is missing), Interrupted. What was started
        by then goes on; the next call continues there.
        """
        done = Repair(frozenset(), frozenset(), frozenset(), {})
        while True:
            alive = self.alive()
            repair = decide(parts, self.state.records, alive)
            done = done.and_then(repair)
            self._stop(repair.stop)
            self.end_unrecorded(alive - repair.stop)
            for name in sorted(repair.empty):
                self._empty(parts[name])
            try:
                self._start(parts, repair)
            except PartEnded as ended:
                # A controller that was still starting gives up a moment after its API server died: what lived when we
                # looked first may need repair too. What we started ourselves gets no second chance.
                if ended.part in done.start:
                    raise
            else:
                return done

    def down(self) -> None:
        """Ends every part, needed ones after those that need them, and forgets what they kept; ports stay chosen.

        Raises PartFailed when a process cannot be ended.
        """
        self._stop(self.alive())
        self.end_unrecorded(frozenset())
        self.layout.connection.unlink(missing_ok=True)
        for kept in (self.layout.directory / "kept").glob("*"):
            self._remove(kept.name, kept)
        self._keep(State(ports=self.state.ports))

    def end_unrecorded(self, alive: frozenset[str]) -> None:
        """Ends what carries our mark but belongs to no part in ``alive``: its starter died before it was recorded, or
        it outlived the part that started it."""
        for name, found in self._processes.marked(self.layout.directory).items():
            if name in alive:
                continue
            for child in found:
                self._watch(PartEvent(name, Phase.STOPPING, f"pid {child.pid} was left over"))
                self._end(name, child, _LEFTOVER_GRACE)

    def _start(self, parts: Mapping[str, Part], repair: Repair) -> None:
        levels(parts, frozenset(parts))  # refuses a circle before anything is started
        cancel = Cancel(self._cancel)
        left, ready = dict(parts), set[str]()
        with ThreadPoolExecutor(max_workers=max(1, len(parts))) as pool:
            jobs: dict[Future[None], str] = {}
            try:
                while left or jobs:
                    for name in [name for name, part in left.items() if ready.issuperset(part.needs)]:
                        part = left.pop(name)
                        reason = repair.reasons.get(name) if name in repair.start else None
                        jobs[pool.submit(self._bring_up, part, reason, cancel)] = name
                    for job in wait(jobs, return_when=FIRST_COMPLETED).done:
                        job.result()
                        ready.add(jobs.pop(job))
            except PlatformError as error:
                cancel.stop(error)
                raise
            except BaseException:
                cancel.stop(Interrupted(2))
                raise

    def _bring_up(self, part: Part, reason: str | None, cancel: Cancel) -> None:
        """``reason``: why the part is started, None when its process runs already."""
        begun = self._clock.monotonic()
        cancel.check()
        if reason is None:
            child = self.state.records[part.name].child
            self._watch(PartEvent(part.name, Phase.CHECKING))
        else:
            self._watch(PartEvent(part.name, Phase.STARTING, reason))
            child = self._launch(part)
        self._await(part, child, cancel)
        self._watch(PartEvent(part.name, Phase.READY, part.endpoint, self._clock.monotonic() - begun))

    def _launch(self, part: Part) -> Child:
        log = self.layout.log(part.name)
        fingerprint = part.fingerprint()
        marks = {DIRECTORY_VARIABLE: str(self.layout.directory), PART_VARIABLE: part.name}
        command = Command(part.argv, cwd=self.layout.directory, env={**part.environment, **marks}, timeout=None)
        with _explained(part.name):
            if log.exists():
                log.replace(self.layout.earlier_log(part.name))
            if part.directory is not None:
                part.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            child = self._processes.start(command, log)
        with self._lock:
            self._keep(self.state.with_record(Record(part, child, fingerprint)))
        return child

    def _await(self, part: Part, child: Child, cancel: Cancel) -> None:
        log, limit, pause = self.layout.log(part.name), self._clock.monotonic() + part.deadline, _FIRST_LOOK
        while True:
            cancel.check()
            seen = self._look(part.readiness, log)
            # Asked after the look: another program that took the port must not pass for a part that died of it.
            if not self._processes.alive(child):
                raise PartEnded(part.name, readiness.tail(log, TAIL_LINES))
            if not seen:
                return
            if self._clock.monotonic() >= limit:
                raise PartFailed(
                    f"{part.name} is not ready after {part.deadline:g} s: waited for {part.readiness}; {seen}",
                    readiness.tail(log, TAIL_LINES),
                    hint="`platformctl sandbox down` and `up` start it afresh",
                )
            self._clock.wait(pause, cancel.event)
            pause = min(pause * 1.5, _LONGEST_LOOK)

    def _stop(self, names: frozenset[str]) -> None:
        parts = {name: self.state.records[name].part for name in names}
        for level in reversed(levels(parts, names)):
            self._cancel.check()
            with ThreadPoolExecutor(max_workers=len(level)) as pool:
                for job in [pool.submit(self._stop_one, self.state.records[name]) for name in level]:
                    job.result()

    def _stop_one(self, record: Record) -> None:
        begun = self._clock.monotonic()
        name = record.part.name
        self._watch(PartEvent(name, Phase.STOPPING))
        self._end(name, record.child, record.part.grace)
        with self._lock:
            self._keep(self.state.without(name))
        self._watch(PartEvent(name, Phase.STOPPED, seconds=self._clock.monotonic() - begun))

    def _end(self, name: str, child: Child, grace: float) -> None:
        self._processes.stop(child, grace)
        if self._processes.alive(child):
            raise PartFailed(
                f"{name} (pid {child.pid}) cannot be ended, not even by SIGKILL",
                hint="is it another user's? run the command as the user who started the sandbox",
            )

    def _empty(self, part: Part) -> None:
        if part.directory is not None and part.directory.exists():
            self._remove(part.name, part.directory)
            self._watch(PartEvent(part.name, Phase.EMPTIED))

    @staticmethod
    def _remove(name: str, directory: Path) -> None:
        with _explained(name):
            shutil.rmtree(directory)

    def _keep(self, state: State) -> None:
        self.state = state
        states.save(self.layout.state, state)


@contextmanager
def _explained(part: str) -> Iterator[None]:
    """A full disk, or a file that root left: a cause, not a bug."""
    try:
        yield
    except OSError as error:
        raise PreconditionError(f"{part}: {error.filename}: {error.strerror}") from error
