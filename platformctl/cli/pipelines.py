"""``platformctl pipelines``: which pipelines there are, and the stages of one as people and Jenkins read them.

The JSON of ``pipelines show`` is an interface: ``jenkins/library`` turns it into stages, locks, gates and credentials.
docs/reference/pipelines.md describes it; its ``schemaVersion`` rises with a change that a reader must know of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import SCHEMA_VERSION, Output, PlatformCommand
from platformctl.core.errors import SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.engine.expand import StepInstance
    from platformctl.engine.pipeline import Gate, Parameter, Pipeline, Stage
    from platformctl.spec.environment import Environment

ANY_ITEM = "ITEM"
"""Stands for an item's name where a stage is shown without an environment."""


@click.group("pipelines")
def command() -> None:
    """Pipelines: list them, show their stages."""


@command.command("list", cls=PlatformCommand, example="platformctl pipelines list")
def list_(output: Output) -> None:
    """List the pipelines of this root, and those that platformctl brings."""
    from platformctl.cli.wiring import content_roots
    from platformctl.engine.catalogue import find_pipelines

    rows = [_row(name, path) for name, path in find_pipelines(content_roots()).items()]
    document = {"schemaVersion": SCHEMA_VERSION, "pipelines": rows}
    output.emit(document, text=lambda console: _print_list(console, rows))


@command.command("show", cls=PlatformCommand, example="platformctl pipelines show provision --env dev --output json")
@click.argument("name", metavar="PIPELINE")
@click.option("--env", "env", metavar="ENV", help="Also show the steps that each stage has for this environment.")
def show(output: Output, name: str, env: str | None) -> None:
    """Show a pipeline: parameters, stages, and what an orchestrator must give each stage."""
    from platformctl.cli.wiring import content_roots, environment
    from platformctl.engine.catalogue import named_pipeline

    pipeline = named_pipeline(name, content_roots())
    document = describe_pipeline(pipeline, environment(env) if env else None)
    output.emit(document, text=lambda console: _print_pipeline(console, document))


def describe_pipeline(pipeline: Pipeline, environment: Environment | None = None) -> dict[str, Any]:
    """The pipeline as JSON; with an environment also every step of every stage, with what it needs."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "name": pipeline.name,
        "description": pipeline.description,
        "environment": environment.name if environment else None,
        "parameters": [_parameter(parameter) for parameter in pipeline.parameters],
        "stages": [_stage(stage, environment) for stage in pipeline.stages],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "description": parameter.description,
        "required": parameter.default is None,
        "default": parameter.default,
        "choices": list(parameter.choices),
    }


def _stage(stage: Stage, environment: Environment | None) -> dict[str, Any]:
    return {
        "name": stage.name,
        "each": stage.each,
        "reverse": stage.reverse,
        "lease": stage.lease,
        "gate": _gate(stage.gate) if stage.gate else None,
        "agent": stage.agent,
        "credentials": list(stage.credentials),
        "deadlineSeconds": stage.deadline.seconds,
        "always": stage.always,
        "kinds": [step.kind for step in stage.steps(ANY_ITEM if stage.each else "")],
        "steps": None if environment is None else [_step(instance) for instance in _expanded(stage, environment)],
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {"question": gate.question, "unlessEmpty": gate.unless_empty, "confirm": gate.confirm}


def _expanded(stage: Stage, environment: Environment) -> Sequence[StepInstance]:
    from platformctl.engine.expand import ALONE, expand

    graph = environment.graph(stage.each) if stage.each else ALONE
    return expand(stage, graph, frozenset(graph))


def _step(instance: StepInstance) -> dict[str, Any]:
    return {"name": instance.name, "kind": instance.step.kind, "item": instance.item, "needs": list(instance.needs)}


def _row(name: str, path: Path) -> dict[str, Any]:
    """One row of the list. A broken pipeline is named with its problems and hides no other."""
    from platformctl.engine.catalogue import load_pipeline

    row: dict[str, Any] = {"name": name, "path": str(path), "description": "", "stages": [], "problems": []}
    try:
        pipeline = load_pipeline(path)
    except SpecError as error:
        return {**row, "problems": [str(problem) for problem in error.problems]}
    return {**row, "description": pipeline.description, "stages": [stage.name for stage in pipeline.stages]}


def _print_list(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line each, never folded: lists are read by grep too."""
    if not rows:
        console.print("no pipelines here; a pipeline is pipelines/<name>/pipeline.py", markup=False)
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        said = row["problems"][0] if row["problems"] else f"{row['description']} ({' > '.join(row['stages'])})"
        style = "red" if row["problems"] else None
        console.print(f"{row['name']:<{width}}  {said}", style=style, markup=False, soft_wrap=True)


def _print_pipeline(console: Console, document: Mapping[str, Any]) -> None:
    console.print(f"{document['name']}: {document['description']}", markup=False)
    for parameter in document["parameters"]:
        console.print(f"  --param {_parameter_text(parameter)}", markup=False)
    for stage in document["stages"]:
        console.print(f"\n{stage['name']}", style="bold", markup=False)
        for line in _stage_lines(stage):
            console.print(f"  {line}", markup=False)


def _parameter_text(parameter: Mapping[str, Any]) -> str:
    value = "|".join(parameter["choices"]) or "VALUE"
    when = "required" if parameter["required"] else f"default {parameter['default']}" if parameter["default"] else ""
    said = f"{parameter['description']} ({when})" if when else parameter["description"]
    return f"{parameter['name']}={value}  {said}"


def _stage_lines(stage: Mapping[str, Any]) -> list[str]:
    from platformctl.core.clock import Duration

    each = f" for each of the environment's {stage['each']}" if stage["each"] else ""
    lines = [f"steps: {', '.join(stage['kinds'])}{each}{', in reverse' if stage['reverse'] else ''}"]
    if stage["gate"]:
        opens = "; opens by itself when nothing is proposed" if stage["gate"]["unlessEmpty"] else ""
        lines.append(f"gate: {stage['gate']['question']}{opens}")
        if stage["gate"]["confirm"]:
            lines.append(f"confirm: --param {stage['gate']['confirm']}=ENV")
    held = ", holds the environment's lease" if stage["lease"] else ""
    always = ", runs also after a failure" if stage["always"] else ""
    lines.append(f"agent: {stage['agent']}, deadline {Duration(stage['deadlineSeconds'])}{held}{always}")
    if stage["credentials"]:
        lines.append(f"credentials: {', '.join(stage['credentials'])}")
    for step in stage["steps"] or ():
        needs = f"  needs {', '.join(step['needs'])}" if step["needs"] else ""
        lines.append(f"- {step['name']}  {step['kind']}{needs}")
    return lines
