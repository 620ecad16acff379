"""The second signal asks for haste, a terminal's read ends at the first, and ``nohup`` keeps its meaning."""

from __future__ import annotations

import os
import signal

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.errors import Interrupted
from platformctl.process.signals import raising, stopping


def test_the_first_signal_stops_the_first_scope_and_the_second_one_the_other() -> None:
    cancel, hurry = Cancel(), Cancel()
    with stopping(cancel, hurry):
        os.kill(os.getpid(), signal.SIGTERM)
        assert cancel.event.wait(15)
        assert not hurry.event.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert hurry.event.wait(15)
    assert isinstance(hurry.reason, Interrupted)
    assert hurry.reason.signum == signal.SIGINT


def test_what_stopped_the_first_scope_otherwise_is_not_counted_as_a_signal() -> None:
    cancel, hurry = Cancel(), Cancel()
    cancel.stop(Interrupted(signal.SIGHUP))
    with stopping(cancel, hurry):
        os.kill(os.getpid(), signal.SIGINT)
    assert hurry.reason is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_where_a_signal_shall_raise_it_does_and_the_scope_hears_it_too(number: signal.Signals) -> None:
    cancel = Cancel()
    with stopping(cancel), pytest.raises(Interrupted), raising():
        signal.raise_signal(number)
    assert isinstance(cancel.reason, Interrupted)
    assert cancel.reason.signum == number


def test_a_hangup_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cancel = Cancel()
    try:
        with stopping(cancel):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert cancel.reason is None
