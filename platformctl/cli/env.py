"""``platformctl env``: list, show, validate, create and compare environments, and make their state bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import LazyGroup, Output, PlatformCommand
from platformctl.core.errors import PlatformError, PreconditionError, SpecError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.spec.loader import Loaded

LAZY = {
    "bootstrap": ("platformctl.cli.bootstrap:bootstrap_command", "Create the state bucket; again it changes nothing."),
}


@click.group("env", cls=LazyGroup, lazy=LAZY)
def command() -> None:
    """Environments: list, show, validate, create, compare."""


@command.command("list", cls=PlatformCommand, example="platformctl env list")
def list_(output: Output) -> None:
    """List the environments of this root, faulty ones included."""
    from platformctl.cli.wiring import root
    from platformctl.spec.loader import environment_names

    rows = [_row(name) for name in environment_names(root())]
    output.emit({"environments": rows}, text=lambda console: _print_list(console, rows))


def overrides(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option that puts the command line on top of the file."""
    return click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="What this machine says instead of the file: cloud.profile, timezone, proxy.http, proxy.https, "
        "proxy.ca_bundle. What was reviewed can't be set.",
    )(function)


@command.command("validate", cls=PlatformCommand, example="platformctl env validate dev --secrets")
@click.argument("name", metavar="NAME|PATH")
@click.option("--secrets", is_flag=True, help="Also check that every env and file reference is set on this machine.")
@overrides
def validate(output: Output, name: str, secrets: bool, assignments: tuple[str, ...]) -> None:
    """Check an environment file; every problem is shown with file and line."""
    loaded = _load(name, assignments)
    if secrets:
        _check_secrets(output, loaded)
    document = {"environment": loaded.environment.name, "file": str(loaded.path), "valid": True}
    output.emit(document, text=lambda console: console.print(f"{loaded.shown} is valid", markup=False))


@command.command("show", cls=PlatformCommand, example="platformctl env show dev --explain")
@click.argument("name", metavar="NAME|PATH")
@click.option("--explain", is_flag=True, help="Say of each value where it comes from, defaults included.")
@overrides
def show(output: Output, name: str, explain: bool, assignments: tuple[str, ...]) -> None:
    """Show an environment as it is understood; secrets as their references."""
    loaded = _load(name, assignments)
    rows = [(_dotted(location), value, origin) for location, value, origin in loaded.explain()]
    document: dict[str, Any] = loaded.environment.document()
    if explain:
        document = {path: {"value": value, "from": origin} for path, value, origin in rows}

    def text(console: Console) -> None:
        headings = ("key", "value", *(("from",) if explain else ()))
        given = [row if explain else row[:2] for row in rows if explain or row[2] != "default"]
        _print_table(console, headings, [[path, _shown(value), *rest] for path, value, *rest in given])

    output.emit(document, text=text)


@command.command("new", cls=PlatformCommand, example="platformctl env new stage --from dev")
@click.argument("name")
@click.option("--from", "other", required=True, metavar="OTHER", help="The environment to copy.")
def new(output: Output, name: str, other: str) -> None:
    """Create an environment as a copy of another; everything but the name stays as it was written."""
    from platformctl.cli.wiring import root
    from platformctl.spec.copy import copy_environment, mentions
    from platformctl.spec.loader import FOLDER, environment_path

    folder = root()
    source, target = environment_path(folder, other), folder / FOLDER / f"{name}.yaml"
    if target.exists():
        raise PreconditionError(f"{target} exists already", hint="nothing was written")
    old = _load(str(source)).environment.name
    copied = _write_valid(target, copy_environment(source.read_bytes().decode("utf-8-sig"), name), folder)
    left = [
        {"key": _dotted(path), "value": value, "line": copied.document.lines.get(path, 0)}
        for path, value in mentions(copied.environment.document(), old)
    ]
    document = {"environment": name, "file": str(target), "mentions": left}

    def say(console: Console) -> None:
        console.print(f"wrote {target}", markup=False)
        if left:
            console.print(f"these values still speak of {old}; are they meant?", markup=False)
            _print_table(
                console,
                ("line", "key", "value"),
                [[_shown(item[key]) for key in ("line", "key", "value")] for item in left],
            )

    output.emit(document, text=say)


@command.command("diff", cls=PlatformCommand, example="platformctl env diff dev prod")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
def diff(output: Output, first: str, second: str) -> None:
    """Show where two environments differ, defaults included."""
    sides = [_load(first), _load(second)]
    values = [{_dotted(location): value for location, value, _ in side.explain()} for side in sides]
    paths = [path for path in dict.fromkeys((*values[0], *values[1])) if path != "name"]
    rows = [(path, values[0].get(path), values[1].get(path)) for path in paths]
    rows = [row for row in rows if row[1] != row[2]]
    document = {"differences": [{"key": path, "a": one, "b": other} for path, one, other in rows]}

    def text(console: Console) -> None:
        if not rows:
            console.print("no differences", markup=False)
            return
        names = [side.environment.name for side in sides]
        _print_table(console, ("key", *names), [[path, _shown(one), _shown(other)] for path, one, other in rows])

    output.emit(document, text=text)


def _load(name: str, assignments: tuple[str, ...] = ()) -> Loaded:
    from platformctl.cli.wiring import content_roots, root
    from platformctl.spec.loader import environment_path, load

    values = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not value:
            raise UsageError(f"--set {assignment}: write KEY=VALUE")
        values[key] = value
    folder = root()
    return load(environment_path(folder, name), folder, content=content_roots(), overrides=values)


def _check_secrets(output: Output, loaded: Loaded) -> None:
    """Raises SpecError for references that are not set; warns of files that others may read."""
    from platformctl.spec.secrets import exposed, missing

    for problem in exposed(loaded.environment, loaded.document, os.environ):
        output.progress.print(f"warning: {problem}", style="yellow", markup=False)
    if unset := list(missing(loaded.environment, loaded.document, os.environ)):
        raise SpecError(unset, hint="set them where platformctl runs; their values are never stored")


def _row(name: str) -> dict[str, Any]:
    try:
        environment = _load(name).environment
    except PlatformError as error:
        count = len(error.problems) if isinstance(error, SpecError) else 1
        return {"name": name, "valid": False, "problems": count, "message": error.message}
    cloud = environment.cloud
    return {
        "name": name,
        "valid": True,
        "provider": "sandbox" if cloud.sandbox else cloud.provider,
        "region": cloud.region,
        "account": cloud.account,
        "stacks": len(environment.stacks),
        "services": len(environment.services),
        "protected": environment.protected,
    }


def _print_list(console: Console, rows: list[dict[str, Any]]) -> None:
    if not rows:
        console.print("there are no environments yet; platformctl init, or env new NAME --from OTHER", markup=False)
        return
    lines = []
    for row in rows:
        if row["valid"]:
            remark = "protected" if row["protected"] else ""
            lines.append([row["name"], row["provider"], row["region"], row["account"], str(row["stacks"]), remark])
        else:
            count = f"{row['problems']} problem{'s' * (row['problems'] > 1)}"
            lines.append([row["name"], "", "", "", "", f"{count}: platformctl env validate {row['name']}"])
    _print_table(console, ("environment", "cloud", "region", "account", "stacks", ""), lines)


def _print_table(console: Console, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table; what is in its cells is never taken for markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    console.print(table)


def _write_valid(target: Path, text: str, folder: Path) -> Loaded:
    """Writes the file whole, only when it is a valid environment and there is none of that name."""
    import tempfile
    from dataclasses import replace

    from platformctl.cli.wiring import content_roots
    from platformctl.spec.loader import load

    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / target.name
        draft.write_text(text, encoding="utf-8", newline="")
        try:
            loaded = load(draft, folder, content=content_roots())
        except SpecError as error:
            first = error.problems[0].message
            raise UsageError(f"the copy would not be valid: {first}", hint="nothing was written") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        raise PreconditionError(f"{target} exists already", hint="nothing was written") from None
    return replace(loaded, path=target)


def _dotted(location: tuple[str | int, ...]) -> str:
    return ".".join(map(str, location))


def _shown(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
