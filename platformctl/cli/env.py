"""``platformctl env``: list, show, validate, create and compare environments, and make their state bucket."""

from __future__ import annotations

import os
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


@command.command("validate", cls=PlatformCommand, example="platformctl env validate dev")
@click.argument("name", metavar="NAME|PATH")
@click.option("--secrets", is_flag=True, help="Also check that every env and file reference is set on this machine.")
def validate(output: Output, name: str, secrets: bool) -> None:
    """Check an environment file; every problem is shown with file and line."""
    loaded = _load(name)
    if secrets:
        from platformctl.spec.secrets import missing

        if unset := list(missing(loaded.environment, loaded.document, os.environ)):
            raise SpecError(unset, hint="set them where platformctl runs; their values are never stored")
    document = {"environment": loaded.environment.name, "file": str(loaded.path), "valid": True}
    output.emit(document, text=lambda console: console.print(f"{loaded.document.file} is valid", markup=False))


@command.command("show", cls=PlatformCommand, example="platformctl env show dev --explain")
@click.argument("name", metavar="NAME|PATH")
@click.option("--explain", is_flag=True, help="Say of each value where it comes from.")
def show(output: Output, name: str, explain: bool) -> None:
    """Show an environment as it is understood, defaults included; secrets as their references."""
    loaded = _load(name)
    rows = [(_dotted(location), value, origin) for location, value, origin in loaded.explain()]
    document: dict[str, Any] = loaded.environment.document()
    if explain:
        document = {path: {"value": value, "from": origin} for path, value, origin in rows}

    def text(console: Console) -> None:
        from rich.table import Table

        table = Table("key", "value", *(["from"] if explain else []), box=None, pad_edge=False)
        for path, value, origin in rows:
            if explain or origin != "default":
                table.add_row(path, _shown(value), *([origin] if explain else []))
        console.print(table, markup=False)

    output.emit(document, text=text)


@command.command("new", cls=PlatformCommand, example="platformctl env new stage --from dev")
@click.argument("name")
@click.option("--from", "other", required=True, metavar="OTHER", help="The environment to copy.")
def new(output: Output, name: str, other: str) -> None:
    """Create an environment as a copy of another, comments and order kept."""
    from platformctl.cli.wiring import content_roots, root
    from platformctl.spec.copy import copy_environment
    from platformctl.spec.loader import FOLDER, environment_path, load

    folder = root()
    source, target = environment_path(folder, other), folder / FOLDER / f"{name}.yaml"
    if target.exists():
        raise PreconditionError(f"{target} exists already", hint="nothing was written")
    old = load(source, folder, content=content_roots()).environment.name
    text = copy_environment(source.read_text(encoding="utf-8"), name)
    _write_valid(target, text, folder)
    left = [
        f"{target.name}:{number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if old in line and not line.startswith("name:")
    ]
    document = {"environment": name, "file": str(target), "mentions": left}

    def say(console: Console) -> None:
        console.print(f"wrote {target}", markup=False)
        if left:
            console.print(f"these lines still speak of {old}; are they meant?", markup=False)
        for line in left:
            console.print(f"  {line}", markup=False)

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
        from rich.table import Table

        table = Table("key", sides[0].environment.name, sides[1].environment.name, box=None, pad_edge=False)
        for path, one, other in rows:
            table.add_row(path, _shown(one), _shown(other))
        console.print(table if rows else "no differences", markup=False)

    output.emit(document, text=text)


def _load(name: str) -> Loaded:
    from platformctl.cli.wiring import content_roots, root
    from platformctl.spec.loader import environment_path, load

    folder = root()
    return load(environment_path(folder, name), folder, content=content_roots())


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
    from rich.table import Table

    if not rows:
        console.print("there are no environments yet; platformctl init, or env new NAME --from OTHER", markup=False)
        return
    table = Table("environment", "cloud", "region", "account", "stacks", "", box=None, pad_edge=False)
    for row in rows:
        if row["valid"]:
            cells = [row["provider"], row["region"], row["account"], str(row["stacks"])]
            table.add_row(row["name"], *cells, "protected" if row["protected"] else "")
        else:
            table.add_row(
                row["name"],
                "",
                "",
                "",
                "",
                f"[red]{row['problems']} problem{'s' * (row['problems'] > 1)}[/]: env validate {row['name']}",
            )
    console.print(table)


def _write_valid(target: Path, text: str, folder: Path) -> None:
    """Writes the file whole, and only when it is a valid environment."""
    import tempfile

    from platformctl.cli.wiring import content_roots
    from platformctl.spec.loader import load

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        draft = Path(scratch) / target.name
        draft.write_text(text, encoding="utf-8")
        try:
            load(draft, folder, content=content_roots())
        except SpecError as error:
            first = error.problems[0].message
            raise UsageError(f"the copy would not be valid: {first}", hint="nothing was written") from None
        draft.replace(target)


def _dotted(location: tuple[str | int, ...]) -> str:
    return ".".join(map(str, location))


def _shown(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
