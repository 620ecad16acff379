"""Detached processes that exist only in a table: what the sandbox's starter starts, ends and finds again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path

from platformctl.core.command import Child, Command


class FakeProcesses:
    """Keeps the contract of sandbox Processes. A process is called by the file name of its program.

    ``journal`` tells what was asked, in order: ``start NAME``, ``stop NAME``. ``stillborn``: those that die at once.
    ``immortal``: those that no signal ends. Ending what was never started here is an error of the test.
    """

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.stillborn: set[str] = set()
        self.immortal: set[str] = set()
        self._pids = count(1000)
        self._living: dict[Child, Command] = {}

    def start(self, command: Command, log: Path) -> Child:
        """A process with the next pid; it says one line into its log."""
        name = Path(command.argv[0]).name
        self.journal.append(f"start {name}")
        log.write_text(f"{name} says hello\n", encoding="utf-8")
        child = Child(next(self._pids), 1.0, name, "here", "this boot")
        if name not in self.stillborn:
            self._living[child] = command
        return child

    def alive(self, child: Child) -> bool:
        """Whether it was neither stopped nor killed."""
        return child in self._living

    def stop(self, child: Child, grace: float) -> None:  # noqa: ARG002 - the contract has it; nothing here takes time
        """Ends it at once, unless it is immortal."""
        if child not in self._living:
            raise AssertionError(f"{child.program} (pid {child.pid}) does not run: nobody may signal that pid")
        self.journal.append(f"stop {child.program}")
        if child.program not in self.immortal:
            del self._living[child]

    def marked(self, directory: Path) -> Mapping[str, tuple[Child, ...]]:
        """Those that carry the directory in their environment, by name."""
        found: dict[str, tuple[Child, ...]] = {}
        for child, command in self._living.items():
            if str(directory) in command.env.values():
                found[child.program] = (*found.get(child.program, ()), child)
        return found

    def kill(self, name: str) -> None:
        """SIGKILL from outside."""
        for child in [child for child in self._living if child.program == name]:
            del self._living[child]

    def running(self) -> dict[str, int]:
        """Pid by name."""
        return {child.program: child.pid for child in self._living}
