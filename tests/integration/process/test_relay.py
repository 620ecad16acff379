"""The relay: a program's output, its end and its signals pass through; our death does not reach the program."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command
from platformctl.core.errors import CommandFailed, Interrupted
from platformctl.process import children
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost

PATIENT = """
import signal, sys, time
def end(*_):
    for _ in range(2000):
        print("ending", flush=True)
    open(sys.argv[1], "w").write("in good order")
    sys.exit(0)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
print("ready", flush=True)
time.sleep(60)
"""
"""Dies of SIGPIPE as a Go program does."""


@pytest.fixture
def host() -> Iterator[ProcessHost]:
    made = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    yield made
    made.close()


def python(*code: str) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", *code), relayed=True, timeout=30.0, grace=5.0)


def test_output_of_both_streams_and_the_exit_code_pass_through(host: ProcessHost) -> None:
    runner = host.bind(cancel=Cancel(), on_line=None, on_child=None)
    code = "import os, sys; os.write(1, b'out' * 100000); os.write(2, b'err'); sys.exit(3)"
    command = python(code)
    with pytest.raises(CommandFailed) as caught:
        runner.run(command)
    assert caught.value.returncode == 3
    done = runner.run(Command(command.argv, relayed=True, ok_codes=(3,)))
    assert (len(done.stdout), done.stderr) == (300_000, "err")


def test_a_program_ended_by_a_signal_is_told_as_such(host: ProcessHost) -> None:
    runner = host.bind(cancel=Cancel(), on_line=None, on_child=None)
    with pytest.raises(CommandFailed) as caught:
        runner.run(python("import os; os.kill(os.getpid(), 9)"))
    assert caught.value.returncode == -signal.SIGKILL


def test_an_interrupt_reaches_the_program(host: ProcessHost, tmp_path: Path) -> None:
    cancel, said = Cancel(), threading.Event()
    runner = host.bind(cancel=cancel, on_line=lambda _stream, _line: said.set(), on_child=None)

    def interrupt() -> None:
        said.wait(20.0)
        cancel.stop(Interrupted(signal.SIGINT))

    threading.Thread(target=interrupt).start()
    with pytest.raises(Interrupted):
        runner.run(python(PATIENT, f"{tmp_path}/end"))
    assert (tmp_path / "end").read_text(encoding="utf-8") == "in good order"


OWNER = """
import os, sys
from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
runner = host.bind(cancel=Cancel(), on_line=lambda _s, _l: os.kill(os.getpid(), 9),
                   on_child=lambda child: print(child.pid, child.started, flush=True))
runner.run(Command((sys.executable, "-I", "-S", "-c", sys.argv[1], sys.argv[2]), relayed=True, grace=5.0))
"""


def test_a_program_whose_owner_was_killed_still_ends_in_good_order(host: ProcessHost, tmp_path: Path) -> None:
    seen: list[str] = []
    runner = host.bind(cancel=Cancel(), on_line=lambda _stream, line: seen.append(line), on_child=None)
    root = Path(__file__).parents[3]
    owner = Command(
        (sys.executable, "-c", OWNER, PATIENT, f"{tmp_path}/end"), cwd=root, ok_codes=(-signal.SIGKILL,), timeout=60.0
    )
    runner.run(owner)
    pid = int(seen[0].split()[0])
    clock = SystemClock()
    limit = clock.monotonic() + 20.0
    while children.group_lives(pid) and clock.monotonic() < limit:
        clock.wait(0.05)
    assert (tmp_path / "end").read_text(encoding="utf-8") == "in good order"
