"""The parent's side of the guard: one small process that ends our children when we die without a chance to.

Why not PR_SET_PDEATHSIG: it knows one signal and no grace, fires when the *thread* that forked ends, does not reach
grandchildren, and is not there on macOS.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformctl.core.errors import TransientError
from platformctl.process import guard

_PROGRAM = Path(guard.__file__)


@dataclass
class Ward:
    """A child under guard. Its environment holds ``variables``, so that it is found even if we die as it is born."""

    token: str
    grace: float
    pid: int = 0

    @property
    def variables(self) -> dict[str, str]:
        """What the child's environment must hold."""
        return {guard.VARIABLE: self.token}


class Guardian:
    """Starts the guard with the first child, tells it of every child, and starts another one should it be gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wards: dict[str, Ward] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._release: weakref.finalize[[subprocess.Popen[bytes]], Guardian] | None = None

    @contextmanager
    def ward(self, grace: float) -> Iterator[Ward]:
        """Announces a child; ends its guard at the end of the block, when the child must be gone.

        Raises TransientError when the guard cannot be started.
        """
        ward = Ward(secrets.token_hex(8), grace)
        with self._lock:
            self._wards[ward.token] = ward
            self._tell(f"? {ward.token} {grace:g}\n")
        try:
            yield ward
        finally:
            with self._lock:
                del self._wards[ward.token]
                self._tell(f"- {ward.token}\n")

    def started(self, ward: Ward, pid: int) -> None:
        """The child runs and leads the process group of its pid."""
        with self._lock:
            ward.pid = pid
            self._tell(_report(ward))

    def close(self) -> None:
        """Lets the guard go; children that are still named are ended by it."""
        with self._lock:
            self._dismiss()

    def _dismiss(self) -> None:
        if self._release is not None:
            self._release()
        self._guard = self._release = None

    def _tell(self, line: str) -> None:
        if self._guard is not None:
            try:
                _write(self._guard, line)
            except OSError:
                # Killed, or stopped for so long that the pipe is full.
                self._guard.kill()
                self._dismiss()
            else:
                return
        if self._wards:
            self._replace()

    def _replace(self) -> None:
        """A new guard, which hears of everything that runs."""
        try:
            self._guard = _start()
        except OSError as error:
            raise TransientError(f"cannot start the guard of child processes: {error.strerror}") from error
        self._release = weakref.finalize(self, _let_go, self._guard)
        for ward in self._wards.values():
            _write(self._guard, f"? {ward.token} {ward.grace:g}\n" + (_report(ward) if ward.pid else ""))


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        (sys.executable, "-I", "-S", str(_PROGRAM)),
        cwd="/",  # keeps no folder or mount busy
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        close_fds=True,
        start_new_session=True,
    )
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
    return process


def _report(ward: Ward) -> str:
    return f"+ {ward.token} {ward.pid} {guard.start_time(ward.pid)}\n"


def _write(process: subprocess.Popen[bytes], line: str) -> None:
    if process.stdin is not None and process.stdin.write(line.encode("ascii")) is None:
        raise BlockingIOError("the guard does not read")


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """At end of file the guard ends: at once when no child is left, else it has work to do and is not waited for."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # given up: keeps Popen from warning that it still runs
