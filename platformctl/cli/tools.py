"""``platformctl tools``: which external programs there are, making the missing ones, printing the path of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

import click

from platformctl.cli.command import Output, PlatformCommand
from platformctl.cli.wiring import toolchain
from platformctl.toolchain.found import Found, Phase, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from platformctl.toolchain import Toolchain

_PLAIN_EVERY = (
    20.0  # seconds between lines about one program where nobody watches: a CI log should show life, not noise
)


@click.group("tools")
def command() -> None:
    """External programs: list them, build or fetch the missing ones, print a path."""


@command.command("list", cls=PlatformCommand, example="platformctl tools list")
def list_(output: Output) -> None:
    """Say for each program where it is, its version and its licence."""
    with toolchain() as tools:
        found = tools.status()
        document = {"programs": [describe(tools, one) for one in found]}
    output.emit(document, text=lambda console: _table(console, found))


@command.command("sync", cls=PlatformCommand, example="platformctl tools sync kwok registry")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def sync(output: Output, names: tuple[str, ...]) -> None:
    """Build or fetch the missing ones of these programs; without names, of all that platformctl can build."""
    with toolchain() as tools, progress(output) as show:
        found = tools.sync(names, show)
        document = {"programs": [describe(tools, one) for one in found.values()]}
    output.emit(document, text=lambda console: _table(console, list(found.values())))


@command.command("path", cls=PlatformCommand, example="$(platformctl tools path kwok) --version")
@click.argument("name")
def path(output: Output, name: str) -> None:
    """Print where the program NAME is; nothing is built."""
    with toolchain() as tools:
        where = str(tools.find(name))
    output.emit({"name": name, "path": where}, text=lambda console: console.print(where, markup=False, soft_wrap=True))


def describe(tools: Toolchain, found: Found) -> dict[str, Any]:
    """One program as JSON."""
    program = tools.program(found.name)
    return {
        **asdict(found),
        "path": str(found.path) if found.path else None,
        "accepts": program.accepts,
        "tested": program.tested,
        "kind": program.kind.value,
        "used_by": list(program.used_by),
        "summary": program.summary,
    }


def progress(output: Output) -> LiveProgress | PlainProgress:
    """The display for ``Toolchain.sync``: live on a terminal, plain lines elsewhere. A context manager."""
    return LiveProgress(output.progress) if output.progress.is_terminal else PlainProgress(output.progress)


class LiveProgress:
    """One line per program, its time running."""

    def __init__(self, console: Console) -> None:
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.fields[program]}", style="bold", table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            # Takes what is left of the line, and gives way first.
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        )
        self._bars = Bars(*columns, console=console, expand=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, sign: Progress) -> None:
        """Shows one sign of life; a program that is there already needs none."""
        if sign.phase is Phase.FOUND:
            return
        if sign.program not in self._tasks:
            self._tasks[sign.program] = self._bars.add_task("", total=1, program=sign.program)
        completed = 1 if sign.phase is Phase.DONE else 0
        self._bars.update(self._tasks[sign.program], description=_sentence(sign), completed=completed)


class PlainProgress:
    """A line at each change of phase, and one now and then while it lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, Progress] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, sign: Progress) -> None:
        """Prints one sign of life, if it is news."""
        last = self._last.get(sign.program)
        if sign.phase is Phase.FOUND:
            return
        if last is not None and last.phase is sign.phase and sign.seconds - last.seconds < _PLAIN_EVERY:
            return
        self._last[sign.program] = sign
        self._console.print(f"{sign.program}: {_sentence(sign)} ({sign.seconds:.0f} s)", markup=False)


def size(count: int) -> str:
    """Bytes for people: ``116 MB``."""
    return f"{count / 1024**2:.0f} MB" if count else ""


def _sentence(sign: Progress) -> str:
    if sign.phase is Phase.FETCHING and sign.total:
        return f"{sign.phase} {size(sign.current)} of {size(sign.total)} {sign.message}"
    if sign.current:
        what = "modules" if sign.phase is Phase.FETCHING else "packages"
        return f"{sign.phase} ({sign.current} {what}) {sign.message}"
    return f"{sign.phase} {sign.message}".rstrip()


def _table(console: Console, found: list[Found]) -> None:
    """Two lines per program: a path in a column would be folded beyond recognition on 80 columns."""
    rows = [("PROGRAM", "VERSION", "ORIGIN", "LICENCE", "SIZE", "PIN"), *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(line, style="" if number else "bold", markup=False, soft_wrap=True)
        if number:
            one = found[number - 1]
            for remark, style in (
                (one.path if one.accepted else "", "dim"),
                (one.reason, "yellow"),
                (one.hint, "yellow"),
            ):
                if remark:
                    console.print(f"  {remark}", style=style, markup=False, soft_wrap=True)


def _row(one: Found) -> tuple[str, ...]:
    origin = one.origin.value if one.origin and one.accepted else "missing"
    return one.name, one.version or "-", origin, one.licence, size(one.size) or "-", one.pin or "-"
