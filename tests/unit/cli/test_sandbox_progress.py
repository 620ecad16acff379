"""What people see of a sandbox that comes up."""

from __future__ import annotations

import io

from rich.console import Console

from platformctl.cli.sandbox_progress import LiveParts, PlainParts, progress
from platformctl.sandbox.starter import PartEvent, Phase


def test_without_a_terminal_there_is_a_line_for_each_thing_that_happens() -> None:
    out = io.StringIO()
    with progress(Console(file=out)) as display:
        assert isinstance(display, PlainParts)
        display.say("waiting for `sandbox up` (pid 7)")
        display.watch(PartEvent("etcd", Phase.CHECKING))
        display.watch(PartEvent("etcd", Phase.STARTING, "it had died"))
        display.watch(PartEvent("etcd", Phase.READY, "https://127.0.0.1:1", 1.23))
    assert out.getvalue().splitlines() == [
        "waiting for `sandbox up` (pid 7)",
        "etcd starting: it had died",
        "etcd ready: https://127.0.0.1:1 (1.2 s)",
    ]


def test_on_a_terminal_there_is_a_row_for_each_part() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=80)) as display:
        assert isinstance(display, LiveParts)
        display.watch(PartEvent("etcd", Phase.STARTING, "it had died"))
        display.watch(PartEvent("aws", Phase.READY, "http://127.0.0.1:1", 0.5))
    shown = out.getvalue()
    assert "etcd" in shown
    assert "it had died" in shown
    assert "0.5 s" in shown
