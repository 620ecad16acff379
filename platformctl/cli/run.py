"""``platformctl run``: runs a pipeline for an environment, and shows how it ended.

``execute`` is also what other commands run their own small pipelines with (``steps run``, ``stacks plan``).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import Output, PlatformCommand
from platformctl.core.cancel import Cancel
from platformctl.core.clock import Duration
from platformctl.core.errors import PlatformError, UsageError, exit_code
from platformctl.process.signals import stopping

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.engine.pipeline import Pipeline
    from platformctl.engine.request import Actor, RunResult
    from platformctl.engine.state import RunState, StepState
    from platformctl.spec.environment import Environment

CHANGED = 10
"""The exit code of ``--exit-code-on-change`` when something changed."""


def _duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Duration | None:
    """Reads ``90s`` or ``1h30m``."""
    try:
        return None if value is None else Duration.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("run", cls=PlatformCommand, example="platformctl run provision --env dev --approve sha256:4f2a...")
@click.argument("pipeline", metavar="PIPELINE")
@click.option("--env", required=True, metavar="ENV", help="The environment: its name, or a path to its file.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline; repeatable.")
@click.option("--stage", "stages", multiple=True, metavar="STAGE", help="Only this stage; repeatable.")
@click.option("--run-id", default="", metavar="ID", help="Create the run of this id, or go on with it.")
@click.option("--resume", default="", metavar="RUN", help="Go on with this run: finished steps are not done again.")
@click.option("--dry-run", is_flag=True, help="Change nothing; steps say what they would do.")
@click.option("--approve", default="", metavar="DIGEST", help="Approve what has this digest, and nothing else.")
@click.option("--auto-approve", is_flag=True, help="Open gates unasked; does not count in a protected environment.")
@click.option("--wait", callback=_duration, metavar="DURATION", help="How long to wait for a gate's answer.")
@click.option("--lock-wait", callback=_duration, default="0s", metavar="DURATION", help="How long to wait for a lease.")
@click.option("--exit-code-on-change", is_flag=True, help=f"Exit {CHANGED} when something changed.")
def command(output: Output, /, pipeline: str, env: str, params: Sequence[str], **options: Any) -> None:
    """Run a pipeline for an environment.

    A gate without a terminal parks the run (exit 7); approve it with `platformctl runs approve`, then go on with
    --resume. Another run's lease ends this one (exit 6) unless --lock-wait is given.
    """
    from platformctl.cli import wiring
    from platformctl.engine.catalogue import named_pipeline

    if options["approve"] and options["auto_approve"]:
        raise UsageError("--approve and --auto-approve exclude each other", hint="give one of them")
    if options["run_id"] and options["resume"]:
        raise UsageError("--run-id and --resume exclude each other", hint="--run-id also goes on with a run")
    chosen = named_pipeline(pipeline, wiring.content_roots())
    execute(output, chosen, wiring.environment(env), file=env, parameters=_pairs(params), **options)


def execute(
    output: Output,
    pipeline: Pipeline,
    environment: Environment,
    *,
    file: str = "",
    parameters: Mapping[str, str],
    exit_code_on_change: bool = False,
    **options: Any,
) -> RunResult:
    """Runs the pipeline and prints how it ended; returns only when all went well.

    ``file``: the environment's name or path as the user gave it. ``options``: further fields of engine.Request.
    Raises click's Exit with the exit code of what stopped the run, which has been shown by then.
    """
    from platformctl.cli import wiring
    from platformctl.engine.request import Request
    from platformctl.engine.tree import working_tree
    from platformctl.spec.loader import environment_path

    root = wiring.root()
    request = Request(
        pipeline=pipeline,
        environment=environment,
        parameters=parameters,
        actor=actor(os.environ),
        url=os.environ.get("BUILD_URL", ""),
        revision=_revision(root),
        tree=working_tree(root, environment_path(root, file or environment.name)),
        **options,
    )
    cancel, hurry = Cancel(), Cancel()
    with stopping(cancel, hurry):
        result = wiring.engine(environment, output).run(request, cancel, hurry)
    output.emit(result.to_json(), text=lambda console: print_run(console, result.state, result.directory))
    if isinstance(result.error, PlatformError):
        if not output.json:
            output.error(result.error)
        raise click.exceptions.Exit(exit_code(result.error))
    if result.error is not None:
        recorded = result.state.error or {}
        bug = recorded.get("message", type(result.error).__name__)
        output.progress.print(f"error: {bug}", style="red", markup=False)
        output.progress.print(f"hint: the traceback is in {result.directory}/private", style="yellow", markup=False)
        raise click.exceptions.Exit(exit_code(result.error))
    if exit_code_on_change and result.changed:
        raise click.exceptions.Exit(CHANGED)
    return result


def actor(environ: Mapping[str, str]) -> Actor:
    """Who runs: in a build its author or who started it, else the user on this machine."""
    from platformctl.engine.request import Actor

    if "BUILD_URL" in environ:
        for name in ("CHANGE_AUTHOR", "BUILD_USER_ID", "BUILD_TAG"):
            if environ.get(name):
                return Actor(environ[name])
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = str(os.getuid())
    return Actor(f"{user}@{platform.node()}")


def print_run(console: Console, state: RunState, directory: Path | None) -> None:
    """The run as a table of stages and steps."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("STEP", "STATUS", "TIME", "SUMMARY"):
        table.add_column(column, overflow="fold")
    for stage in state.stages.values():
        if not stage.steps:
            table.add_row(escape(stage.name), str(stage.status), "", "")
        for step in stage.steps.values():
            table.add_row(escape(step.name), str(step.status), _seconds(step), escape(_told(step)))
    console.print(table)
    changed = ", something changed" if state.changed else ""
    console.print(f"run {state.id}: {state.status}{changed}", markup=False)
    if directory is not None and directory.exists():
        console.print(f"record: {directory}", markup=False)


def _seconds(step: StepState) -> str:
    if step.started is None or step.finished is None:
        return ""
    return f"{(step.finished - step.started).total_seconds():.1f} s"


def _told(step: StepState) -> str:
    return str(step.error["message"]) if step.error else step.summary


def _pairs(params: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {param}: not NAME=VALUE", hint=f"--param {name or 'NAME'}=VALUE")
        if name in pairs:
            raise UsageError(
                f"--param {name} is given twice", hint="give it once; several values go into one, with commas"
            )
        pairs[name] = value
    return pairs


def _revision(root: Path) -> str:
    """The commit that is checked out; empty outside of git. A build knows it without asking."""
    if os.environ.get("GIT_COMMIT"):
        return os.environ["GIT_COMMIT"]
    from platformctl.cli.wiring import House
    from platformctl.core.cancel import Cancel
    from platformctl.core.command import Command

    asked = Command(("git", "rev-parse", "HEAD"), cwd=root, timeout=10.0, ok_codes=(0, 128))
    try:
        completed = House().runner(Cancel()).run(asked)
    except PlatformError:
        return ""
    return completed.stdout.strip() if completed.returncode == 0 else ""
