"""A platformctl that is killed at its child's first word: ``owner.py PROGRAM [ARGUMENT...]``, with a grace of 10 s.

Prints the child's pid first.
"""

from __future__ import annotations

import os
import signal
import sys

from platformctl.core.cancel import Cancel
from platformctl.core.command import Child, Command, Stream
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost


def main() -> None:
    """Never returns."""

    def heard(stream: Stream, line: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def started(child: Child) -> None:
        os.write(1, f"{child.pid}".encode())

    runner = ProcessHost(KnownSecrets()).bind(cancel=Cancel(), on_line=heard, on_child=started)
    runner.run(Command(tuple(sys.argv[1:]), grace=10.0))


if __name__ == "__main__":
    main()
