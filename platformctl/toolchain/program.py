"""The programs as values, read from ``programs.toml``, and the pin each one is cached under."""

from __future__ import annotations

import hashlib
import platform as machine
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_MODULE_FILES = {".go", ".mod", ".sum"}
_PIN_LENGTH = 16


class Kind(StrEnum):
    """How a program comes to be on this machine."""

    PREREQUISITE = "prerequisite"  # found, never built
    MODULE = "module"  # built from go/<module>
    WHEEL = "wheel"  # installed from requirements/<wheel>


@dataclass(frozen=True)
class VersionQuery:
    """How a program is asked for its version; the first group of ``pattern`` is the answer."""

    arguments: tuple[str, ...]
    pattern: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Program:
    """One external program.

    ``names``: what it may be called on PATH, each with its licence (SPDX); the first is preferred.
    ``accepts``: a PEP 440 range; ``tested``: the version our tests ran with; ``why``: the reason for the range.
    ``source``: the folder of the Go module or the requirements file; None for a prerequisite.
    ``pinned``: the version that a build or the wheel gives; empty for a prerequisite.
    ``executable``: the program's place below its folder in the cache.
    ``defines``: Go variables set by the linker.
    """

    name: str
    kind: Kind
    summary: str
    used_by: tuple[str, ...]
    accepts: str
    tested: str
    why: str
    names: Mapping[str, str]
    query: VersionQuery
    executable: str
    pinned: str = ""
    source: Path | None = None
    defines: Mapping[str, str] | None = None
    ask: str = ""

    @property
    def licence(self) -> str:
        """The SPDX expression of what we build or install, or of the preferred prerequisite."""
        return next(iter(self.names.values()))

    @property
    def linker_flags(self) -> str:
        """``-s -w`` drops symbol tables and debug data: a third of the size."""
        return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in (self.defines or {}).items())])


Catalogue = Mapping[str, Program]


def platform() -> str:
    """This machine as Go names it: ``linux-amd64``, ``darwin-arm64``."""
    architecture = machine.machine().lower()
    return f"{sys.platform}-{_ARCHITECTURES.get(architecture, architecture)}"


def load(path: Path = FOLDER / "programs.toml") -> Catalogue:
    """Reads a file of programs; ``go`` and ``requirements`` are looked for beside it."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _program(name, fields, path.parent) for name, fields in document.items()}


def pin(program: Program, go_pin: str) -> str:
    """The name of the program's content: 16 hex digits over everything that decides what a build gives.

    ``go_pin`` is the version of Go that the repository pins, not the one that happens to build: a security release of
    the Go on PATH should not cost everybody five minutes, and looking a program up must not start ``go version``.
    """
    digest = hashlib.sha256()
    if program.kind is Kind.MODULE and program.source is not None:
        for file in sorted(file for file in program.source.iterdir() if file.suffix in _MODULE_FILES):
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
        digest.update(f"{program.linker_flags}\0{go_pin}".encode())
    elif program.source is not None:
        digest.update(program.source.read_bytes())
    return digest.hexdigest()[:_PIN_LENGTH]


def _program(name: str, fields: Mapping[str, Any], folder: Path) -> Program:
    kind = Kind(fields["kind"])
    source = None
    if kind is Kind.MODULE:
        source = folder / "go" / fields["module"]
    elif kind is Kind.WHEEL:
        source = folder / "requirements" / fields["wheel"]
    query = fields["version"]
    return Program(
        name=name,
        kind=kind,
        summary=fields["summary"],
        used_by=tuple(fields["used_by"]),
        accepts=fields["accepts"],
        tested=fields["tested"],
        why=fields["why"],
        names=fields["names"],
        query=VersionQuery(tuple(query["arguments"]), query["pattern"], query.get("environment", {})),
        executable=fields.get("executable", name),
        pinned=fields.get("pinned", ""),
        source=source,
        defines=fields.get("defines"),
        ask=fields.get("ask", ""),
    )
