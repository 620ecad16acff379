"""Turns SIGINT and SIGTERM into a request to stop, in a way that cannot deadlock."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from platformctl.core.cancel import Cancel
from platformctl.core.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""SIGHUP too: the terminal went away, and nobody would see the rest."""


@contextmanager
def stopping(cancel: Cancel) -> Iterator[None]:
    """While the block runs, the first of SIGNALS stops ``cancel`` with Interrupted. Only in the main thread.

    A Python handler runs between two instructions of the main thread, maybe while that thread holds the lock that
    ``Event.set`` needs. So the handler does nothing; the interpreter's wakeup descriptor tells a thread of ours. As a
    signal that is handled, and not ignored, it also reaches children with its default effect, even under ``nohup``.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    thread = threading.Thread(target=_listen, args=(reader, cancel), name="signals", daemon=True)
    before = {number: signal.signal(number, _nothing) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writer)
        thread.join()
        os.close(reader)


def _listen(reader: int, cancel: Cancel) -> None:
    while numbers := os.read(reader, 64):
        for number in numbers:
            if number in SIGNALS:
                cancel.stop(Interrupted(number))


def _nothing(number: int, frame: FrameType | None) -> None:
    """Its presence makes the interpreter note the signal."""
