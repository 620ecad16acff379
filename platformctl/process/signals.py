"""Turns SIGINT, SIGTERM and SIGHUP into requests to stop, in a way that cannot deadlock."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from platformctl.core.cancel import Cancel
from platformctl.core.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""SIGHUP too: the terminal went away, and nobody would see the rest."""


@contextmanager
def stopping(cancel: Cancel, hurry: Cancel | None = None) -> Iterator[None]:
    """While the block runs, the first of SIGNALS stops ``cancel``, each further one ``hurry``. Only in the main thread.

    Both get Interrupted as their reason. A Python handler runs between two instructions of the main thread, maybe while
    that thread holds the lock that ``Event.set`` needs. So the handler does nothing; the interpreter's wakeup
    descriptor tells a thread of ours. As a signal that is handled, and not ignored, it also reaches children with its
    default effect, even in a shell's background. Only SIGHUP stays ignored where it was: that is what ``nohup`` is for.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    thread = threading.Thread(target=_listen, args=(reader, cancel, hurry), name="signals", daemon=True)
    # The descriptor before the handlers, and after them at the end: a signal in between must not find handlers that do
    # nothing and nobody who listens.
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread.start()
    try:
        with _handling(_nothing):
            yield
    finally:
        signal.set_wakeup_fd(descriptor)
        os.close(writer)
        thread.join()
        os.close(reader)


@contextmanager
def raising() -> Iterator[None]:
    """While the block runs, SIGNALS raise Interrupted in it: for a read from a terminal, which Python would go on with.

    Inside ``stopping`` the scopes hear them too. Only in the main thread.
    """
    with _handling(_raise):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    heard = [number for number in SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _listen(reader: int, cancel: Cancel, hurry: Cancel | None) -> None:
    scope = cancel
    while numbers := os.read(reader, 64):
        for number in numbers:
            if number in SIGNALS:
                scope.stop(Interrupted(number))
                scope = hurry or cancel


def _nothing(number: int, frame: FrameType | None) -> None:
    """Its presence makes the interpreter note the signal."""


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
