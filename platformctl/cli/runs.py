"""``platformctl runs``: what ran, how it stands, what it said; answering a gate, and ending a run that is dead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from platformctl.cli.command import SCHEMA_VERSION, Output, PlatformCommand
from platformctl.core.errors import PreconditionError, Status, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.engine.runs import RunHistory, RunSummary
    from platformctl.engine.state import GateState, RunState

_ENDS = (Status.SUCCEEDED, Status.FAILED, Status.ERRORED, Status.ABORTED)

env_option = click.option(
    "--env",
    default="",
    metavar="ENV",
    help="Also look in this environment's state bucket, where other machines record.",
)


LATEST = "latest"
"""Stands for the newest run of this machine where a run is only read."""


def named(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """The run's id; ids sort by time, so ``latest`` is the last one. Raises PreconditionError when there is none."""
    if value != LATEST:
        return value
    from platformctl.cli.wiring import root

    found = max((path.parent.name for path in (root() / ".platform" / "runs").glob("*/events.jsonl")), default="")
    if not found:
        raise PreconditionError("there are no runs yet", hint="platformctl run PIPELINE --env ENV")
    return found


@click.group("runs")
def command() -> None:
    """Runs: list, show, logs, report, approve, close."""


@command.command("list", cls=PlatformCommand, example="platformctl runs list --env dev")
@env_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
def list_(output: Output, /, env: str, limit: int) -> None:
    """List runs, the newest first."""
    history, environment = _history(env, output)
    rows = history.list(environment)[:limit]
    document = {"schemaVersion": SCHEMA_VERSION, "runs": [row.to_json() for row in rows]}
    output.emit(document, text=lambda console: _print_list(console, rows))


@command.command("show", cls=PlatformCommand, example="platformctl runs show 20260926T101500Z-provision-7f3a")
@click.argument("run", metavar="RUN", default=LATEST, callback=named)
@env_option
def show(output: Output, /, run: str, env: str) -> None:
    """Show how a run stands: its stages, its steps, and the question it waits with."""
    from platformctl.cli.run import print_run

    history, environment = _history(env, output)
    state = history.read(run, environment)

    def text(console: Console) -> None:
        print_run(console, state, history.directory(run).path)
        _print_question(console, state)
        for warning in state.warnings:
            console.print(f"warning: {warning['message']}", markup=False)
            if warning.get("hint"):
                console.print(f"hint: {warning['hint']}", markup=False)

    output.emit(state.to_json(), text=text)


@command.command(
    "logs", cls=PlatformCommand, example="platformctl runs logs 20260926T101500Z-provision-7f3a plan/network"
)
@click.argument("run", metavar="RUN", default=LATEST, callback=named)
@click.argument("step", metavar="STEP", default="")
@click.option("--tail", type=click.IntRange(min=1), metavar="LINES", help="Only the last lines of each log.")
def logs(output: Output, /, run: str, step: str, tail: int | None) -> None:
    """Print what the programs of a run's steps said. Logs stay on the machine where the steps ran."""
    history, _ = _history("", output)
    directory = history.directory(run)
    state = history.read(run)
    names = [name.name for name in state.steps()]
    if step and step not in names:
        raise UsageError(f"run {run} has no step {step!r}", hint=f"it has: {', '.join(names)}")
    found = {name: directory.log_path(name) for name in ([step] if step else names)}
    texts = {name: _tail(path, tail) for name, path in found.items() if path.is_file()}
    if step and not texts:
        raise PreconditionError(f"step {step} said nothing on this machine", hint=f"its log would be {found[step]}")

    def text(console: Console) -> None:
        for name, lines in texts.items():
            if not step:
                console.print(f"== {name}", markup=False, style="bold")
            console.print("\n".join(lines), markup=False, highlight=False)

    logged = [{"step": name, "lines": lines} for name, lines in texts.items()]
    output.emit({"schemaVersion": SCHEMA_VERSION, "run": run, "logs": logged}, text=text)


@command.command("report", cls=PlatformCommand, example="platformctl runs report 20260926T101500Z-provision-7f3a")
@click.argument("run", metavar="RUN", default=LATEST, callback=named)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "junit"]),
    default="html",
    show_default=True,
    help="html: one page that needs nothing else; junit: XML for a CI server's test results.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it; else beside the record."
)
def report(output: Output, /, run: str, form: str, out: Path | None) -> None:
    """Make one self-contained HTML page of a run, or JUnit XML."""
    from platformctl.reporters import html, junit

    history, _ = _history("", output)
    history.read(run)
    path = {"html": html, "junit": junit}[form].render(history.directory(run).path, out)
    document = {"schemaVersion": SCHEMA_VERSION, "run": run, "path": str(path)}
    output.emit(document, text=lambda console: console.print(str(path), markup=False, soft_wrap=True))


@command.command("approve", cls=PlatformCommand, example="platformctl runs approve RUN sha256:4f2a... --comment 'seen'")
@click.argument("run", metavar="RUN")
@click.argument("digest", metavar="DIGEST")
@click.option("--reject", is_flag=True, help="Decline instead.")
@click.option("--comment", default="", help="Why; kept in the record.")
@env_option
def approve(output: Output, /, run: str, digest: str, *, reject: bool, comment: str, env: str) -> None:
    """Answer the question a run waits with. The answer counts for that digest only, and is written once."""
    from platformctl.cli.run import actor
    from platformctl.engine.gates import Verdict

    history, environment = _history_of(run, env, output)
    state = history.read(run, environment)
    verdict = Verdict.REJECTED if reject else Verdict.APPROVED
    who = actor(os.environ)
    question = history.answer(state, digest=digest, verdict=verdict, actor=who, comment=comment)
    document = {
        "schemaVersion": SCHEMA_VERSION,
        "run": run,
        "digest": question.digest,
        "answer": verdict.value,
        "by": who.name,
        "quorum": question.quorum,
    }
    follow = (
        "" if reject else f"; go on with: platformctl run {state.pipeline} --env {state.environment} --resume {run}"
    )
    output.emit(document, text=lambda console: console.print(f"{verdict} by {who}{follow}", markup=False))


@command.command("close", cls=PlatformCommand, example="platformctl runs close RUN --status aborted")
@click.argument("run", metavar="RUN")
@click.option(
    "--status",
    type=click.Choice([status.value.lower() for status in _ENDS]),
    default=Status.ABORTED.value.lower(),
    show_default=True,
    help="How it counts.",
)
@env_option
def close(output: Output, /, run: str, status: str, env: str) -> None:
    """End a run whose process is gone. One that is driven is refused (exit 6)."""
    from platformctl.cli.run import actor

    history, environment = _history_of(run, env, output)
    state = history.close(run, Status(status.upper()), actor(os.environ), environment)
    output.emit(state.to_json(), text=lambda console: console.print(f"run {run}: {state.status}", markup=False))


def _history_of(run: str, env: str, output: Output) -> tuple[RunHistory, str]:
    """The runs to look at for a change to one: with the state bucket of the run's own environment."""
    if env:
        return _history(env, output)
    local, _ = _history("", output)
    return _history(local.read(run).environment, output)


def _history(env: str, output: Output) -> tuple[RunHistory, str]:
    """The runs to look at, and the environment's name; both empty-handed without ``--env``: this machine's only."""
    from platformctl.cli import wiring
    from platformctl.engine.runs import RunHistory

    if not env:
        from platformctl.core.clock import SystemClock

        house = wiring.House()
        return RunHistory(runs=wiring.root() / ".platform" / "runs", clock=SystemClock(), redactor=house.known), ""
    environment = wiring.environment(env)
    engine = wiring.engine(environment, output, reporters=())
    history = RunHistory(
        runs=engine.runs,
        clock=engine.clock,
        redactor=engine.redactor,
        records=engine.records,
        leases=engine.leases,
        lease_times=engine.lease_times,
    )
    return history, environment.name


def _tail(path: Path, lines: int | None) -> list[str]:
    from collections import deque

    with path.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=lines)]


def _print_list(console: Console, rows: list[RunSummary]) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        console.print("no runs", markup=False)
        return
    table = Table("RUN", "PIPELINE", "ENVIRONMENT", "STATUS", "BY", box=None, pad_edge=False)
    for row in rows:
        by = row.actor or ("" if row.local else "(on another machine)")
        table.add_row(escape(row.id), escape(row.pipeline), escape(row.environment), str(row.status), escape(by))
    console.print(table)


def _print_question(console: Console, state: RunState) -> None:
    if state.question is None:
        return
    stage, gate = state.question
    lines = [f"stage {stage} asks: {gate.question}", *(f"  {proposal}" for proposal in gate.proposals)]
    lines += [f"digest: {gate.digest}", f"who may answer: {', '.join(gate.approvers) or 'anyone'}", *_answers(gate)]
    console.print("\n".join(lines), markup=False)


def _answers(gate: GateState) -> list[str]:
    given = [answer for answer in gate.answers if answer.digest == gate.digest]
    return [f"{answer.answer} by {answer.by or 'nobody'}" for answer in given]
