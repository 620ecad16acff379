"""A program for the tests beside it: syncs one program of a catalogue and prints each sign of life.

``python sync_once.py CATALOGUE CACHE NAME``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.toolchain import Progress, Toolchain
from platformctl.toolchain.program import load


def say(sign: Progress) -> None:
    sys.stdout.write(f"{sign.program} {sign.phase} {sign.message}\n")
    sys.stdout.flush()


def main(catalogue: str, cache: str, name: str) -> None:
    host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    runner = host.bind(cancel=Cancel(), on_line=None, on_child=None)
    Toolchain(None, Path(cache), runner, catalogue=load(Path(catalogue))).sync([name], say)


if __name__ == "__main__":
    main(*sys.argv[1:])
