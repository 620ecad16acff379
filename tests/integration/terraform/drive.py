"""``platformctl run provision --env dev --auto-approve`` with leases that expire soon, for the tests that kill it.

    python -m tests.integration.terraform.drive ROOT [RUN]

RUN: goes on with that run. Everything else is as the command line makes it.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click

from platformctl.cli.command import Output, OutputMode
from platformctl.cli.main import cli
from platformctl.cli.wiring import Site, content_roots
from platformctl.core.cancel import Cancel
from platformctl.core.clock import Duration
from platformctl.core.errors import PlatformError, exit_code
from platformctl.engine.catalogue import named_pipeline
from platformctl.engine.lease import LeaseTimes
from platformctl.engine.request import Actor, Request
from platformctl.process.signals import stopping

TIMES = LeaseTimes(ttl=1.5, heartbeat=0.2, margin=0.5)


def main(root: Path, run: str) -> int:
    """Runs it; prints what stopped it as the command line does."""
    output = Output(OutputMode.TEXT)
    cancel, hurry = Cancel(), Cancel()
    with click.Context(cli) as context:
        context.meta["platformctl.directory"] = root
        site = Site.open("dev")
        engine = dataclasses.replace(site.engine(output), lease_times=TIMES)
        request = Request(
            pipeline=named_pipeline("provision", content_roots()),
            environment=site.environment,
            actor=Actor("driver"),
            auto_approve=True,
            resume=run,
            lock_wait=Duration(20.0),
        )
        with stopping(cancel, hurry):
            error = engine.run(request, cancel, hurry).error
    if isinstance(error, PlatformError):
        output.error(error)
    return exit_code(error) if error is not None else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
