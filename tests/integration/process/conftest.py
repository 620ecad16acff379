"""A runner for the tests, and the scope that stops it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.command import Child, CommandRunner, Stream
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost


class Bench:
    """One scope: what its children print and who they are."""

    def __init__(self) -> None:
        self.host = ProcessHost(KnownSecrets())
        self.cancel = Cancel()
        self.lines: list[tuple[Stream, str]] = []
        self.children: list[Child] = []
        self.runner: CommandRunner = self.host.bind(
            cancel=self.cancel,
            on_line=lambda stream, line: self.lines.append((stream, line)),
            on_child=self.children.append,
        )


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Its guard is gone at the end."""
    made = Bench()
    yield made
    made.host.close()
