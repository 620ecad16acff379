"""What becomes of a program's output on its way in: decoded, redacted, kept within a bound, cut into lines."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterator

from platformctl.process.redact import KnownSecrets

LONGEST_LINE = 64 * 1024
"""Characters of one line event; a longer line arrives as several."""


class Tail:
    """Keeps the end of a text, at most ``limit`` bytes of UTF-8."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.truncated = False

    def add(self, text: str) -> None:
        """Appends; forgets from the front what no longer fits."""
        chunk = text.encode("utf-8", "surrogatepass")
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._chunks and self._size - len(self._chunks[0]) >= self._limit:
            self._size -= len(self._chunks.popleft())
            self.truncated = True

    def text(self) -> str:
        """What was kept; a character that the cut went through is left out."""
        kept = b"".join(self._chunks)
        if len(kept) > self._limit:
            self.truncated = True
            kept = kept[len(kept) - self._limit :]
        return kept.decode("utf-8", "ignore")


class Lines:
    """Cuts text into lines as a terminal would show them: what a carriage return overwrites is left out."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._begun = ""

    def feed(self, text: str) -> Iterator[str]:
        """The lines that are complete by now."""
        *complete, begun = (self._begun + text).split("\n")
        # A progress bar may go on for an hour without a newline: only what the terminal would still show is kept. A
        # carriage return at the very end overwrites nothing yet.
        self._begun = begun[begun.rstrip("\r").rfind("\r") + 1 :]
        for line in complete:
            yield from self._cut(_shown(line))
        while len(self._begun) > self._longest:
            yield self._begun[: self._longest]
            self._begun = self._begun[self._longest :]

    def finish(self) -> Iterator[str]:
        """The last line, when no newline ended it."""
        begun, self._begun = _shown(self._begun), ""
        if begun:
            yield from self._cut(begun)

    def _cut(self, line: str) -> Iterator[str]:
        for start in range(0, max(1, len(line)), self._longest):
            yield line[start : start + self._longest]


def lines(text: str) -> list[str]:
    """The lines of a whole text."""
    cutter = Lines()
    return [*cutter.feed(text), *cutter.finish()]


class Intake:
    """One output of one program. ``on_line`` gets its lines; ``known`` None passes the text on as it is."""

    def __init__(self, limit: int, known: KnownSecrets | None, on_line: Callable[[str], None] | None) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._redacted = known.stream() if known else None
        self._lines = Lines()
        self._on_line = on_line
        self.kept = Tail(limit)

    def feed(self, chunk: bytes) -> None:
        """Takes what was read."""
        text = self._decoder.decode(chunk)
        self._take(self._redacted.feed(text) if self._redacted else text)

    def finish(self) -> None:
        """Takes what is still held back, at the end of the stream."""
        text = self._decoder.decode(b"", final=True)
        self._take(self._redacted.feed(text) + self._redacted.finish() if self._redacted else text)
        if self._on_line:
            for line in self._lines.finish():
                self._on_line(line)

    def mute(self) -> None:
        """From now on nobody hears of lines."""
        self._on_line = None

    def _take(self, text: str) -> None:
        self.kept.add(text)
        if self._on_line:
            for line in self._lines.feed(text):
                self._on_line(line)


def _shown(line: str) -> str:
    """The last thing that was written into the line: ``10%\r20%\r`` shows ``20%``."""
    stripped = line.rstrip("\r")
    return stripped[stripped.rfind("\r") + 1 :]
