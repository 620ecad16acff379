"""The hub, first process of its namespaces: makes the network, starts each host, ends when one of them does.

A program of its own: ``unshare ... python -m platformctl.sandbox.hosts.hub SETTINGS``. It has no default route, so
packets to a host that is gone cannot leave by the machine's uplink.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command, CommandRunner, Stream
from platformctl.core.errors import PlatformError, ToolError
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.sandbox.hosts import READY

LOG = logging.getLogger("hosts")
_BRIDGE = "hosts"
_PATIENCE = 20.0
_LISTENING = "Server listening on"
_INIT = Path(__file__).with_name("host.py")


def main(settings_file: str) -> int:
    """Runs until a host ends or the hub is told to; returns the exit code."""
    # The first process of a namespace hears only signals that it asked for; its end is the end of everything in it.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = json.loads(Path(settings_file).read_text(encoding="utf-8"))
    processes = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    try:
        hub = Hub(settings, settings_file, processes)
        hub.make_network()
        for name in settings["hosts"]:
            hub.start(name)
        hub.wait_until_ready()
        LOG.info(READY)
        ended, why = hub.ended.get()
        LOG.error("%s has ended: %s", ended, why)
    except PlatformError as error:
        LOG.error("%s", error.message)  # noqa: TRY400 - the message says it all
    return 1


class Hub:
    """The network and the hosts in it. ``ended`` gets the name of each host that ends, and why."""

    def __init__(self, settings: Mapping[str, Any], settings_file: str, processes: ProcessHost) -> None:
        self.settings = settings
        self.ended: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._settings_file = settings_file
        self._processes = processes
        self._programs: Mapping[str, str] = settings["programs"]
        self._runner = self._bound(None, None)
        self._ready = {name: threading.Semaphore(0) for name in settings["hosts"]}

    def make_network(self) -> None:
        """One bridge with the hub's own address."""
        self._ip(
            "link set lo up",
            f"link add {_BRIDGE} type bridge",
            f"addr add {self.settings['hub']} dev {_BRIDGE}",
            f"link set {_BRIDGE} up",
        )

    def start(self, name: str) -> None:
        """Starts a host; it is ready when it has its link and its sshd listens."""

        def line(_stream: Stream, text: str) -> None:
            LOG.info("%s: %s", name, text)
            if _LISTENING in text:
                self._ready[name].release()

        def run() -> None:
            runner = self._bound(line, lambda child: self._connect(name, child))
            argv = (
                self._programs["unshare"], "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
                "--propagation", "private", sys.executable, "-I", "-S", str(_INIT), self._settings_file, name,
            )  # fmt: skip
            try:
                runner.run(Command(argv, timeout=None))
                self.ended.put((name, "its first process ended"))
            except PlatformError as error:
                self.ended.put((name, error.message))

        threading.Thread(target=run, name=name, daemon=True).start()

    def wait_until_ready(self) -> None:
        """Raises ToolError when a host does not come up."""
        for name, ready in self._ready.items():
            # Twice: its link is there, its sshd listens.
            if not (ready.acquire(timeout=_PATIENCE) and ready.acquire(timeout=_PATIENCE)):
                raise ToolError(f"{name} is not ready after {_PATIENCE:g} s")

    def _connect(self, name: str, child: Child) -> None:
        """Gives the host its network card: one end here at the bridge, the other in its namespace."""
        pid = _only_child(child.pid)
        address, link = self.settings["hosts"][name], f"v-{name}"
        self._ip(
            f"link add {link} type veth peer name eth0 netns {pid}",
            f"link set {link} master {_BRIDGE}",
            f"link set {link} up",
        )
        inside = (self._programs["nsenter"], "--target", str(pid), "--net", "--")
        self._ip("link set lo up", f"addr add {address} dev eth0", "link set eth0 up", inside=inside)
        self._ready[name].release()

    def _ip(self, *lines: str, inside: tuple[str, ...] = ()) -> None:
        argv = (*inside, self._programs["ip"], "-batch", "-")
        self._runner.run(Command(argv, stdin="".join(f"{line}\n" for line in lines), timeout=_PATIENCE))

    def _bound(
        self, on_line: Callable[[Stream, str], None] | None, on_child: Callable[[Child], None] | None
    ) -> CommandRunner:
        return self._processes.bind(cancel=Cancel(), on_line=on_line, on_child=on_child)


def _only_child(pid: int) -> int:
    """The process that ``unshare`` forked into the new namespaces. Raises ToolError when there is none in time."""
    clock = SystemClock()
    limit = clock.monotonic() + _PATIENCE
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while clock.monotonic() < limit:
        try:
            found = children.read_text(encoding="ascii").split()
        except OSError:
            break
        if found:
            return int(found[0])
        clock.wait(0.005)
    raise ToolError(f"unshare (pid {pid}) started nothing")


if __name__ == "__main__":
    # os._exit: threads that wait for hosts must not keep the namespaces alive.
    os._exit(main(sys.argv[1]))
