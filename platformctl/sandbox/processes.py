"""The processes of a sandbox: how they are started and ended, and how those that no record names are recognised.

Every part carries two variables in its environment, and hands them to its own children. A command line that holds the
sandbox's folder would not do: so does the pager of whoever reads a log.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from platformctl.core.command import Child, Command

DIRECTORY_VARIABLE = "PLATFORMCTL_SANDBOX_DIRECTORY"
PART_VARIABLE = "PLATFORMCTL_SANDBOX_PART"


@dataclass(frozen=True)
class Usage:
    """What a process and its children take. ``memory`` in bytes (resident), ``seconds`` since its start."""

    memory: int
    seconds: float


class Processes(Protocol):
    """Detached processes: they live on when the command that started them ends."""

    def start(self, command: Command, log: Path) -> Child:
        """Starts it in its own session, its output appended to the log. Raises PreconditionError: no such program."""
        ...

    def alive(self, child: Child) -> bool:
        """Whether this very process, not a later one with its pid, still runs."""
        ...

    def stop(self, child: Child, grace: float) -> None:
        """Asks the process and its group to end, kills them after ``grace`` seconds, returns when they are gone."""
        ...

    def marked(self, directory: Path) -> Mapping[str, tuple[Child, ...]]:
        """Every process that carries the folder's mark, by the name of the part."""
        ...


class SystemProcesses:
    """This machine's."""

    def start(self, command: Command, log: Path) -> Child:
        """Starts it in its own session, its output appended to the log. Raises PreconditionError: no such program."""
        from platformctl.process import detached

        return detached.start(command, log)

    def alive(self, child: Child) -> bool:
        """Whether this very process, not a later one with its pid, still runs."""
        from platformctl.process import children

        return children.alive(child)

    def stop(self, child: Child, grace: float) -> None:
        """Asks the process and its group to end, kills them after ``grace`` seconds, returns when they are gone."""
        from platformctl.process import detached

        detached.stop(child, grace)

    def marked(self, directory: Path) -> Mapping[str, tuple[Child, ...]]:
        """Every process that carries the folder's mark, by the name of the part.

        Processes of other users cannot be looked into and are not ours to end: they are left out.
        """
        import psutil

        from platformctl.process import children

        found: dict[str, list[Child]] = defaultdict(list)
        for process in psutil.process_iter():
            try:
                environment = process.environ()
                if environment.get(DIRECTORY_VARIABLE) != str(directory) or process.pid == os.getpid():
                    continue
                child = children.identify(process.pid, process.name())
            except (psutil.Error, OSError):
                continue
            found[environment.get(PART_VARIABLE, "")].append(child)
        return {name: tuple(processes) for name, processes in found.items()}


def usage(child: Child) -> Usage | None:
    """What the process and its children take now; None when it is gone or another user's."""
    import time

    import psutil

    try:
        process = psutil.Process(child.pid)
        memory = process.memory_info().rss
        for descendant in process.children(recursive=True):
            try:
                memory += descendant.memory_info().rss
            except psutil.Error:
                continue
        return Usage(memory, time.time() - process.create_time())
    except psutil.Error:
        return None
