"""What a stopped sandbox may not leave: processes, ports, mounts. Looks only; ``starter`` is who removes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from platformctl.sandbox import ports
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.processes import Processes

_MOUNTS = Path("/proc/self/mountinfo")


def find(
    layout: Layout,
    served: Mapping[str, int],
    processes: Processes,
    *,
    free: Callable[[int], bool] = ports.is_free,
) -> list[str]:
    """One line for each thing that is left, none when nothing is. ``served``: ports to look at, by what they were."""
    left = [
        f"process {child.pid} ({child.program}) of {name}"
        for name, found in processes.marked(layout.directory).items()
        for child in found
    ]
    left += [f"port {port} of {name}" for name, port in served.items() if not free(port)]
    mounts = _MOUNTS.read_text(encoding="utf-8") if _MOUNTS.exists() else ""
    return left + [f"mount {point}" for point in mounts_below(layout.directory, mounts)]


def mounts_below(directory: Path, mountinfo: str) -> list[str]:
    """The mount points under the directory, deepest first. ``mountinfo``: as proc(5) describes /proc/PID/mountinfo."""
    points = [_unescape(fields[4]) for line in mountinfo.splitlines() if len(fields := line.split(" ")) > 4]
    inside = [point for point in points if Path(point).is_relative_to(directory)]
    return sorted(inside, key=len, reverse=True)


def _unescape(text: str) -> str:
    # proc(5): space, tab, newline and backslash stand as octal numbers.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
