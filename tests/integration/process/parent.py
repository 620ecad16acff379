"""A platformctl that runs one command, to be killed: ``parent.py FOLDER PROGRAM [ARGUMENT...]`` writes the child's pid
and the guard's into FOLDER and runs the program with a grace of 0.3 seconds."""

from __future__ import annotations

import sys
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.command import Child, Command
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost


def main() -> None:
    """Runs the command; ends as it does."""
    folder, *argv = sys.argv[1:]
    host = ProcessHost(KnownSecrets())

    def started(child: Child) -> None:
        (Path(folder) / "child.part").write_text(f"{child.pid} {host.guardian.pid}", encoding="utf-8")
        (Path(folder) / "child.part").rename(Path(folder) / "child")

    host.bind(cancel=Cancel(), on_line=None, on_child=started).run(Command(tuple(argv), grace=0.3))


if __name__ == "__main__":
    main()
