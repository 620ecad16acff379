"""Shows a start or stop of the sandbox while it goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from platformctl.sandbox.starter import PartEvent, Phase

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_BUSY = {Phase.STARTING, Phase.CHECKING, Phase.STOPPING}


def progress(console: Console) -> LiveParts | PlainParts:
    """The display for ``Sandbox``'s ``watch`` and ``say``, which call it from several threads. A context manager."""
    return LiveParts(console) if console.is_terminal else PlainParts(console)


class PlainParts:
    """One line for each thing that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, line: str) -> None:
        """Prints a line of its own."""
        with self._lock:
            self._console.print(line, markup=False)

    def watch(self, event: PartEvent) -> None:
        """Prints what happened; that a part is only looked at is no news."""
        if event.phase is Phase.CHECKING:
            return
        took = f" ({event.seconds:.1f} s)" if event.seconds >= 0.05 else ""
        message = f": {event.message}" if event.message else ""
        self.say(f"{event.part} {event.phase}{message}{took}")


class LiveParts:
    """One row per part, its time running."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots", style="cyan")  # one for all rows and frames: a new one would never turn
        self._console = console
        self._rows: dict[str, tuple[PartEvent, float]] = {}
        self._lock = threading.Lock()
        # Removed at the end: what follows is the table of the result.
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Prints a line above the table."""
        self._console.print(line, markup=False)

    def watch(self, event: PartEvent) -> None:
        """Changes the part's row."""
        with self._lock:
            self._rows[event.part] = event, time.monotonic()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            rows = list(self._rows.items())
        table = Table(box=None, pad_edge=False, show_header=False)
        for name, (event, since) in rows:
            busy = event.phase in _BUSY
            seconds = time.monotonic() - since if busy else event.seconds
            sign = self._spinner if busy else Text("✓", style="green")
            table.add_row(sign, name, str(event.phase), f"{seconds:.1f} s", Text(event.message, style="dim"))
        return table
