"""How durations, times and foreign text are written for people; nothing here knows an event."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

# ECMA-48: CSI and OSC sequences, then every other two-character escape. Programs colour their output, and a hostile one
# could move the cursor, retitle the window or write to the clipboard.
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])?"
)
# C0 and C1 controls but tab and newline; lone surrogates and U+FFFE/U+FFFF, which XML 1.0 section 2.2 forbids; and the
# bidirectional overrides, which make text read as something else.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """Foreign text without escape sequences and characters that a terminal or XML would trip over."""
    return _CONTROL.sub("", _ESCAPE.sub("", str(text).replace("\r\n", "\n")))


def one_line(text: object, width: int = 0) -> str:
    """Foreign text on one line; with ``width``, cut to that many characters."""
    line = " ".join(clean(text).split())
    return line if not width or len(line) <= width else line[: max(0, width - 1)] + "…"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0.4s``, ``42s``, ``5m03s``, ``2h05m``, ``3d04h``."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def moment(time: datetime, zone: tzinfo) -> str:
    """A time for people, in their zone: ``2026-09-26 19:15:00 KST``."""
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def stamp(time: datetime, zone: tzinfo) -> str:
    """A time for logs, sortable and with its offset: ``2026-09-26T19:15:00+09:00``."""
    return time.astimezone(zone).isoformat(timespec="seconds")


def count(number: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
