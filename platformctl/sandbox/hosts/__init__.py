"""The sandbox's hosts: real Linux and SSH, throw-away file systems, a network that leads nowhere else.

One part, the hub, holds them all: its namespaces are anonymous, so when its process ends, hosts, mounts, links and
files are gone with it. Here is what the starter and ``connect`` need to know; ``hub`` and ``host`` are programs of
their own. Not a security border: a host is root on this kernel.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from platformctl.core.errors import PreconditionError
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import LogLine, Part
from platformctl.sandbox.state import write_private

NAME = "hosts"
NAMES = ("host-1", "host-2")
READY = "every host listens"
NETWORK = "10.201.0"
HUB = f"{NETWORK}.1"
"""The same in every sandbox: each hub's network is its own."""

_PROGRAMS = {"sshd": "openssh-server", "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def addresses() -> dict[str, str]:
    """Each host's address in the hub's network."""
    return {name: f"{NETWORK}.{10 + number}" for number, name in enumerate(NAMES, 1)}


def why_not() -> str:
    """Why this machine cannot have hosts; empty when it can."""
    if sys.platform != "linux":
        return "they need Linux"
    if os.geteuid() != 0:
        return "they need root (network namespaces, mounts)"
    missing = {package for program, package in _PROGRAMS.items() if find(program) is None}
    if missing:
        return f"they need programs that are not installed: apt-get install {' '.join(sorted(missing))}"
    if "overlay" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "this kernel has no overlay file system"
    return ""


def find(program: str) -> str | None:
    """A system program, also where an ordinary user's PATH does not look."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")


def write_settings(layout: Layout) -> None:
    """Makes the keys, once, and writes what the hub and ``ssh`` read."""
    from platformctl.sandbox.hosts import keys

    folder = layout.directory / NAME
    keys.ensure(folder)
    host_key = (folder / "host_key.pub").read_text(encoding="ascii").strip()
    known = "".join(f"{name} {host_key}\n" for name in NAMES)
    write_private(folder / "known_hosts", known)
    settings = {
        "hub": f"{HUB}/24",
        "hosts": {name: f"{address}/24" for name, address in addresses().items()},
        "programs": {name: find(name) for name in _PROGRAMS},
        "host_key": str(folder / "host_key"),
        "authorized_key": (folder / "id_ed25519.pub").read_text(encoding="ascii").strip(),
    }
    write_private(layout.settings / "hosts.json", json.dumps(settings, indent=1))


def part(layout: Layout) -> Part:
    """The hub with all its hosts."""
    settings = layout.settings / "hosts.json"
    unshare = find("unshare") or "unshare"
    return Part(
        name=NAME,
        argv=(
            unshare, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
            sys.executable, "-m", "platformctl.sandbox.hosts.hub", str(settings),
        ),
        readiness=LogLine(READY),
        endpoint=f"ssh {NAMES[0]}",
        grace=5.0,
        settings=(settings,),
    )  # fmt: skip


def hub_pid(pid: int) -> int:
    """The hub's own process, the one child of the ``unshare`` that the starter knows.

    Raises PreconditionError when it is gone.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        children = []
    if not children:
        raise PreconditionError("the sandbox's hosts are not up", hint="platformctl sandbox up")
    return int(children[0])


def address(name: str) -> str:
    """A host's address. Raises PreconditionError for a name there is none of."""
    known: Mapping[str, str] = addresses()
    if name not in known:
        raise PreconditionError(f"the sandbox has no host {name!r}", hint=f"there are: {', '.join(known)}")
    return known[name]
