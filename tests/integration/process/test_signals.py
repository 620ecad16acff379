"""SIGINT, SIGTERM and SIGHUP become a request to stop, and the program that runs is interrupted at once."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.errors import Interrupted, exit_code
from platformctl.process.signals import stopping
from tests.integration.process.conftest import Bench
from tests.integration.process.programs import STUBBORN, python, words


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_interrupts_what_runs(bench: Bench, tmp_path: Path, number: signal.Signals, code: int) -> None:
    def ready(*_: object) -> None:
        os.kill(os.getpid(), number)

    with stopping(bench.cancel), pytest.raises(Interrupted) as caught:
        bench.runner.run(python(STUBBORN, str(tmp_path / "heard"), "SIGINT"), on_line=ready)
    assert exit_code(caught.value) == code
    assert words(tmp_path / "heard") == ["SIGINT"]


def test_the_first_signal_is_the_reason_and_more_do_no_harm() -> None:
    cancel = Cancel()
    with stopping(cancel):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            os.kill(os.getpid(), number)
            assert cancel.event.wait(15)
    assert isinstance(cancel.reason, Interrupted)
    assert cancel.reason.signum == signal.SIGTERM


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    threads = threading.active_count()
    with stopping(Cancel()):
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    assert threading.active_count() == threads


def test_a_signal_while_the_main_thread_waits_on_the_event_cannot_lock_it_up() -> None:
    for _ in range(50):
        cancel = Cancel()
        with stopping(cancel):
            os.kill(os.getpid(), signal.SIGTERM)
            assert cancel.event.wait(15)
