"""``platformctl steps``: the kinds of steps, what each wants, and running one by itself.

Flags come from a step's fields, so a new field is a new flag. A step that runs by itself is a pipeline of one stage
with that one step: same engine, same lease, same record.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import SCHEMA_VERSION, LazyGroup, Output, PlatformCommand
from platformctl.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.engine.fields import Field
    from platformctl.engine.pipeline import Pipeline
    from platformctl.engine.step import Step


@click.group("steps")
def command() -> None:
    """Steps: list them, show what one wants, run one."""


@command.command("list", cls=PlatformCommand, example="platformctl steps list")
def list_(output: Output) -> None:
    """List the kinds of steps."""
    from platformctl.steps import CATALOGUE

    rows = [{"kind": kind, "description": _description(CATALOGUE[kind])} for kind in sorted(CATALOGUE)]
    document = {"schemaVersion": SCHEMA_VERSION, "steps": rows}
    output.emit(document, text=lambda console: _print_list(console, rows))


@command.command("show", cls=PlatformCommand, example="platformctl steps show stack-plan")
@click.argument("kind", metavar="KIND")
def show(output: Output, kind: str) -> None:
    """Show what a step does, its fields, and how long and how often it may try."""
    step_type = step_of_kind(kind)
    document = describe_step(step_type)
    output.emit(document, text=lambda console: _print_step(console, document))


class StepCommands(LazyGroup):
    """One command per kind, made from the step's fields when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The kinds, sorted."""
        from platformctl.steps import CATALOGUE

        return sorted(CATALOGUE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """The command of that kind; None when there is no such kind."""
        from platformctl.steps import CATALOGUE

        return run_command(CATALOGUE[cmd_name]) if cmd_name in CATALOGUE else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the kinds as click does: they are imported already."""
        click.Group.format_commands(self, ctx, formatter)


@command.group("run", cls=StepCommands, lazy={}, subcommand_metavar="KIND --env ENV [--FIELD VALUE]...")
def run() -> None:
    """Run one step by itself, under the environment's lease and with a record of its own."""


def step_of_kind(kind: str) -> type[Step]:
    """The step of that kind. Raises UsageError with "did you mean"."""
    import difflib

    from platformctl.steps import CATALOGUE

    if kind not in CATALOGUE:
        near = difflib.get_close_matches(kind, CATALOGUE, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no step {kind!r}", hint=f"{meant}there are: {', '.join(sorted(CATALOGUE))}")
    return CATALOGUE[kind]


def describe_step(step_type: type[Step]) -> dict[str, Any]:
    """The step as JSON."""
    from platformctl.engine.fields import step_fields

    return {
        "schemaVersion": SCHEMA_VERSION,
        "kind": step_type.kind,
        "description": _description(step_type),
        "does": _first_paragraph(step_type.run),
        "deadlineSeconds": step_type.deadline.seconds,
        "attempts": step_type.retry.attempts,
        "cores": step_type.cost.cores,
        "memoryMiB": step_type.cost.memory,
        "fields": [_field(field) for field in step_fields(step_type)],
    }


def run_command(step_type: type[Step]) -> PlatformCommand:
    """The command that runs a step of that kind: one flag per field, ``--env`` and ``--dry-run``."""
    from platformctl.engine.fields import step_fields

    fields = step_fields(step_type)
    example = " ".join(
        [f"platformctl steps run {step_type.kind} --env dev"]
        + [f"--{field.flag} {field.example or 'VALUE'}" for field in fields if field.required]
    )

    def callback(output: Output, /, env: str, *, dry_run: bool, **values: str | None) -> None:
        given = {name: value for name, value in values.items() if value is not None}
        _execute(output, step_type, env, given, dry_run=dry_run)

    options = [
        click.Option(["--env"], required=True, metavar="ENV", help="The environment to run it for."),
        click.Option(["--dry-run"], is_flag=True, help="Change nothing; say what would be done."),
        *(_option(field) for field in fields),
    ]
    return PlatformCommand(
        step_type.kind, example=example, params=options, callback=callback, help=_description(step_type)
    )


def one_step_pipeline(step_type: type[Step], values: Mapping[str, str]) -> Pipeline:
    """A pipeline of one stage with that one step. Its parameters are the fields, so the record holds what was asked.

    Raises UsageError for unreadable or missing values.
    """
    from platformctl.engine.fields import build_step, step_fields
    from platformctl.engine.pipeline import Parameter, Pipeline, Stage

    step = build_step(step_type, values)
    parameters = [Parameter(field.name, field.description) for field in step_fields(step_type) if field.name in values]
    return Pipeline(
        name=f"step-{step_type.kind}",
        description=_description(step_type),
        parameters=tuple(parameters),
        stages=(Stage("step", lambda _item: (step,), lease=True, deadline=step_type.deadline),),
    )


def _execute(output: Output, step_type: type[Step], env: str, values: Mapping[str, str], *, dry_run: bool) -> None:
    from platformctl.cli import run as running
    from platformctl.cli.wiring import environment

    pipeline = one_step_pipeline(step_type, values)
    running.execute(output, pipeline, environment(env), file=env, parameters=values, dry_run=dry_run)


def _option(field: Field) -> click.Option:
    shown = field.show(field.default) if not field.required else ""
    parts = [
        field.description,
        f"For example {field.example}." if field.example else "",
        f"[default: {shown}]" if shown else "",
    ]
    metavar = field.type_name.upper() if field.type_name.isalpha() else f"[{field.type_name}]"
    return click.Option(
        [f"--{field.flag}", field.name], required=field.required, metavar=metavar, help=" ".join(filter(None, parts))
    )


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "flag": f"--{field.flag}",
        "type": field.type_name,
        "required": field.required,
        "default": None if field.required or field.default is None else field.show(field.default),
        "description": field.description,
        "example": field.example,
    }


def _description(step_type: type[Step]) -> str:
    return _first_paragraph(step_type)


def _first_paragraph(documented: object) -> str:
    """Of a docstring, on one line, with the backticks that a terminal's readers are used to."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split()).replace("``", "`")


def _print_list(console: Console, rows: list[dict[str, str]]) -> None:
    """One line each, never folded: lists are read by grep too."""
    width = max((len(row["kind"]) for row in rows), default=0)
    for row in rows:
        console.print(f"{row['kind']:<{width}}  {row['description']}", markup=False, soft_wrap=True)


def _print_step(console: Console, document: Mapping[str, Any]) -> None:
    from platformctl.core.clock import Duration

    tries = f"{document['attempts']} attempts" if document["attempts"] > 1 else "never tried again"
    lines = [
        f"{document['kind']}: {document['description']}",
        document["does"],
        f"deadline {Duration(document['deadlineSeconds'])}, {tries}",
    ]
    for field in document["fields"]:
        more = "required" if field["required"] else f"default {field['default']}" if field["default"] else "optional"
        lines.append(f"  {field['flag']} [{field['type']}]  {field['description']} ({more})")
    console.print("\n".join(line for line in lines if line), markup=False)
