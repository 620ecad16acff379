"""The parent's side of the guard: one small process that ends our children when we die without a chance to.

Why not PR_SET_PDEATHSIG: it knows one signal and no grace, fires when the *thread* that forked ends, does not reach
grandchildren, and is not there on macOS.
"""

from __future__ import annotations

import secrets
import signal
import socket
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
    """A child under guard. Its environment holds ``variables``, so that it is found even if we die as it is born.

    ``pipes``: where we read its output; the guard goes on reading when we cannot.
    """

    token: str
    grace: float
    pid: int = 0
    pipes: tuple[int, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """What the child's environment must hold."""
        return {guard.VARIABLE: self.token}


class Guardian:
    """Starts the guard with the first child, tells it of every child, and starts another one should it be gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wards: dict[str, Ward] = {}
        self._guard: _Guard | None = None
        self._release: weakref.finalize[[_Guard], Guardian] | None = None

    @property
    def pid(self) -> int:
        """The guard's pid, 0 while there is none."""
        return self._guard.process.pid if self._guard is not None else 0

    @contextmanager
    def ward(self, grace: float) -> Iterator[Ward]:
        """Announces a child; ends its guard at the end of the block, when the child must be gone.

        Raises TransientError when the guard cannot be started.
        """
        ward = Ward(secrets.token_hex(8), grace)
        with self._lock:
            self._wards[ward.token] = ward
            self._tell(_announcement(ward))
        try:
            yield ward
        finally:
            with self._lock:
                del self._wards[ward.token]
                self._tell(f"- {ward.token}\n")

    def started(self, ward: Ward, pid: int, pipes: tuple[int, ...]) -> None:
        """The child runs and leads the process group of its pid. The pipes stay open until the ward's end."""
        with self._lock:
            ward.pid, ward.pipes = pid, pipes
            self._tell(_report(ward), pipes)

    def close(self) -> None:
        """Lets the guard go; children that are still named are ended by it."""
        with self._lock:
            self._dismiss()

    def _dismiss(self) -> None:
        if self._release is not None:
            self._release()
        self._guard = self._release = None

    def _tell(self, line: str, pipes: tuple[int, ...] = ()) -> None:
        if self._guard is not None:
            try:
                _send(self._guard, line, pipes)
            except OSError:
                # Killed, or stopped for so long that the socket is full.
                self._guard.process.kill()
                self._dismiss()
            else:
                return
        if self._wards:
            self._replace()

    def _replace(self) -> None:
        """A new guard, which hears of everything that runs."""
        try:
            self._guard = _start()
            self._release = weakref.finalize(self, _let_go, self._guard)
            for ward in self._wards.values():
                _send(self._guard, _announcement(ward))
                if ward.pid:
                    _send(self._guard, _report(ward), ward.pipes)
        except OSError as error:
            raise TransientError(f"cannot start the guard of child processes: {error.strerror}") from error


@dataclass(frozen=True)
class _Guard:
    process: subprocess.Popen[bytes]
    channel: socket.socket


def _start() -> _Guard:
    ours, theirs = socket.socketpair()
    # The guard inherits the mask, so not even at its birth does a signal meant for us end it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, guard.DEAF_TO)
    try:
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", str(_PROGRAM)),
            cwd="/",  # keeps no folder or mount busy
            env={},
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            start_new_session=True,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    ours.setblocking(False)
    return _Guard(process, ours)


def _announcement(ward: Ward) -> str:
    return f"? {ward.token} {ward.grace:g}\n"


def _report(ward: Ward) -> str:
    return f"+ {ward.token} {ward.pid} {guard.start_time(ward.pid)}\n"


def _send(keeper: _Guard, line: str, pipes: tuple[int, ...] = ()) -> None:
    octets = line.encode("ascii")
    sent = socket.send_fds(keeper.channel, [octets], list(pipes)) if pipes else keeper.channel.send(octets)
    if sent != len(octets):
        raise BlockingIOError("the guard does not read")


def _let_go(keeper: _Guard) -> None:
    """At end of file the guard ends: at once when no child is left, else it has work to do and is not waited for."""
    keeper.channel.close()
    try:
        keeper.process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        keeper.process.returncode = 0  # given up: keeps Popen from warning that it still runs
