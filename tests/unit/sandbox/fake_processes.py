"""Processes that exist only in a table: what the starter's tests start, kill and find again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path

from platformctl.core.command import Child, Command
from platformctl.sandbox.part import Readiness
from platformctl.sandbox.processes import DIRECTORY_VARIABLE, PART_VARIABLE


class FakeProcesses:
    """Keeps started commands alive until they are stopped or ``kill``ed; ``journal`` tells what was asked, in order.

    ``stillborn``: parts whose process dies at once. ``immortal``: parts that no signal ends.
    """

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.stillborn: set[str] = set()
        self.immortal: set[str] = set()
        self._pids = count(1000)
        self._living: dict[Child, Command] = {}

    def start(self, command: Command, log: Path) -> Child:
        name = str(command.env[PART_VARIABLE])
        self.journal.append(f"start {name}")
        log.write_text(f"{name} says hello\n")
        child = Child(next(self._pids), 1.0, command.argv[0], "here", "this boot")
        if name not in self.stillborn:
            self._living[child] = command
        return child

    def alive(self, child: Child) -> bool:
        return child in self._living

    def stop(self, child: Child, grace: float) -> None:
        name = str(self._living[child].env[PART_VARIABLE])
        self.journal.append(f"stop {name}")
        if name not in self.immortal:
            del self._living[child]

    def marked(self, directory: Path) -> Mapping[str, tuple[Child, ...]]:
        found: dict[str, tuple[Child, ...]] = {}
        for child, command in self._living.items():
            if command.env[DIRECTORY_VARIABLE] == str(directory):
                name = str(command.env[PART_VARIABLE])
                found[name] = (*found.get(name, ()), child)
        return found

    def kill(self, name: str) -> None:
        """SIGKILL from outside."""
        for child, command in list(self._living.items()):
            if command.env[PART_VARIABLE] == name:
                del self._living[child]

    def running(self) -> dict[str, int]:
        """Pid by part."""
        return {str(command.env[PART_VARIABLE]): child.pid for child, command in self._living.items()}


def ready(_: Readiness, __: Path) -> str:
    """A look that finds everything ready."""
    return ""
