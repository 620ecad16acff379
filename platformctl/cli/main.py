"""The entry point: the tree of commands, and the one place where an error becomes an exit code.

Nothing heavy may be imported here: ``--version`` and ``--help`` answer at once.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from platformctl import __version__
from platformctl.cli.command import LazyGroup, Output, OutputMode
from platformctl.core.errors import Interrupted, PlatformError, UsageError, exit_code

COMMANDS = {
    "completion": ("platformctl.cli.completion:command", "Print a shell's completion script."),
    "doctor": ("platformctl.cli.doctor:command", "Check this machine: programs, versions, what is missing."),
    "env": ("platformctl.cli.env:command", "Environments: list, show, validate, create, compare."),
    "init": ("platformctl.cli.init:command", "Start a new root: platform.yaml, an environment, a pipeline."),
    "pipelines": ("platformctl.cli.pipelines:command", "Pipelines: list them, show their stages."),
    "run": ("platformctl.cli.run:command", "Run a pipeline for an environment."),
    "runs": ("platformctl.cli.runs:command", "Runs: list, show, logs, report, approve, close."),
    "sandbox": ("platformctl.cli.sandbox:command", "The embedded cloud: up, down, status, logs, env, connect."),
    "stacks": ("platformctl.cli.stacks:command", "Terraform stacks: graph, plan, outputs."),
    "steps": ("platformctl.cli.steps:command", "Steps: list, show, run one."),
    "tools": ("platformctl.cli.tools:command", "External programs: list, build or fetch, print a path."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="\b\nExample:\n  platformctl run provision --env dev",
)
@click.version_option(__version__, prog_name="platformctl", message="%(prog)s %(version)s")
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Work as if started in DIR: platform.yaml is looked for there and above.",
)
@click.pass_context
def cli(ctx: click.Context, directory: Path | None) -> None:
    """Build, change and run Kubernetes platforms from git commits."""
    if directory is not None and not directory.is_dir():
        raise UsageError(f"-C {directory}: no such directory")
    ctx.find_root().meta["platformctl.directory"] = directory or Path.cwd()


def main() -> None:
    """Runs the command line, or answers a shell that completes one, and exits."""
    # Start-up makes many objects that live to the end: looking them over again and again took 40 ms of it.
    gc.set_threshold(100_000, 50, 50)
    instruction = os.environ.get("_PLATFORMCTL_COMPLETE")
    if instruction:
        from platformctl.cli.completion import answer

        sys.exit(answer(cli, instruction))
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """Runs one command line; returns the exit code of core/errors.py's table."""
    meta: dict[str, Any] = {}
    try:
        with cli.make_context("platformctl", list(argv)) as ctx:
            meta = ctx.meta
            outcome = cli.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place where errors become exit codes
        return _failed(error, meta, argv)
    return outcome if isinstance(outcome, int) else 0


def _failed(error: BaseException, meta: dict[str, Any], argv: list[str]) -> int:
    match error:
        case click.Abort() | KeyboardInterrupt():
            return _report(Interrupted(signal.SIGINT), meta, argv)
        case click.ClickException():
            hint = ""
            if isinstance(error, click.UsageError) and error.ctx is not None:
                hint = f"{error.ctx.command_path} --help"
            return _report(UsageError(error.format_message(), hint=hint), meta, argv)
        case PlatformError():
            return _report(error, meta, argv)
        case BrokenPipeError():
            # The reader went away (`| head`): not our failure, and nothing more can be said on that pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case _:
            return _bug(error)


def _output(meta: dict[str, Any], argv: list[str]) -> Output:
    known = meta.get("platformctl.output")
    if isinstance(known, Output):
        return known
    # The command line was not understood, so nobody has read --output yet.
    wants_json = "--output=json" in argv or any(pair == ("--output", "json") for pair in itertools.pairwise(argv))
    return Output(OutputMode.JSON if wants_json else OutputMode.TEXT)


def _report(error: PlatformError, meta: dict[str, Any], argv: list[str]) -> int:
    _output(meta, argv).error(error)
    return exit_code(error)


def _bug(error: BaseException) -> int:
    import traceback
    from datetime import UTC, datetime

    if os.environ.get("PLATFORMCTL_DEBUG"):
        traceback.print_exception(error)
    where = ""
    try:
        import platformdirs

        folder = platformdirs.user_state_path("platformctl", ensure_exists=True)
        path = folder / f"traceback-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        where = f"; the traceback is in {path}"
    except OSError:
        where = "; PLATFORMCTL_DEBUG=1 shows the traceback"
    print(f"error: this is a bug of platformctl: {type(error).__name__}: {error}{where}", file=sys.stderr)
    return 70


if __name__ == "__main__":
    main()
