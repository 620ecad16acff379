"""Events for machines, one JSON document per line, as they happen."""

from __future__ import annotations

import json
from typing import TextIO

from platformctl.core.events import Event


class JsonLinesReporter:
    """Writes every event, the lines that programs print among them, in the form that ``events.jsonl`` has.

    The stream stays the caller's: it is flushed after each line and not closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def handle(self, event: Event) -> None:
        """Writes the event at once: whoever reads may be waiting for it."""
        self._stream.write(json.dumps(event.to_json(), ensure_ascii=False, default=str) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to put back."""
