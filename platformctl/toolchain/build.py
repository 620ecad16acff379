"""Builds a program from its pinned Go module, and installs Go itself from its wheel.

The user's Go settings (proxy, checksum database, caches, flags) are respected; what would make another program of the
same sources is fixed here: no cgo, no workspace, no other platform, ``go.sum`` as the only truth.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from platformctl.core.command import Command, CommandRunner, Stream
from platformctl.core.errors import CommandFailed, PlatformError, PreconditionError
from platformctl.toolchain.found import Phase
from platformctl.toolchain.program import Program, platform

Sign = Callable[[Phase, str, int], None]
"""Phase, what it is at (a package, a module), and how many there were so far."""

_TIMEOUT = 3600.0
_CAPTURE = 1024 * 1024
# What a user may set of Go's surroundings; GOOS, GOARCH, GOROOT and GOWORK are not among them. Proxies, certificates
# and folders every program inherits from us anyway.
_GO_SETTINGS = re.compile(
    "GO(AUTH|CACHE|DEBUG|ENV|FLAGS|GC|INSECURE|MAXPROCS|MEMLIMIT|MODCACHE|NOPROXY|NOSUMDB|PATH|PRIVATE|PROXY|SUMDB|TMPDIR|VCS)"
)
_PIP_SETTINGS = re.compile(r"PIP_[A-Z_]+")
_FULL = ("no space left on device", "disk quota exceeded")
_OFFLINE = (
    "dial tcp", "no such host", "connection refused", "network is unreachable", "i/o timeout", "tls handshake timeout",
    "proxyconnect", "module lookup disabled by goproxy=off", "failed to establish a new connection",
    "no matching distribution found", "temporary failure in name resolution", "503 service unavailable",
)  # fmt: skip


class Workshop:
    """Makes programs with what the user's environment says of proxies, caches and certificates."""

    def __init__(self, runner: CommandRunner, environ: Mapping[str, str]) -> None:
        self._runner = runner
        self._environ = environ

    def go_build(self, program: Program, go: Path, target: Path, sign: Sign) -> None:
        """Builds the file ``target``. Raises PreconditionError (offline, disk full) or CommandFailed."""
        argv = (
            str(go), "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false",
            "-ldflags", program.linker_flags, "-o", str(target), ".",
        )  # fmt: skip
        system, _, architecture = platform().partition("-")
        fixed = {
            "CGO_ENABLED": "0",
            "GO111MODULE": "on",
            "GOARCH": architecture,
            "GOOS": system,
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        env = {**self._settings(_GO_SETTINGS), **fixed}
        command = Command(argv, cwd=program.source, env=env, timeout=_TIMEOUT, capture=_CAPTURE)
        self._run(command, program, _GoOutput(sign))

    def wheel_install(self, program: Program, target: Path, sign: Sign) -> None:
        """Installs the wheel, checked against the hashes of its requirements file, into the folder ``target``.

        Raises PreconditionError (no pip, offline, disk full) or CommandFailed.
        """
        argv = (
            sys.executable, "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:",
            "--no-compile", "--disable-pip-version-check", "--no-input",
            "--target", str(target), "--requirement", str(program.source),
        )  # fmt: skip
        sign(Phase.FETCHING, f"the wheel of {program.name} {program.pinned}", 0)
        command = Command(argv, cwd=target, env=self._settings(_PIP_SETTINGS), timeout=_TIMEOUT, capture=_CAPTURE)
        self._run(command, program, _LastLines())

    def _settings(self, wanted: re.Pattern[str]) -> dict[str, str]:
        return {name: value for name, value in self._environ.items() if value and wanted.fullmatch(name)}

    def _run(self, command: Command, program: Program, output: _LastLines) -> None:
        try:
            self._runner.run(command, on_line=output)
        except CommandFailed as error:
            raise _cause(program, [*output.lines, *error.tail]) or error from error


class _LastLines:
    """Keeps the end of what a program printed, to find the cause in."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=200)

    def __call__(self, _stream: Stream, line: str) -> None:
        self.lines.append(line)


class _GoOutput(_LastLines):
    """Counts what ``go build -v`` names: modules it fetches, packages it compiles."""

    def __init__(self, sign: Sign) -> None:
        super().__init__()
        self._sign = sign
        self._counts = {Phase.FETCHING: 0, Phase.BUILDING: 0}

    def __call__(self, stream: Stream, line: str) -> None:
        super().__call__(stream, line)
        fetching = line.startswith("go: downloading ")
        if not fetching and (" " in line or line.startswith("#")):
            return
        phase = Phase.FETCHING if fetching else Phase.BUILDING
        self._counts[phase] += 1
        self._sign(phase, line.removeprefix("go: downloading ").strip(), self._counts[phase])


def _cause(program: Program, lines: list[str]) -> PlatformError | None:
    """The error for a failure that is not the program's fault; None when the sources really do not build."""
    full = _line_with(lines, _FULL)
    if full:
        return PreconditionError(
            f"the disk is full: {program.name} could not be finished ({full})",
            hint="free some space (a first build keeps up to 5 GB in Go's caches) and run the same command again",
        )
    offline = _line_with(lines, _OFFLINE)
    if offline:
        return PreconditionError(
            f"{program.name} cannot be made without a network: {offline}",
            hint="the first build needs a network or a mirror: set HTTPS_PROXY, GOPROXY (Go modules) or PIP_INDEX_URL "
            f"(the wheel of Go), or put {program.name} {program.accepts} on PATH",
        )
    if _line_with(lines, ("no module named pip",)):
        return PreconditionError(
            f"{program.name} is not on PATH, and this Python has no pip to install it with",
            hint=f"install {program.name} {program.accepts}, or pip (python -m ensurepip)",
        )
    return None


def _line_with(lines: list[str], signs: tuple[str, ...]) -> str:
    return next((line.strip()[-300:] for line in reversed(lines) if any(sign in line.lower() for sign in signs)), "")
