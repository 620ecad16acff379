"""``platformctl sandbox``: the embedded cloud of this root, up and down, looked at, connected to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platformctl.cli.command import Output, PlatformCommand
from platformctl.core.cancel import Cancel
from platformctl.core.errors import PreconditionError, UsageError
from platformctl.process.signals import stopping

if TYPE_CHECKING:
    from rich.console import Console

    from platformctl.sandbox.layout import Layout
    from platformctl.sandbox.lifecycle import PartStatus, Sandbox, Started

_FOLLOW_EVERY = 0.2


@click.group("sandbox")
def command() -> None:
    """The embedded cloud: real parts on loopback, no containers."""


@command.command("up", cls=PlatformCommand, example="platformctl sandbox up")
@click.option(
    "--kubeconfig",
    metavar="PATH",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use the cluster of this kubeconfig instead of an own control plane, until `down`.",
)
def up(output: Output, kubeconfig: Path | None) -> None:
    """Start what is missing, repair what died; with everything up it changes nothing.

    Programs that are missing on this machine are built first, as `platformctl tools sync` does.
    """
    from platformctl.cli import tools
    from platformctl.cli.sandbox_progress import progress
    from platformctl.cli.wiring import toolchain

    layout = _layout()
    with toolchain() as programs:
        missing = [name for name in _sandbox(layout).programs(kubeconfig) if not programs.look(name).accepted]
        if missing:
            with tools.progress(output) as show:
                programs.sync(missing, show)
    cancel = Cancel()
    with stopping(cancel), _telling_last_lines(output), progress(output.progress) as display:
        sandbox = _sandbox(layout, program=programs.find, watch=display.watch, say=display.say, cancel=cancel)
        started = sandbox.up(kubeconfig)
    statuses = sandbox.status()
    document = {
        "changed": started.changed,
        "started": dict(started.started),
        "stopped": list(started.stopped),
        "remarks": list(started.remarks),
        "seconds": round(started.seconds, 2),
        "connection": str(layout.connection),
        "parts": [_describe(status) for status in statuses],
    }
    output.emit(document, text=lambda console: _show_up(console, started, statuses))


@command.command("down", cls=PlatformCommand, example="platformctl sandbox down")
def down(output: Output) -> None:
    """End every part, and prove that nothing is left; everything they held is gone, their logs stay."""
    from platformctl.cli.sandbox_progress import progress

    cancel = Cancel()
    with stopping(cancel), progress(output.progress) as display:
        ended = _sandbox(_layout(), watch=display.watch, say=display.say, cancel=cancel).down()
    text = "the sandbox is down: no process, mount or port is left" if ended else "the sandbox was not up"
    output.emit({"stopped": list(ended)}, text=lambda console: console.print(text))


@command.command("status", cls=PlatformCommand, example="platformctl sandbox status --output json")
def status(output: Output) -> int:
    """Show each part: pid, ports, health, memory, how long it has been up.

    The exit code is 0 when every part is healthy, 1 when one is not or the sandbox is down.
    """
    statuses = _sandbox(_layout()).status()
    healthy = bool(statuses) and all(part.healthy for part in statuses)
    document = {"healthy": healthy, "parts": [_describe(part) for part in statuses]}
    output.emit(document, text=lambda console: _show_status(console, statuses))
    return 0 if healthy else 1


@command.command("logs", cls=PlatformCommand, example="platformctl sandbox logs kube-apiserver --follow")
@click.argument("part")
@click.option("--follow", "-f", is_flag=True, help="Go on with what it prints until Ctrl-C, over restarts too.")
@click.option("--lines", "-n", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many lines.")
@click.option("--earlier", is_flag=True, help="The log of its start before the last: why it died.")
def logs(output: Output, part: str, *, follow: bool, lines: int, earlier: bool) -> None:
    """Print the end of a part's log."""
    from platformctl.sandbox import readiness

    if follow and (output.json or earlier):
        raise UsageError("--follow goes neither with --output json nor with --earlier: those end")
    path = _sandbox(_layout()).log(part, earlier=earlier)
    position = path.stat().st_size
    shown = readiness.tail(path, lines)
    document = {"part": part, "path": str(path), "lines": shown}
    output.emit(document, text=lambda console: _print_lines(console, shown))
    if follow:
        _follow(path, position)


@command.command("env", cls=PlatformCommand, example='eval "$(platformctl sandbox env)"')
def env(output: Output) -> None:
    """Print what a shell needs to reach the sandbox: export lines, or JSON."""
    connection = _connection(_layout())
    lines = [f"export {name}={shlex.quote(value)}" for name, value in connection["environment"].items()]
    output.emit(connection, text=lambda console: _print_lines(console, lines))


@contextmanager
def _telling_last_lines(output: Output) -> Iterator[None]:
    """Shows what a part printed last before the error about it is shown."""
    from platformctl.sandbox.starter import PartFailed

    try:
        yield
    except PartFailed as error:
        for line in error.tail:
            output.progress.print(f"  | {line}", markup=False)
        raise


def _show_up(console: Console, started: Started, statuses: list[PartStatus]) -> None:
    _show_status(console, statuses)
    for remark in started.remarks:
        console.print(f"note: {remark}", style="yellow", markup=False)
    did = f"up after {started.seconds:.1f} s" if started.changed else "everything was up already; nothing changed"
    console.print(did)


def _show_status(console: Console, statuses: list[PartStatus]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not statuses:
        console.print("the sandbox is down; platformctl sandbox up starts it", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("PART", "PID", "PORTS", "MEMORY", "UP"):
        table.add_column(heading, justify="right" if heading in {"PID", "MEMORY", "UP"} else "left", no_wrap=True)
    table.add_column("HEALTH", overflow="fold")
    for part in statuses:
        table.add_row(
            part.name,
            str(part.pid) if part.memory is not None else "-",
            " ".join(map(str, part.ports)),
            f"{part.memory / 1024**2:.0f} MiB" if part.memory is not None else "-",
            _age(part.seconds),
            Text(part.health, style="green" if part.healthy else "red"),
        )
    console.print(table)
    console.print(f"{sum(part.memory or 0 for part in statuses) / 1024**2:.0f} MiB in all")


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def _describe(part: PartStatus) -> dict[str, Any]:
    return {
        "name": part.name,
        "healthy": part.healthy,
        "health": part.health,
        "pid": part.pid,
        "ports": list(part.ports),
        "endpoint": part.endpoint,
        "memory_bytes": part.memory,
        "uptime_seconds": None if part.seconds is None else round(part.seconds, 1),
        "log": str(part.log),
    }


def _print_lines(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _follow(path: Path, position: int) -> None:
    """Prints what is appended; a part that is started anew has a new file under the same name."""
    from platformctl.core.clock import SystemClock

    clock = SystemClock()
    while True:
        with path.open("rb") as file:
            inode = path.stat().st_ino
            file.seek(position)
            while path.exists() and path.stat().st_ino == inode:
                text = file.read().decode(errors="replace")
                if text:
                    click.echo(text, nl=False)
                clock.wait(_FOLLOW_EVERY)
        while not path.exists():
            clock.wait(_FOLLOW_EVERY)
        position = 0


@command.command(
    "connect", cls=PlatformCommand, example="ssh -o ProxyCommand='platformctl sandbox connect %h' root@host-1"
)
@click.argument("host", metavar="HOST")
def connect(output: Output, host: str) -> None:
    """Be the connection to a host's SSH port: for ssh's ProxyCommand, and so for Ansible."""
    if output.json:
        raise UsageError("connect passes bytes through; it has no JSON form")
    from platformctl.sandbox import hosts
    from platformctl.sandbox.hosts.relay import relay

    address = hosts.address(host)
    relay(_sandbox(_layout()).hub(), address)


def _layout() -> Layout:
    from platformctl.cli.wiring import root
    from platformctl.sandbox.layout import Layout

    return Layout.of(root())


def _sandbox(layout: Layout, **seams: Any) -> Sandbox:
    import os

    from platformctl.core.clock import SystemClock
    from platformctl.sandbox.lifecycle import Sandbox
    from platformctl.sandbox.processes import SystemProcesses

    seams.setdefault("program", _no_program)
    return Sandbox(layout, processes=SystemProcesses(), clock=SystemClock(), environ=os.environ, **seams)


def _no_program(name: str) -> Path:
    raise PreconditionError(f"{name} is only looked for by `platformctl sandbox up`")


def _connection(layout: Layout) -> dict[str, Any]:
    import json

    try:
        document: dict[str, Any] = json.loads(layout.connection.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PreconditionError("the sandbox is down", hint="platformctl sandbox up") from error
    except (OSError, ValueError) as error:
        raise PreconditionError(
            f"{layout.connection} cannot be read: {error}", hint="platformctl sandbox up"
        ) from error
    return document
