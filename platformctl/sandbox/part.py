"""What one program of the sandbox is: a value. Starting, watching and stopping it belongs to ``starter``."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.canonical import digest


@dataclass(frozen=True)
class OpenPort:
    """Ready when 127.0.0.1 accepts connections on the port."""

    port: int

    def __str__(self) -> str:
        return f"127.0.0.1:{self.port} to accept connections"


@dataclass(frozen=True)
class HttpAnswer:
    """Ready when the URL answers 200. ``ca`` verifies a server's certificate; ``certificate`` and ``key`` are ours."""

    url: str
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.url} to answer 200"


@dataclass(frozen=True)
class LogLine:
    """Ready when the part's log holds the text."""

    text: str

    def __str__(self) -> str:
        return f"the line {self.text!r} in its log"


ProgramFinder = Callable[[str], Path]
"""Finds an external program by its name in the toolchain. Raises PreconditionError, with what to do."""

Readiness = OpenPort | HttpAnswer | LogLine
_READINESS: Mapping[str, type[Readiness]] = {kind.__name__: kind for kind in (OpenPort, HttpAnswer, LogLine)}


@dataclass(frozen=True)
class Part:
    """One program of the sandbox.

    ``argv``, ``environment``: how it is started; never a secret, those travel in files of mode 0600.
    ``readiness``: what must be seen before it counts as up, within ``deadline`` seconds.
    ``ports``: every port it listens on, all on 127.0.0.1. ``endpoint``: what people and other programs use, or empty.
    ``directory``: what it keeps on disk, None when nothing.
    ``needs``: parts that must be ready before it starts; they are stopped after it.
    ``empties_with``: parts whose memory this one's directory describes. When one of them starts from nothing, so must
    this one: a cluster that a new, empty AWS has never heard of would be worse than none.
    ``grace``: seconds between the request to end and SIGKILL.
    ``settings``: files it reads at its start only; when their content changes it has to be started again.
    ``version``: of the program, where argv does not tell.
    """

    name: str
    argv: tuple[str, ...]
    readiness: Readiness
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    endpoint: str = ""
    directory: Path | None = None
    needs: tuple[str, ...] = ()
    empties_with: tuple[str, ...] = ()
    grace: float = 5.0
    deadline: float = 60.0
    settings: tuple[Path, ...] = ()
    version: str = ""

    def fingerprint(self) -> str:
        """Changes when the running process would no longer be what this value describes. Reads ``settings``."""
        settings = {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in self.settings
        }
        return digest([list(self.argv), dict(self.environment), settings, self.version])

    def to_json(self) -> dict[str, Any]:
        """The form kept in the state file, so that status and down need nothing but that file."""
        document = dataclasses.asdict(self)
        document["readiness"] = {"kind": type(self.readiness).__name__, **dataclasses.asdict(self.readiness)}
        document["directory"] = None if self.directory is None else str(self.directory)
        document["settings"] = [str(path) for path in self.settings]
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Part:
        """Raises KeyError, TypeError or ValueError when the document is no part of ours."""
        fields = dict(document)
        readiness, directory = dict(fields.pop("readiness")), fields.pop("directory")
        fields["settings"] = tuple(Path(path) for path in fields["settings"])
        for name in ("argv", "ports", "needs", "empties_with"):
            fields[name] = tuple(fields[name])
        return cls(
            **fields,
            readiness=_READINESS[readiness.pop("kind")](**readiness),
            directory=None if directory is None else Path(directory),
        )
