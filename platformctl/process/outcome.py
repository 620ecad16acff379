"""From how a program ended to what its caller gets: a result or an error. Pure; the fakes of tests use it too."""

from __future__ import annotations

from collections.abc import Iterable

from platformctl.core.command import Completed
from platformctl.core.errors import TAIL_LINES, CommandFailed

_LONGEST = 500  # characters of one line of a tail: enough for a cause, little enough for a terminal
_LONGEST_COMMAND = 300


def last_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """The last lines that say something, for an error's tail; very long ones are cut."""
    spoken = [line.rstrip() for line in lines if line.strip()]
    return tuple(shortened(line, _LONGEST) for line in spoken[-TAIL_LINES:])


def shortened(text: str, longest: int = _LONGEST_COMMAND) -> str:
    """The text, cut to ``longest`` characters with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def checked(completed: Completed, tail: Iterable[str], *, shown: str = "") -> Completed:
    """The result, unless its code means failure: then raises CommandFailed. ``shown``: the command for people."""
    if completed.returncode in completed.command.ok_codes:
        return completed
    raise CommandFailed(shown or shortened(str(completed.command)), completed.returncode, tuple(tail))
