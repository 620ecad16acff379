"""Which loopback ports a sandbox listens on: chosen free at its first start, kept afterwards."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from platformctl.core.errors import PreconditionError

LOOPBACK = "127.0.0.1"
# Below every usual range of ephemeral ports (Linux 32768, macOS and IANA 49152): an outgoing connection must not take
# a port between `down` and the next `up`. Above the registered ports that people run by hand.
FIRST, LAST = 21_000, 31_999
_BLOCK = 16


def is_free(port: int) -> bool:
    """Whether something could listen on the port now. A connection in TIME_WAIT does not count as taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(
    names: Iterable[str],
    *,
    kept: Mapping[str, int],
    movable: bool,
    directory: Path,
    serving: frozenset[int] = frozenset(),
    free: Callable[[int], bool] = is_free,
    free_soon: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A port for each name: the kept one while it is free or our own part serves on it, else a new one.

    ``free_soon`` is asked of kept ports and may wait: the kernel closes the sockets of a killed program with many
    threads a moment after the program counts as dead.
    ``movable``: nothing runs yet, so a port that somebody else took in the meantime is replaced. Otherwise parts that
    live know the port: PreconditionError. Raises PreconditionError when no port is free.
    """
    chosen: dict[str, int] = {}
    candidates = (port for port in _candidates(directory) if port not in kept.values())
    for name in names:
        port = kept.get(name)
        if port is not None and port not in serving and not free_soon(port):
            if not movable:
                raise PreconditionError(
                    f"port {port} of {name} is taken by another program",
                    hint="free it, or `platformctl sandbox down` and `up`: that chooses other ports",
                )
            port = None
        chosen[name] = port if port is not None else _next_free(candidates, free)
    return chosen


def _next_free(candidates: Iterator[int], free: Callable[[int], bool]) -> int:
    for port in candidates:
        if free(port):
            return port
    raise PreconditionError(f"no free port between {FIRST} and {LAST} on {LOOPBACK}", hint="end what listens there")


def _candidates(directory: Path) -> Iterator[int]:
    # Each directory begins at its own block, so that two first starts at the same moment do not choose the same ports.
    size = LAST - FIRST + 1
    start = int.from_bytes(hashlib.sha256(str(directory).encode()).digest()[:8], "big") % (size // _BLOCK) * _BLOCK
    yield from (FIRST + (start + offset) % size for offset in range(size))
