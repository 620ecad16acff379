"""``platformctl completion SHELL``, and what a shell asks while somebody types: names of commands, environments, runs.

A shell asks at every press of the tab key, so nothing heavy is imported and no environment file is validated: names are
taken from file names, stacks from the lines that name them. A command need not do anything for it: what can be
completed is told by the name or metavar of its parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    _resolve_context,  # click offers no public way to know which parameter is being typed
    _resolve_incomplete,
)

from platformctl.cli.command import LazyGroup, Output, PlatformCommand

VARIABLE = "_PLATFORMCTL_COMPLETE"
"""Set by the shell's script: ``bash_complete`` and the like."""
_NEWEST_RUNS = 30


@click.command("completion", cls=PlatformCommand, example='eval "$(platformctl completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(output: Output, shell: str) -> None:
    """Print the script that makes SHELL complete platformctl's commands and names.

    Bash and zsh evaluate it in their start file. Fish reads it from a file of its own:
    `platformctl completion fish > ~/.config/fish/completions/platformctl.fish`.
    """
    completer = _completer(shell, click.Command("platformctl"))
    # Not completer.source(): click's starts a bash to look at its version, and only `process` starts processes.
    script = completer.source_template % completer.source_vars()
    output.emit({"shell": shell, "script": script}, text=lambda console: console.out(script, highlight=False, end=""))


def answer(root: click.Command, instruction: str) -> int:
    """Answers a shell's question, as ``instruction`` and the shell's variables put it; returns the exit code."""
    shell, _, asked = instruction.partition("_")
    if shell not in _SHELLS or asked != "complete":
        return 1
    click.echo(_completer(shell, root).complete())
    return 0


class _Names(ShellComplete):
    """Adds our names to what click completes by itself."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """The completions of the word ``incomplete`` after ``args``."""
        context = _resolve_context(self.cli, self.ctx_args, self.prog_name, args)
        wanted, incomplete = _resolve_incomplete(context, args, incomplete)
        if isinstance(wanted, click.Parameter):
            names = _names(wanted, context)
            if names is not None:
                return [CompletionItem(name) for name in names if name.startswith(incomplete)]
        elif isinstance(wanted, LazyGroup) and not incomplete.startswith("-"):
            return _commands(wanted, context, incomplete)
        return wanted.shell_complete(context, incomplete)


class _Bash(_Names, BashComplete):
    pass


class _Zsh(_Names, ZshComplete):
    pass


class _Fish(_Names, FishComplete):
    pass


_SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def _completer(shell: str, root: click.Command) -> ShellComplete:
    return _SHELLS[shell](root, {}, "platformctl", VARIABLE)


def _commands(group: LazyGroup, context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """The group's commands; click's way would import every one of them to ask whether it is hidden."""
    names = [name for name in group.list_commands(context) if name.startswith(incomplete)]
    return [CompletionItem(name, help=group.lazy[name][1] if name in group.lazy else None) for name in names]


def _names(parameter: click.Parameter, context: click.Context) -> Iterable[str] | None:
    """The names that may stand there, None when the parameter names nothing of ours."""
    said = [parameter.name or "", getattr(parameter, "metavar", None) or ""]
    group = context.parent.info_name if context.parent else ""
    for word in said:
        noun = word.strip("[].").lower()
        source = _SOURCES.get(f"{group} {noun}") or _SOURCES.get(noun)
        if source is not None:
            root = _root(context)
            return source(root, context) if root else ()
    return None


def _root(context: click.Context) -> Path | None:
    """The folder of ``platform.yaml``, at or above where the command would work."""
    start = (context.find_root().params.get("directory") or Path.cwd()).resolve()
    return next((folder for folder in (start, *start.parents) if (folder / "platform.yaml").is_file()), None)


def _environments(root: Path, _context: click.Context) -> Iterator[str]:
    yield from sorted(path.stem for path in (root / "pipelines" / "environments").glob("*.yaml"))


def _pipelines(root: Path, _context: click.Context) -> Iterator[str]:
    # Those of the wheel stand in the package's folder of content; see pyproject.toml.
    folders = (root / "pipelines", Path(__file__).parents[1] / "_content" / "pipelines")
    found = {path.parent.name.replace("_", "-") for folder in folders for path in folder.glob("*/pipeline.py")}
    yield from sorted(found)


def _runs(root: Path, _context: click.Context) -> Iterator[str]:
    """Newest first; ids sort by time."""
    names = sorted((path.parent.name for path in (root / ".platform" / "runs").glob("*/events.jsonl")), reverse=True)
    yield from islice(names, _NEWEST_RUNS)


def _kinds(_root: Path, _context: click.Context) -> Iterator[str]:
    from platformctl.steps import CATALOGUE

    yield from sorted(CATALOGUE)


def _stacks(root: Path, context: click.Context) -> Iterator[str]:
    """The keys right below ``stacks:``, read as lines."""
    name = context.params.get("env")
    path = root / "pipelines" / "environments" / f"{name}.yaml"
    if not name or not path.is_file():
        return
    inside, indent = False, ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key = re.match(r"([ ]*)([A-Za-z0-9_-]+):", line)
        if key is None:
            continue
        if not key[1]:
            inside, indent = key[2] == "stacks", ""
        elif inside:
            indent = indent or key[1]
            if key[1] == indent:
                yield key[2]


_SOURCES: dict[str, Callable[[Path, click.Context], Iterator[str]]] = {
    "env": _environments,
    "environment": _environments,
    "env name": _environments,
    "env other": _environments,
    "env first": _environments,
    "env second": _environments,
    "pipeline": _pipelines,
    "run": _runs,
    "run_id": _runs,
    "resume": _runs,
    "steps kind": _kinds,
    "stack": _stacks,
    "stacks": _stacks,
}
"""What a parameter of that name or metavar names; ``GROUP NAME`` where the name alone does not tell."""
