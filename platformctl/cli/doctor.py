"""``platformctl doctor``: what this machine has, what it lacks, and what to do about it."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import Output, PlatformCommand
from platformctl.cli.tools import describe
from platformctl.cli.wiring import toolchain
from platformctl.core.errors import PreconditionError

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.toolchain import Found, Toolchain
    from platformctl.toolchain.machine import Check

_OK, _TO_MAKE, _MISSING = "ok", "to make", "missing"


@click.command("doctor", cls=PlatformCommand, example="platformctl doctor")
def command(output: Output) -> int:
    """Check this machine: each program and its version, memory, disk, what the sandbox's hosts need.

    The exit code is 4 when something required is missing, 0 otherwise.
    """
    from platformctl.toolchain import machine

    with toolchain() as tools:
        found = tools.status()
        states = _states(tools, found)
        programs = [{**describe(tools, one), "state": states[one.name]} for one in found]
        checks = [*machine.inspect(tools.folder, tools.root), _libraries()]
    healthy = _MISSING not in states.values()
    document = {"ok": healthy, "programs": programs, "machine": [asdict(check) for check in checks]}
    output.emit(document, text=lambda console: _show(console, programs, checks))
    return 0 if healthy else PreconditionError.exit_code


def _states(tools: Toolchain, found: list[Found]) -> dict[str, str]:
    """Per program: there, to be made when a command needs it, or missing and nothing of ours can help."""
    from platformctl.toolchain.program import Kind

    states = {one.name: _OK for one in found if one.accepted}
    can_make = "go" in states or importlib.util.find_spec("pip") is not None
    absent = [one.name for one in found if not one.accepted]
    built = [name for name in absent if tools.program(name).kind is Kind.MODULE]
    for name in absent:
        kind = tools.program(name).kind
        # Go itself is missed only by a build that is still to come.
        hopeless = kind is Kind.PREREQUISITE or (not can_make and (kind is Kind.MODULE or bool(built)))
        states[name] = _MISSING if hopeless else _TO_MAKE
    return states


def _libraries() -> Check:
    """Whether the sandbox's extra is installed; the core goes without."""
    from platformctl.sandbox.lifecycle import check_libraries
    from platformctl.toolchain.machine import Check

    try:
        check_libraries()
    except PreconditionError as error:
        return Check("libraries", fine=False, detail=error.message, hint=error.hint)
    return Check("libraries", fine=True, detail="the sandbox's are installed")


def _show(console: Console, programs: list[dict[str, Any]], checks: list[Check]) -> None:
    marks = {_OK: ("✓", "green"), _TO_MAKE: ("·", "yellow"), _MISSING: ("✗", "red")}
    lines = [(marks[one["state"]], one["name"], _program_line(one)) for one in programs]
    for check in checks:
        text = check.detail + (f"; {check.hint}" if check.hint else "")
        lines.append((marks[_OK if check.fine else _TO_MAKE], check.name, text))
    width = max(len(name) for _, name, _ in lines)
    for (mark, style), name, text in lines:
        console.print(mark, style=style, end=" ")
        console.print(f"{name.ljust(width)}  {text}", markup=False, soft_wrap=True)


def _program_line(one: dict[str, Any]) -> str:
    if one["accepted"]:
        remark = f"; {one['reason']}" if one["reason"] else ""
        return f"{one['version']} ({one['origin']}) at {one['path']}{remark}"
    return f"{one['reason']}; accepted is {one['accepts']}; {one['hint']}"
