"""Versions: asking a program for its own, judging the answer, and remembering it so that nobody asks twice."""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformctl.core.command import Command, CommandRunner
from platformctl.core.errors import PlatformError, PreconditionError, UnreadableOutput
from platformctl.toolchain.program import Program

_SECONDS = 20.0  # a cold disk needs a few; a program that hangs longer would hang in earnest too
_SCRIPT = b"#!"


@dataclass(frozen=True)
class Judgement:
    """``note`` says why a version is refused, or what is odd about an accepted one."""

    accepted: bool
    note: str = ""


def ask(program: Program, path: Path, runner: CommandRunner) -> str:
    """What the program says its version is. Raises PlatformError when it fails, hangs or says nothing we can read."""
    query = program.query
    command = Command(
        (str(path), *query.arguments), env=query.environment, timeout=_SECONDS, grace=1.0, capture=64 * 1024
    )
    completed = runner.run(command)
    match = re.search(query.pattern, completed.stdout) or re.search(query.pattern, completed.stderr)
    if match is None:
        raise UnreadableOutput(f"`{command}` does not say a version of {program.name}")
    return match.group(1)


def judge(program: Program, version: str) -> Judgement:
    """Whether the version is in the accepted range.

    Newer minor versions than the tested one are accepted with a note: refusing them would turn every release of a
    vendor's into our outage, and the plan that is approved shows what a changed program would do.
    """
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        actual = Version(version)
    except InvalidVersion:
        return Judgement(accepted=False, note=f"its version {version!r} cannot be compared with {program.accepts}")
    if not SpecifierSet(program.accepts).contains(actual, prereleases=True):
        return Judgement(accepted=False, note=f"version {version} is not {program.accepts}: {program.why}")
    if actual.release[:2] > Version(program.tested).release[:2]:
        return Judgement(accepted=True, note=f"newer than {program.tested}, the version that was tested")
    return Judgement(accepted=True)


class VersionMemory:
    """What programs on PATH answered, by path, modification time and size, in one JSON file of the cache.

    Only native programs under their own name are remembered: a script or a link to a version manager (asdf, mise,
    tfenv) keeps its time and size while the version behind it changes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def version(self, program: Program, path: Path, runner: CommandRunner) -> str:
        """The remembered answer, or a fresh one. Raises as ``ask``."""
        identity = self._identity(path)
        key = f"{program.name}:{path}"
        known = self._load()
        if identity and key in known and known[key][:2] == identity:
            return str(known[key][2])
        version = ask(program, path, runner)
        if identity:
            self._save({**self._load(), key: [*identity, version]})
        return version

    def _identity(self, path: Path) -> list[int]:
        try:
            real = path.resolve(strict=True)
            with real.open("rb") as file:
                native = file.read(len(_SCRIPT)) != _SCRIPT
            status = real.stat()
        except OSError:
            return []
        return [status.st_mtime_ns, status.st_size] if native and real.name == path.name else []

    def _load(self) -> dict[str, list[int | str]]:
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
            return {key: value for key, value in document.items() if len(value) == 3}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}  # a memory that is lost or broken costs one question, nothing else

    def _save(self, known: dict[str, list[int | str]]) -> None:
        with suppress(OSError):  # a cache that cannot be written must not stop a program from being found
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".versions-", dir=self._file.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump(known, file, indent=1, sort_keys=True)
                Path(name).replace(self._file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise


def explain(error: PlatformError) -> str:
    """Why a program did not tell its version, as part of a sentence."""
    return "it cannot be started" if isinstance(error, PreconditionError) else error.message
