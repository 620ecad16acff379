"""A starter as a process of its own, so that it can be killed:
``starting.py up|down DIRECTORY PORT PORT [dies N | orphans]``.

``dies N``: SIGKILL at its Nth event. ``orphans``: SIGKILL between starting the first part and recording it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import HttpAnswer, Part
from platformctl.sandbox.processes import SystemProcesses
from platformctl.sandbox.starter import PartEvent, Starter
from platformctl.sandbox.state import exclusively

TINY = Path(__file__).with_name("tiny_part.py")


def tiny(layout: Layout, name: str, port: int, *needs: str, traits: tuple[str, ...] = ()) -> Part:
    """A part that answers on the port."""
    return Part(
        name,
        (sys.executable, "-I", str(TINY), str(port), *traits),
        HttpAnswer(f"http://127.0.0.1:{port}/"),
        ports=(port,),
        directory=layout.kept(name),
        needs=needs,
        grace=1.0,
        deadline=30.0,
    )


def parts(layout: Layout, ports: tuple[int, int]) -> dict[str, Part]:
    """Two parts, the second standing on the first."""
    return {"store": tiny(layout, "store", ports[0]), "server": tiny(layout, "server", ports[1], "store")}


class OrphaningProcesses(SystemProcesses):
    """Dies right after it started a process, before anybody could write it down."""

    def start(self, command: Command, log: Path) -> Child:
        super().start(command, log)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def say(line: str) -> None:
    """Prints at once: the next moment may be the last."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    action, directory, ports, fate = sys.argv[1], Path(sys.argv[2]), sys.argv[3:5], sys.argv[5:]
    layout = Layout.of(directory)
    seen = 0

    def watch(event: PartEvent) -> None:
        nonlocal seen
        seen += 1
        say(f"{event.part} {event.phase}")
        if fate[:1] == ["dies"] and seen == int(fate[1]):
            os.kill(os.getpid(), signal.SIGKILL)

    processes = OrphaningProcesses() if fate == ["orphans"] else SystemProcesses()
    clock, cancel = SystemClock(), Cancel()
    with exclusively(
        layout,
        f"sandbox {action}",
        clock=clock,
        cancel=cancel,
        patience=60.0,
        on_wait=lambda who: say(f"waiting for {who}"),
    ):
        starter = Starter(layout, processes, clock=clock, watch=watch)
        if action == "up":
            starter.up(parts(layout, (int(ports[0]), int(ports[1]))))
        else:
            starter.down()
    say("done")


if __name__ == "__main__":
    main()
