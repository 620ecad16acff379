"""What every command shares: ``--output``, an example in its help, lazily loaded groups, and how a result is shown."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from platformctl.core.errors import CommandFailed, CommandTimedOut, PlatformError, SpecError, describe

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA_VERSION = 1
WIDE = 200


class OutputMode(StrEnum):
    """The two forms of a result."""

    TEXT = "text"
    JSON = "json"


class Output:
    """Where a command's result goes: stdout; everything said while work goes on goes to ``progress``, stderr."""

    def __init__(self, mode: OutputMode) -> None:
        self.mode = mode

    @property
    def json(self) -> bool:
        """Whether stdout is for machines."""
        return self.mode is OutputMode.JSON

    @cached_property
    def progress(self) -> Console:
        """The console on stderr."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())

    def emit(self, document: Any, *, text: Callable[[Console], None]) -> None:
        """Prints the result, once: ``document`` as one JSON document, or ``text`` for people."""
        if self.json:
            sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
            return
        from rich.console import Console

        # Not a terminal: a table is for grep, and 80 columns would cut what it holds.
        width = None if sys.stdout.isatty() else WIDE
        text(Console(highlight=False, soft_wrap=width is not None, width=width))

    def error(self, error: PlatformError) -> None:
        """Shows an error: cause, every problem or the last lines of output, and the hint."""
        if self.json:
            sys.stdout.write(json.dumps({"error": describe(error)}, indent=2, ensure_ascii=False) + "\n")
            return
        lines = [f"error: {error.message}"]
        if isinstance(error, SpecError):
            lines = [f"error: {problem}" for problem in error.problems]
        elif isinstance(error, CommandFailed | CommandTimedOut):
            lines += [f"  | {line}" for line in error.tail]
        if error.hint:
            lines.append(f"hint: {error.hint}")
        for line in lines:
            style = "red" if line.startswith("error") else "yellow" if line.startswith("hint") else None
            self.progress.print(line, style=style, markup=False)


class PlatformCommand(click.Command):
    """A command with ``--output`` and an example; its callback gets an ``Output`` as first argument."""

    def __init__(self, name: str | None, *, example: str, **kwargs: Any) -> None:
        kwargs["params"] = [
            *(kwargs.get("params") or ()),
            click.Option(
                ["--output", "output_mode"],
                type=click.Choice([mode.value for mode in OutputMode]),
                default=OutputMode.TEXT.value,
                help="json prints one JSON document on stdout and nothing else there.",
            ),
        ]
        self.example = example
        kwargs["epilog"] = "\b\nExample:\n  " + example.replace("\n", "\n  ")
        super().__init__(name, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Calls the callback with the ``Output`` first."""
        output = Output(OutputMode(ctx.params.pop("output_mode")))
        ctx.find_root().meta["platformctl.output"] = output
        if self.callback is None:
            return None
        return ctx.invoke(self.callback, output, **ctx.params)


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported when they are called.

    ``lazy`` maps a command's name to ``module:attribute`` and its one-line help, so that ``--help`` imports nothing.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Both kinds of commands, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module at its first use."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self.lazy:
                rows.append((name, self.lazy[name][1]))
            else:
                command = super().get_command(ctx, name)
                if command is not None and not command.hidden:
                    rows.append((name, command.get_short_help_str(limit=100)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Adds "did you mean" to click's message for an unknown command."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise
