"""Finds external programs, and makes the missing ones.

The order: what is pinned and already in the cache, a program on PATH with an accepted version, a vendor's release whose
checksum is pinned, a build from the pinned Go module (or Go's wheel). ``find`` and ``status`` never make anything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock, SystemClock
from platformctl.core.command import CommandRunner
from platformctl.core.errors import PreconditionError, ToolError, UsageError
from platformctl.toolchain import release, version
from platformctl.toolchain.build import Workshop
from platformctl.toolchain.cache import Cache, Cached, Making, default_folder
from platformctl.toolchain.found import Found, Origin, Phase, Progress, ProgressHandler
from platformctl.toolchain.program import Catalogue, Kind, Program, load, pin

_HEARTBEAT = 1.0


class Toolchain:
    """External programs of this machine.

    ``root``: the user's root, whose ``tools.toml`` may pin vendors' releases; None outside of one.
    ``folder``: the cache; None for the user's own. ``runner`` starts version commands, Go and pip. ``cancel`` ends what
    no runner can end: waiting for another process, a download.
    """

    def __init__(
        self,
        root: Path | None,
        folder: Path | None,
        runner: CommandRunner,
        *,
        environ: Mapping[str, str] | None = None,
        catalogue: Catalogue | None = None,
        clock: Clock | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self.catalogue = load() if catalogue is None else catalogue
        self.root = root
        self._cache = Cache(folder or default_folder())
        self.folder = self._cache.folder
        self._versions = version.VersionMemory(self._cache.folder / "versions.json")
        self._runner = runner
        self._environ = os.environ if environ is None else environ
        self._workshop = Workshop(runner, self._environ)
        self._clock = clock or SystemClock()
        self._cancel = cancel or Cancel()
        self._found: dict[str, Found] = {}

    def find(self, name: str) -> Path:
        """The program's path; nothing is built or fetched.

        Raises PreconditionError, with what to do, when it is missing or has no accepted version; UsageError when we
        know no such program.
        """
        found = self.look(name)
        if found.path is None or not found.accepted:
            raise PreconditionError(f"{name}: {found.reason}", hint=found.hint)
        return found.path

    def look(self, name: str) -> Found:
        """Where the program is and whether it is accepted; never raises for a program that is missing."""
        if name not in self._found:
            found = self._look(self.program(name))
            if not found.accepted:
                return found  # it may be installed in the meantime
            self._found[name] = found
        return self._found[name]

    def status(self) -> list[Found]:
        """Every program of the catalogue, in its order."""
        return [self.look(name) for name in self.catalogue]

    def sync(self, names: Iterable[str] = (), on_progress: ProgressHandler = lambda _: None) -> dict[str, Found]:
        """Makes the missing ones of these programs, one after the other; without names all that we can make and that
        something else than the toolchain itself uses.

        Raises PreconditionError (a prerequisite is missing, offline, disk full), CommandFailed (a build failed),
        TransientError (a server does not answer).
        """
        wanted = tuple(names) or tuple(name for name, one in self.catalogue.items() if one.kind is Kind.MODULE)
        return {program.name: self._ensure(program, on_progress) for program in map(self.program, wanted)}

    def program(self, name: str) -> Program:
        """The program of that name. Raises UsageError."""
        if name not in self.catalogue:
            import difflib

            near = difflib.get_close_matches(name, self.catalogue, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self.catalogue)}"
            raise UsageError(f"there is no program {name!r}", hint=hint)
        return self.catalogue[name]

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look(self, program: Program) -> Found:
        cached = self._cached(program)
        return cached or self._on_path(program)

    def _cached(self, program: Program, *, verify: bool = False) -> Found | None:
        for one in self._releases_of(program):
            hit = self._cache.look_up(program, one.pin)
            if hit and (not verify or self._cache.intact(hit)):
                return _from_cache(program, hit, one.licence)
        if program.source is not None:
            hit = self._cache.look_up(program, self._pin(program))
            if hit and (not verify or self._cache.intact(hit)):
                return _from_cache(program, hit)
        return None

    def _on_path(self, program: Program) -> Found:
        refused: list[Found] = []
        for name, licence in program.names.items():
            for path in self._candidates(name):
                found = self._judged(program, path, licence)
                if found.accepted:
                    return found
                refused.append(found)
        if refused:
            reasons = "; ".join(f"{found.path}: {found.reason}" for found in refused)
            return replace(refused[0], reason=reasons)
        return Found(
            program.name,
            accepted=False,
            licence=program.licence,
            reason=f"{' or '.join(program.names)} is not on PATH" + ("" if program.ask else " and not in the cache"),
            hint=self._what_to_do(program),
        )

    def _judged(self, program: Program, path: Path, licence: str) -> Found:
        found = Found(
            program.name, accepted=False, licence=licence, path=path, origin=Origin.PATH, hint=self._what_to_do(program)
        )
        try:
            text = self._versions.version(program, path, self._runner)
        except (ToolError, PreconditionError) as error:
            return replace(found, reason=version.explain(error))
        judgement = version.judge(program, text)
        hint = found.hint if not judgement.accepted else ""
        return replace(found, version=text, accepted=judgement.accepted, reason=judgement.note, hint=hint)

    def _what_to_do(self, program: Program) -> str:
        can_be_made = program.source is not None or bool(self._releases_of(program))
        return f"platformctl tools sync {program.name}" if can_be_made else program.ask

    def _candidates(self, name: str) -> Iterator[Path]:
        """Executables of that name on PATH, in its order; relative entries are left out, they mean another folder every
        time."""
        seen = set()
        for entry in self._environ.get("PATH", "").split(os.pathsep):
            path = Path(entry) / name
            if path.is_absolute() and path.is_file() and os.access(path, os.X_OK) and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path

    @cached_property
    def _releases(self) -> tuple[release.Release, ...]:
        return release.load(self.root, self.catalogue, self._environ.get(release.MIRROR_VARIABLE, ""))

    def _releases_of(self, program: Program) -> list[release.Release]:
        return [one for one in self._releases if one.program == program.name]

    def _pin(self, program: Program) -> str:
        go = self.catalogue.get("go")
        return pin(program, go.pinned if go else "")

    # -- making ------------------------------------------------------------------------------------------------------

    def _ensure(self, program: Program, on_progress: ProgressHandler) -> Found:
        signs = _Signs(program, on_progress, self._clock)
        found = self._cached(program, verify=True) or self._on_path(program)
        if found.accepted:
            signs.say(Phase.FOUND, f"{found.version} at {found.path}")
            return found
        releases = self._releases_of(program)
        if not releases and program.kind is Kind.PREREQUISITE:
            raise PreconditionError(f"{program.name}: {found.reason}", hint=found.hint)
        # Before the lock is taken: Go may have to be made first, under the same lock.
        go = (
            self._ensure(self.program("go"), on_progress).path if not releases and program.kind is Kind.MODULE else None
        )
        with self._cache.exclusive(program, self._wait, lambda holder: signs.say(Phase.WAITING, holder)):
            made = self._cached(program, verify=True)  # by whom we waited for
            if made is None:
                with signs.beating():
                    made = self._fetch(program, releases[0], signs) if releases else self._build(program, go, signs)
        self._found.pop(program.name, None)
        signs.say(Phase.DONE, f"{made.version} at {made.path}")
        return made

    def _wait(self, seconds: float) -> None:
        self._clock.wait(seconds, self._cancel.event)
        self._cancel.check()

    def _fetch(self, program: Program, wanted: release.Release, signs: _Signs) -> Found:
        def received(size: int, total: int) -> None:
            self._cancel.check()
            signs.note(Phase.FETCHING, wanted.url, size, total)

        signs.say(Phase.FETCHING, wanted.url)
        with self._cache.staging(program) as staged:
            release.fetch(wanted, staged, program.executable, received)
            made = Making(Origin.RELEASE, wanted.url, signs.seconds)
            hit = self._installed(replace(program, pinned=wanted.version), staged, wanted.pin, made)
        return _from_cache(program, hit, wanted.licence)

    def _build(self, program: Program, go: Path | None, signs: _Signs) -> Found:
        with self._cache.staging(program) as staged:
            if go is None:
                self._workshop.wheel_install(program, staged, signs.note)
                made = Making(Origin.WHEEL, "pip", signs.seconds)
            else:
                signs.say(Phase.BUILDING, "")
                self._workshop.go_build(program, go, staged / program.executable, signs.note)
                go_version = version.ask(self.program("go"), go, self._runner)
                made = Making(Origin.BUILD, f"go {go_version}", signs.seconds)
            hit = self._installed(program, staged, self._pin(program), made)
        return _from_cache(program, hit)

    def _installed(self, program: Program, staged: Path, name: str, made: Making) -> Cached:
        """Moves it into the cache once it has said that it is what was asked for."""
        path = staged / program.executable
        path.chmod(0o755)
        said = version.ask(program, path, self._runner)
        if said != program.pinned:
            raise ToolError(f"{program.name} was made as {program.pinned} but says that it is {said}")
        return self._cache.install(staged, program, name, made)


class _Signs:
    """Tells the caller how far one program has come: at each change of phase and about once a second in between."""

    def __init__(self, program: Program, on_progress: ProgressHandler, clock: Clock) -> None:
        self._latest = Progress(program.name, Phase.FOUND)
        self._on_progress = on_progress
        self._clock = clock
        self._start = clock.monotonic()
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Since the program's turn came."""
        return self._clock.monotonic() - self._start

    def say(self, phase: Phase, message: str) -> None:
        """Tells at once."""
        self.note(phase, message)
        self._tell()

    def note(self, phase: Phase, message: str, current: int = 0, total: int = 0) -> None:
        """Is told with the next heartbeat: Go names hundreds of packages a second."""
        self._latest = replace(self._latest, phase=phase, message=message, current=current, total=total)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Tells once a second while the block runs."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_HEARTBEAT):
                self._tell()

        thread = threading.Thread(target=beat, name="toolchain-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _tell(self) -> None:
        with self._lock:
            self._on_progress(replace(self._latest, seconds=self.seconds))


def _from_cache(program: Program, hit: Cached, licence: str = "") -> Found:
    return Found(
        program.name,
        accepted=True,
        licence=licence or program.licence,
        path=hit.path,
        version=hit.receipt.version,
        origin=hit.receipt.origin,
        size=hit.receipt.disk,
        pin=hit.pin,
    )
