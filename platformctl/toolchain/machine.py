"""What this machine offers beside programs: Python, memory, disk, and what the sandbox's hosts need of Linux.

Only looks, and only at files: nothing is mounted, created or started to find out.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformctl.toolchain.providers import find_mirrors

_CAP_SYS_ADMIN = 21  # linux/capability.h; mounts and namespaces ask for it
_MEMORY = 2 * 1024**3  # the control plane takes 570 MB, a plan with the AWS provider 610 MB
_DISK = 6 * 1024**3  # a first build of everything leaves 5 GB in Go's caches and 210 MB in ours
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_HOST_PROGRAMS = ("sshd", "ssh", "ip", "unshare", "nsenter", "setpriv")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``fine`` False is a limitation that ``hint`` explains, never an error."""

    name: str
    fine: bool
    detail: str
    hint: str = ""


def inspect(
    cache: Path, root: Path | None, *, environ: Mapping[str, str] | None = None, system: Path = Path("/")
) -> list[Check]:
    """Every check, in the order they are shown. ``system`` stands for ``/`` in tests."""
    known = os.environ if environ is None else environ
    return [
        _python(),
        _memory(),
        _disk(cache),
        _mirror(root, known, system),
        *(_hosts(known, system) if sys.platform == "linux" else [_no_hosts()]),
    ]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    tried = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check("Python", tried, f"{version} at {sys.executable}", "" if tried else "tested with 3.11 to 3.13")


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available
    hint = "" if free >= _MEMORY else "the sandbox's control plane and one plan take about 1.2 GB"
    return Check("memory", free >= _MEMORY, f"{free / 1024**3:.1f} GB available", hint)


def _disk(cache: Path) -> Check:
    existing = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    hint = "" if free >= _DISK else "a first build of every program needs about 5 GB, most of it in Go's caches"
    return Check("disk", free >= _DISK, f"{free / 1024**3:.1f} GB free for {cache}", hint)


def _mirror(root: Path | None, environ: Mapping[str, str], system: Path) -> Check:
    mirrors = find_mirrors(root, environ=environ, system=system)
    if mirrors:
        return Check("providers", fine=True, detail=f"mirror at {', '.join(map(str, mirrors))}")
    return Check(
        "providers",
        fine=True,
        detail="no mirror on this machine: Terraform downloads its providers",
        hint="to work offline: terraform providers mirror ~/.terraform.d/plugins",
    )


def _hosts(environ: Mapping[str, str], system: Path) -> list[Check]:
    only_hosts = "the sandbox works without hosts; "
    capable = _capable(system)
    overlay = "\toverlay" in _text(system / "proc/filesystems") or "overlay" in _text(system / "proc/modules")
    spaces = all((system / "proc/self/ns" / kind).exists() for kind in ("net", "mnt", "pid", "uts", "ipc"))
    path = os.pathsep.join((environ.get("PATH", ""), *_SBIN))
    absent = [name for name in _HOST_PROGRAMS if shutil.which(name, path=path) is None]
    unified = (system / "sys/fs/cgroup/cgroup.controllers").exists()
    return [
        Check(
            "root",
            capable,
            "may mount and make namespaces" if capable else "may not mount: no CAP_SYS_ADMIN",
            "" if capable else only_hosts + "run `platformctl sandbox up` as root for them",
        ),
        Check(
            "namespaces",
            spaces,
            "net, mount, pid, uts, ipc" if spaces else "this kernel lacks some",
            "" if spaces else only_hosts + "they need net, mount, pid, uts and ipc namespaces",
        ),
        Check(
            "overlay",
            overlay,
            "known to the kernel" if overlay else "not known to the kernel yet",
            "" if overlay else only_hosts + "load the module (modprobe overlay) for them",
        ),
        Check(
            "host programs",
            not absent,
            "missing: " + ", ".join(absent) if absent else ", ".join(_HOST_PROGRAMS),
            only_hosts + "install openssh-server, iproute2 and util-linux for them" if absent else "",
        ),
        Check("cgroup", fine=True, detail="version 2" if unified else "version 1 or hybrid"),
    ]


def _no_hosts() -> Check:
    return Check("hosts", fine=False, detail=f"not on {sys.platform}", hint="the sandbox's hosts need Linux")


def _capable(system: Path) -> bool:
    for line in _text(system / "proc/self/status").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> _CAP_SYS_ADMIN & 1)
    return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
