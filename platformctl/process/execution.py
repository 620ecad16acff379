"""One running program, attended by the thread that started it: its pipes, its end, and how it is made to end.

Knows nothing of runners, guards or journals; ``runner`` puts those around it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock
from platformctl.core.command import Command, LineHandler, Stream
from platformctl.core.errors import TAIL_LINES, ToolError
from platformctl.core.secret import Secret
from platformctl.process import children
from platformctl.process.outcome import last_lines
from platformctl.process.redact import KnownSecrets
from platformctl.process.spawn import spawn
from platformctl.process.streams import Intake
from platformctl.process.wakeup import Wakeup

DRAIN = 2.0
"""Seconds that are still read after the program's end, should something it started hold its output open."""

LEFT_BEHIND = 1.0
"""Seconds from SIGTERM to SIGKILL for what a program left in its process group."""

UNKILLABLE = 10.0
"""Seconds after SIGKILL until we say that the program waits in the kernel and cannot be ended."""

_CHUNK = 64 * 1024


class Execution:
    """Attends one program, leader of its own process group. In order: ``start``, ``attend`` or ``abandon``, ``close``.

    ``timed_out``, ``interrupted``: why it was ended, if it was. ``out``, ``err``: what it printed.
    """

    def __init__(self, command: Command, *, clock: Clock, known: KnownSecrets, handlers: Sequence[LineHandler]) -> None:
        self.timed_out = False
        self.interrupted = False
        self._command = command
        self._clock = clock
        self._handlers = handlers
        self._cancel = Cancel()
        self._spoken: deque[str] = deque(maxlen=TAIL_LINES)
        self._begun = clock.monotonic()
        self._ended: float | None = None
        self._due: deque[tuple[float, signal.Signals | None]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._exit: int | None = None
        self._open = 0
        self._selector = selectors.DefaultSelector()
        self._wakeup = Wakeup()
        secret = command.secret_output
        self.out, self.err = (
            Intake(command.capture, None if secret else known, None if secret else partial(self._line, stream))
            for stream in (Stream.OUT, Stream.ERR)
        )

    def start(self, env: Mapping[str, str]) -> int:
        """Starts it; returns its pid. Raises what ``spawn`` raises."""
        stdin = subprocess.DEVNULL if self._command.stdin is None else subprocess.PIPE
        self._process = spawn(self._command, env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._register(self._process)
        return self._process.pid

    @property
    def pipes(self) -> tuple[int, ...]:
        """The descriptors from which its output is read, open until ``close``."""
        return tuple(pipe.fileno() for pipe in (self._running.stdout, self._running.stderr) if pipe is not None)

    @property
    def returncode(self) -> int:
        """The program's code; a signal's number below zero. Only after ``attend``."""
        return self._running.returncode

    def tail(self) -> tuple[str, ...]:
        """The last lines it printed, of both streams as they came."""
        return last_lines(self._spoken)

    def attend(self, cancel: Cancel) -> None:
        """Returns when the program has ended and its group is empty; ends it at its timeout or when asked to stop."""
        self._cancel = cancel
        leave = cancel.watch(lambda _: self._wakeup.set())
        try:
            self._pump()
        finally:
            leave()
        self._sweep()

    def abandon(self) -> None:
        """Ends the program, if it still runs, with nobody listening any more."""
        if self._process is None or self._process.returncode is not None:
            return
        self.out.mute()
        self.err.mute()
        self._end()
        self._pump()
        self._sweep()

    def close(self) -> None:
        """Gives back every descriptor."""
        self._selector.close()
        self._wakeup.close()
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        if self._exit is not None:
            os.close(self._exit)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the program was not started")
        return self._process

    def _register(self, process: subprocess.Popen[bytes]) -> None:
        for pipe, intake in ((process.stdout, self.out), (process.stderr, self.err)):
            if pipe is not None:
                self._open += 1
                self._selector.register(pipe, selectors.EVENT_READ, partial(self._read, pipe, intake))
        if process.stdin is not None:
            text = self._command.stdin
            rest = memoryview((text.reveal() if isinstance(text, Secret) else text or "").encode())
            os.set_blocking(process.stdin.fileno(), False)
            react = partial(self._write, process.stdin, deque([rest]))
            self._selector.register(process.stdin, selectors.EVENT_WRITE, react)
        self._selector.register(self._wakeup.descriptor, selectors.EVENT_READ, self._woken)
        self._exit = _exit_descriptor(process.pid)
        if self._exit is not None:
            self._selector.register(self._exit, selectors.EVENT_READ, self._exited)
        else:
            threading.Thread(target=self._wait, daemon=True).start()

    def _pump(self) -> None:
        while self._ended is None or (self._open and self._clock.monotonic() < self._ended + DRAIN):
            for key, _ in self._selector.select(self._patience()):
                react: Callable[[], None] = key.data
                react()
            self._escalate()

    def _patience(self) -> float | None:
        """Seconds until something is due whatever the program does; None: nothing."""
        moments = [moment for moment, _ in list(self._due)[:1]]
        if self._ended is not None:
            moments = [self._ended + DRAIN]
        elif not self._due and self._command.timeout is not None:
            moments = [self._begun + self._command.timeout]
        return max(0.0, min(moments) - self._clock.monotonic()) if moments else None

    def _escalate(self) -> None:
        if self._ended is not None:
            return
        now = self._clock.monotonic()
        if not self._due and self._cancel.reason is not None:
            self.interrupted = True
            self._end()
        elif not self._due and self._command.timeout is not None and now >= self._begun + self._command.timeout:
            self.timed_out = True
            self._end()
        while self._due and self._due[0][0] <= now:
            _, number = self._due.popleft()
            if number is None:
                raise ToolError(
                    f"pid {self._running.pid} ({self._command.argv[0]}) cannot be ended, not even by SIGKILL",
                    hint="it waits in the kernel: is a disk or a network file system gone?",
                )
            self._signal(number)

    def _end(self) -> None:
        """Interrupt now, terminate after the grace, kill after the grace again."""
        now, grace = self._clock.monotonic(), self._command.grace
        self._due = deque(
            [
                (now, signal.SIGINT),
                (now + grace, signal.SIGTERM),
                (now + 2 * grace, signal.SIGKILL),
                (now + 2 * grace + UNKILLABLE, None),
            ]
        )

    def _signal(self, number: signal.Signals) -> None:
        # PermissionError: macOS's answer for a group of zombies; and a program that became another user.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._running.pid, number)

    def _sweep(self) -> None:
        """A program is over when its group is: ends what it left there. Whoever wants to stay makes its own session."""
        # Before the program is reaped: until then its number cannot belong to a stranger.
        self._signal(signal.SIGTERM)
        self._running.wait()
        for number in (signal.SIGKILL, None):
            limit = self._clock.monotonic() + LEFT_BEHIND
            while children.group_lives(self._running.pid):
                if self._clock.monotonic() >= limit:
                    break
                self._clock.wait(0.01)
            else:
                return
            if number is not None:
                self._signal(number)

    def _read(self, pipe: IO[bytes], intake: Intake) -> None:
        chunk = os.read(pipe.fileno(), _CHUNK)
        if chunk:
            intake.feed(chunk)
            return
        self._selector.unregister(pipe)
        self._open -= 1
        intake.finish()

    def _write(self, pipe: IO[bytes], rest: deque[memoryview]) -> None:
        try:
            rest[0] = rest[0][os.write(pipe.fileno(), rest[0][:_CHUNK]) :]
        except BrokenPipeError:  # it did not want to read all of it; its code tells whether that matters
            rest[0] = rest[0][:0]
        if not rest[0]:
            self._selector.unregister(pipe)
            pipe.close()

    def _line(self, stream: Stream, line: str) -> None:
        if line.strip():
            self._spoken.append(line)
        for handler in self._handlers:
            handler(stream, line)

    def _exited(self) -> None:
        self._ended = self._clock.monotonic()
        if self._exit is not None:
            self._selector.unregister(self._exit)

    def _wait(self) -> None:
        """In a thread of its own, where the system has no descriptor for a process's end."""
        self._running.wait()
        self._wakeup.set()

    def _woken(self) -> None:
        self._wakeup.clear()
        if self._exit is None and self._running.returncode is not None:
            self._ended = self._clock.monotonic()


def _exit_descriptor(pid: int) -> int | None:
    """Readable when the process has ended: Linux 5.3 and later."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
