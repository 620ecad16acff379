"""``platformctl stacks``: the graph of an environment's stacks, what a plan would change, what they give.

A plan is a pipeline of one stage through the same engine as every run, but its record is thrown away: nothing is
approved here, so nothing has to be kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import SCHEMA_VERSION, Output, PlatformCommand
from platformctl.core.cancel import Cancel
from platformctl.core.errors import PlatformError, exit_code
from platformctl.process.signals import stopping

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.engine.pipeline import Pipeline
    from platformctl.engine.request import RunResult
    from platformctl.spec.environment import Environment

CHANGED = 10
_SIGNS = {"create": "+", "update": "~", "delete": "-", "create and delete": "+/-", "delete and create": "-/+"}

_ENV = click.option("--env", required=True, metavar="ENV", help="The environment: its name, or a path to its file.")
_STACKS = click.argument("stacks", nargs=-1, metavar="[STACK]...")


@click.group("stacks")
def command() -> None:
    """Terraform stacks: their graph, what would change, what they give."""


@command.command("graph", cls=PlatformCommand, example="platformctl stacks graph --env dev --format mermaid")
@_ENV
@click.option("--format", "form", type=click.Choice(["text", "dot", "mermaid"]), default="text", help="What to print.")
def graph(output: Output, env: str, form: str) -> None:
    """Show which stack needs which, and through which outputs."""
    from platformctl.cli import wiring

    environment = wiring.environment(env)
    document = {
        "schemaVersion": SCHEMA_VERSION,
        "environment": environment.name,
        "stacks": {
            name: {"source": environment.stacks[name].source, "needs": list(needs), "inputs": _edges(environment, name)}
            for name, needs in environment.graph("stacks").items()
        },
    }
    draw = {"text": _tree, "dot": _dot, "mermaid": _mermaid}[form]
    output.emit(document, text=lambda console: _print_lines(console, draw(environment)))


@command.command("plan", cls=PlatformCommand, example="platformctl stacks plan --env dev network")
@_ENV
@_STACKS
@click.option("--exit-code-on-change", is_flag=True, help=f"Exit {CHANGED} when something would change.")
def plan(output: Output, env: str, stacks: Sequence[str], exit_code_on_change: bool) -> None:
    """Show what would change, in all stacks or in some. Changes nothing and keeps no record."""
    from platformctl.cli import wiring

    environment = wiring.environment(env)
    with _planned(output, environment, stacks) as result:
        document = _document(environment, result)
    output.emit(document, text=lambda console: _print_plans(console, document))
    if result.error is not None:
        if isinstance(result.error, PlatformError) and not output.json:
            output.error(result.error)
        raise click.exceptions.Exit(exit_code(result.error))
    if exit_code_on_change and result.changed:
        raise click.exceptions.Exit(CHANGED)


@command.command("outputs", cls=PlatformCommand, example="platformctl stacks outputs --env dev network --output json")
@_ENV
@_STACKS
def outputs(output: Output, env: str, stacks: Sequence[str]) -> None:
    """Show what stacks give, as it stands in their states. Sensitive values are named and not shown."""
    from platformctl.cli import wiring
    from platformctl.steps.stack_site import Site

    site = wiring.Site.open(env)
    found: dict[str, dict[str, Any]] = {}
    for name in stacks or site.environment.stacks:
        state = Site(site.environment, name, site.root.path, site.connection).state()
        given = {key: {"value": value, "sensitive": False} for key, value in state.outputs.items()}
        hidden = {key: {"sensitive": True} for key in state.secrets}
        found[name] = dict(sorted({**given, **hidden}.items()))
    document = {"schemaVersion": SCHEMA_VERSION, "environment": site.environment.name, "stacks": found}
    output.emit(document, text=lambda console: _print_outputs(console, found))


@contextmanager
def _planned(output: Output, environment: Environment, stacks: Sequence[str]) -> Iterator[RunResult]:
    """Plans; the run's directory lives as long as the context."""
    import dataclasses
    import os
    import tempfile

    from platformctl.cli import wiring
    from platformctl.cli.run import actor
    from platformctl.engine.request import Request

    request = Request(
        pipeline=_pipeline(),
        environment=environment,
        actor=actor(os.environ),
        parameters={"stacks": ",".join(stacks)} if stacks else {},
    )
    engine = wiring.engine(environment, output)
    folder = engine.root / ".platform"
    folder.mkdir(exist_ok=True)
    cancel, hurry = Cancel(), Cancel()
    with tempfile.TemporaryDirectory(prefix="plan-", dir=folder) as runs, stopping(cancel, hurry):
        yield dataclasses.replace(engine, runs=Path(runs), records=None).run(request, cancel, hurry)


def _pipeline() -> Pipeline:
    from platformctl.engine.pipeline import Parameter, Pipeline, Stage
    from platformctl.steps.stacks import StackPlan

    return Pipeline(
        name="stacks-plan",
        description="What would change.",
        parameters=(Parameter("stacks", "Only these stacks."),),
        stages=(Stage("plan", lambda stack: (StackPlan(stack=stack),), each="stacks"),),
    )


def _document(environment: Environment, result: RunResult) -> dict[str, Any]:
    """Per stack: how planning went, the summary, and the proposal where there is one."""
    plans: dict[str, Any] = {}
    for step in result.state.steps():
        name = step.name.partition("/")[2]
        plans[name] = {"status": str(step.status), "summary": step.summary}
        if step.error:
            plans[name]["error"] = step.error
        for artifact in step.artifacts:
            path = result.directory / "artifacts" / str(artifact["name"])
            plans[name] |= {
                key: value
                for key, value in json.loads(path.read_text(encoding="utf-8")).items()
                if key in {"changes", "outputs", "unknownInputs"}
            }
    return {
        "schemaVersion": SCHEMA_VERSION,
        "environment": environment.name,
        "changed": result.changed,
        "error": result.state.error,
        "stacks": plans,
    }


def _print_plans(console: Console, document: Mapping[str, Any]) -> None:
    width = max((len(name) for name in document["stacks"]), default=0)
    for name, planned in document["stacks"].items():
        said = planned["error"]["message"] if "error" in planned else planned["summary"] or planned["status"]
        console.print(f"{name:<{width}}  {said}", markup=False)
        for address, change in planned.get("changes", {}).items():
            sign = _SIGNS.get(" and ".join(change["actions"]), ", ".join(change["actions"]))
            console.print(f"{'':<{width}}    {sign:<3} {address}", markup=False)
        for key, change in planned.get("outputs", {}).items():
            sign = _SIGNS.get(" and ".join(change["actions"]), "~")
            console.print(f"{'':<{width}}    {sign:<3} output {key}", markup=False)
        if planned.get("unknownInputs"):
            console.print(f"{'':<{width}}    not known yet: {', '.join(planned['unknownInputs'])}", markup=False)


def _print_outputs(console: Console, found: Mapping[str, Mapping[str, Any]]) -> None:
    for name, values in found.items():
        if not values:
            console.print(f"{name}: no outputs", markup=False)
        for key, item in values.items():
            shown = "(sensitive)" if item["sensitive"] else json.dumps(item["value"], ensure_ascii=False)
            console.print(f"{name}.{key} = {shown}", markup=False)


def _print_lines(console: Console, lines: Iterator[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _edges(environment: Environment, name: str) -> dict[str, str]:
    return dict(environment.stacks[name].needs)


def _tree(environment: Environment) -> Iterator[str]:
    """Who needs nothing first; under each stack those that need it. A stack that needs several shows under each."""
    needs = environment.graph("stacks")
    dependents = {name: [other for other, needed in needs.items() if name in needed] for name in needs}

    def below(name: str, front: str) -> Iterator[str]:
        for number, other in enumerate(dependents[name], 1):
            last = number == len(dependents[name])
            through = [
                f"{key} = {reference}"
                for key, reference in _edges(environment, other).items()
                if reference.partition(".")[0] == name
            ]
            yield f"{front}{'└── ' if last else '├── '}{other}  ({', '.join(through)})"
            yield from below(other, front + ("    " if last else "│   "))

    for name, needed in needs.items():
        if not needed:
            yield name
            yield from below(name, "")


def _dot(environment: Environment) -> Iterator[str]:
    yield "digraph stacks {"
    yield "  rankdir = LR"
    for name in environment.graph("stacks"):
        yield f'  "{name}"'
        for key, reference in _edges(environment, name).items():
            yield f'  "{reference.partition(".")[0]}" -> "{name}" [label="{key}"]'
    yield "}"


def _mermaid(environment: Environment) -> Iterator[str]:
    yield "flowchart LR"
    for name in environment.graph("stacks"):
        yield f"  {name}"
        for key, reference in _edges(environment, name).items():
            yield f"  {reference.partition('.')[0]} -->|{key}| {name}"
