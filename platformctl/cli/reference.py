"""The reference pages, made from the code itself: commands, exit codes, steps, pipelines, environment.

``python -m platformctl.cli.reference`` in the repository writes them; a conformance test compares. Nothing is described
here that the code does not say: what a page lacks belongs into a docstring.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from platformctl.cli.command import PlatformCommand
from platformctl.core import errors
from platformctl.engine.fields import Field, step_fields
from platformctl.engine.pipeline import Pipeline
from platformctl.engine.step import Step

DIRECTORY = "docs/reference"
_MADE = "<!-- Made by `python -m platformctl.cli.reference`; change the code instead. -->"


def pages(root: Path) -> dict[str, str]:
    """File name -> text of every page. ``root``: the repository, whose pipelines are described."""
    from platformctl.cli.main import cli
    from platformctl.engine.catalogue import find_pipelines, load_pipeline
    from platformctl.spec.schema import reference_page, schema_document
    from platformctl.steps import CATALOGUE

    pipelines = [load_pipeline(path) for path in find_pipelines([root]).values()]
    return {
        "cli.md": cli_page(cli),
        "environment.md": reference_page().rstrip("\n") + "\n",
        "environment.schema.json": json.dumps(schema_document(), indent=2) + "\n",
        "exit-codes.md": exit_codes_page(),
        "pipelines.md": pipelines_page(pipelines),
        "steps.md": steps_page(CATALOGUE),
    }


def write(root: Path) -> list[Path]:
    """Writes the pages of the repository ``root`` that are stale; returns their paths."""
    written = []
    for name, text in pages(root).items():
        path = root / DIRECTORY / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def cli_page(root: click.Command) -> str:
    """Every command with its arguments, options and example."""
    sections = [_command_section(context) for context in commands(click.Context(root, info_name="platformctl"))]
    return _page("Commands", "Every command takes `--help`.", sections)


def commands(context: click.Context) -> Iterator[click.Context]:
    """The contexts of all commands below, groups first, hidden ones left out."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            below = context.command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from commands(click.Context(below, info_name=name, parent=context))


def exit_codes_page() -> str:
    """The table of errors, exit codes and statuses, from the tree of classes."""
    rows = [("0", "", "SUCCEEDED, SKIPPED", "nothing stopped the run")]
    rows.append(("10", "", "SUCCEEDED", "something changed, and `--exit-code-on-change` was given"))
    for error, depth in _error_tree(errors.PlatformError, 0):
        code = "129, 130, 143" if error is errors.Interrupted else str(error.exit_code)
        status = "" if error in {errors.UsageError, errors.SpecError} else str(error.status)
        rows.append((code, "&nbsp;" * 4 * depth + f"`{error.__name__}`", status, _summary(error)))
    rows.append(("70", "anything else", "ERRORED", "A bug. One line to the user, the traceback in a file."))
    text = (
        "An error has one exit code wherever it is raised; below a class come the more special ones. Only\n"
        "`TransientError` and what is below it is ever tried again, by the step's retry policy."
    )
    return _page("Exit codes", text, [_table(("Exit", "Error", "Status", "Means"), rows)])


def steps_page(catalogue: Mapping[str, type[Step]]) -> str:
    """Every kind of step with its fields."""
    text = (
        "The kinds of steps that pipelines are made of. Each runs by itself too:\n"
        "`platformctl steps run KIND --env ENV --FIELD VALUE`."
    )
    return _page("Steps", text, [_step_section(kind, catalogue[kind]) for kind in sorted(catalogue)])


def pipelines_page(pipelines: Iterable[Pipeline]) -> str:
    """Every pipeline with its parameters and stages, and the JSON that orchestrators read."""
    text = (
        "A pipeline runs with `platformctl run PIPELINE --env ENV [--param NAME=VALUE]...`.\n"
        "A stage with a lease changes the environment; a stage with a gate asks before it starts."
    )
    return _page(
        "Pipelines",
        text,
        [*map(_pipeline_section, pipelines), _JSON_TEXT, _table(("Key", "Type", "Meaning"), _JSON_KEYS)],
    )


def _page(title: str, text: str, sections: Sequence[str]) -> str:
    return "\n\n".join([f"# {title}", _MADE, text, *sections]) + "\n"


def _command_section(context: click.Context) -> str:
    command = context.command
    depth = "##" if context.parent is None or isinstance(command, click.Group) else "###"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"{depth} {context.command_path}", _paragraphs(inspect.cleandoc(command.help or "")), f"```\n{usage}\n```"]
    rows = [
        _parameter_row(parameter, context) for parameter in command.params if not getattr(parameter, "hidden", False)
    ]
    if rows:
        parts.append(_table(("Argument or option", "Meaning", "Default"), rows))
    if isinstance(command, PlatformCommand):
        parts.append(f"Example:\n\n```sh\n{command.example}\n```")
    return "\n\n".join(part for part in parts if part)


def _parameter_row(parameter: click.Parameter, context: click.Context) -> tuple[str, ...]:
    name = ", ".join(f"`{spelling}`" for spelling in [*parameter.opts, *parameter.secondary_opts])
    if isinstance(parameter, click.Option):
        if not parameter.is_flag:
            name += f" `{parameter.make_metavar(context)}`"
        more = ["repeatable"] if parameter.multiple else []
        more += ["required"] if parameter.required else []
        meaning = " ".join([parameter.help or "", f"({', '.join(more)})" if more else ""]).strip()
        return name, meaning, _default(parameter.default)
    return f"`{parameter.make_metavar(context)}`", "" if parameter.required else "optional", ""


def _default(value: Any) -> str:
    plain = isinstance(value, str | int | float | Path) and not isinstance(value, bool) and value != ""
    return f"`{value}`" if plain else ""


def _error_tree(error: type[errors.PlatformError], depth: int) -> Iterator[tuple[type[errors.PlatformError], int]]:
    if depth:
        yield error, depth - 1
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _error_tree(below, depth + 1)


def _step_section(kind: str, step: type[Step]) -> str:
    tries = f"{step.retry.attempts} attempts" if step.retry.attempts > 1 else "never tried again"
    takes = f"{step.cost.cores:g} core{'' if step.cost.cores == 1 else 's'} and {step.cost.memory} MiB"
    rows = [_field_row(field) for field in step_fields(step)]
    table = _table(("Flag", "Type", "Meaning", "Default"), rows) if rows else "It has no fields."
    does = _paragraphs(inspect.getdoc(step) or "")
    return "\n\n".join(
        [
            f"## {kind}",
            does,
            _paragraphs(_summary(step.run)),
            f"Deadline {step.deadline}, {tries}, takes {takes}.",
            table,
        ]
    )


def _field_row(field: Field) -> tuple[str, ...]:
    example = f" For example `{field.example}`." if field.example else ""
    default = "required" if field.required else f"`{field.show(field.default)}`" if field.show(field.default) else ""
    return f"`--{field.flag}`", field.type_name, f"{field.description}{example}", default


def _pipeline_section(pipeline: Pipeline) -> str:
    from platformctl.cli.pipelines import ANY_ITEM

    parts = [f"## {pipeline.name}", pipeline.description]
    if pipeline.parameters:
        rows = [
            (
                f"`{parameter.name}`",
                parameter.description + (f" One of {', '.join(parameter.choices)}." if parameter.choices else ""),
                "required" if parameter.default is None else f"`{parameter.default}`" if parameter.default else "",
            )
            for parameter in pipeline.parameters
        ]
        parts.append(_table(("Parameter", "Meaning", "Default"), rows))
    stages = []
    for stage in pipeline.stages:
        kinds = ", ".join(f"`{step.kind}`" for step in stage.steps(ANY_ITEM if stage.each else ""))
        each = f", each of {stage.each}{' in reverse' if stage.reverse else ''}" if stage.each else ""
        marks = [word for word, on in (("lease", stage.lease), ("always runs", stage.always)) if on]
        stages.append((stage.name, kinds + each, stage.gate.question if stage.gate else "", ", ".join(marks)))
    parts.append(_table(("Stage", "Steps", "Gate", "Other"), stages))
    return "\n\n".join(parts)


_JSON_TEXT = """\
## What orchestrators read

`platformctl pipelines show PIPELINE [--env ENV] --output json` prints one document. `schemaVersion` rises with a change
that a reader must know of."""

_JSON_KEYS = (
    ("`schemaVersion`", "number", "1"),
    ("`name`, `description`", "text", ""),
    ("`environment`", "text or null", "the environment that `--env` named"),
    (
        "`parameters[]`",
        "objects",
        "`name`, `description`, `required`, `default` (text or null), `choices[]` (empty: any)",
    ),
    ("`stages[]`", "objects", "in the order in which they run"),
    ("`stages[].name`", "text", "for `platformctl run --stage NAME`"),
    ("`stages[].each`", "text or null", "what the stage is expanded by: `stacks`, `addons` or `services`"),
    ("`stages[].reverse`", "true or false", "items run after those that need them"),
    ("`stages[].lease`", "true or false", "it changes the environment; only one run at a time gets in"),
    ("`stages[].gate`", "object or null", "asked before the stage starts: `question`, `unlessEmpty`, `confirm`"),
    ("`stages[].gate.unlessEmpty`", "true or false", "it opens by itself when nothing is proposed"),
    ("`stages[].gate.confirm`", "text", "the parameter that must repeat the environment's name; empty: none"),
    ("`stages[].agent`", "text", "label of the agent that runs it"),
    ("`stages[].credentials[]`", "texts", "ids that the orchestrator binds"),
    ("`stages[].deadlineSeconds`", "number", "of the whole stage"),
    ("`stages[].always`", "true or false", "it runs after a failure of an earlier stage too"),
    ("`stages[].kinds[]`", "texts", "kinds of its steps, per item"),
    ("`stages[].steps[]`", "objects or null", "with `--env`: `name`, `kind`, `item`, `needs[]`"),
)


def _summary(documented: type | Callable[..., Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def _paragraphs(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", text.replace("\b\n", "").strip())


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in rows:
        cells = [" ".join(_paragraphs(cell).split()).replace("|", "\\|") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    for changed in write(Path.cwd()):
        print(changed)
