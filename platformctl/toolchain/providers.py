"""Where this machine keeps Terraform providers, so that a plan needs no network: directories in the layout of a mirror.

Only looks; the Terraform adapter writes what Terraform shall use. A plugin cache (TF_PLUGIN_CACHE_DIR) is no mirror: it
holds whatever was needed last, and a version that it lacks would be missing for good.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_HOSTS = ("registry.terraform.io", "registry.opentofu.org")


def find_mirrors(
    root: Path | None = None, *, environ: Mapping[str, str] | None = None, system: Path = Path("/")
) -> tuple[Path, ...]:
    """The directories that hold providers by registry host (``<mirror>/registry.terraform.io/hashicorp/aws/...``).

    First Terraform's implied local mirrors (developer.hashicorp.com: CLI configuration, "Implied Local Mirror
    Directories"): ``terraform.d/plugins`` of the root, the user's folders, the system's data folders; then ``/opt`` and
    two levels below it. ``system`` stands for ``/`` in tests. What cannot be read is left out.
    """
    known = os.environ if environ is None else environ
    candidates = [*_implied(root, known, system), *_below(system / "opt")]
    return tuple(dict.fromkeys(path for path in candidates if _is_mirror(path)))


def _implied(root: Path | None, environ: Mapping[str, str], system: Path) -> Iterator[Path]:
    if root is not None:
        yield root / "terraform.d/plugins"
    home = Path(environ["HOME"]) if environ.get("HOME") else None
    if home is not None:
        yield home / ".terraform.d/plugins"
    if sys.platform == "darwin":
        if home is not None:
            yield home / "Library/Application Support/io.terraform/plugins"
        yield system / "Library/Application Support/io.terraform/plugins"
        return
    if environ.get("XDG_DATA_HOME"):
        yield Path(environ["XDG_DATA_HOME"]) / "terraform/plugins"
    elif home is not None:
        yield home / ".local/share/terraform/plugins"
    for entry in environ.get("XDG_DATA_DIRS", "").split(":"):
        if entry:
            yield Path(entry) / "terraform/plugins"
    yield system / "usr/local/share/terraform/plugins"
    yield system / "usr/share/terraform/plugins"


def _below(prefix: Path) -> Iterator[Path]:
    """The prefix, its folders and theirs: ``/opt/tf-plugins``, ``/opt/terraform/providers``."""
    yield prefix
    for pattern in ("*", "*/*"):
        yield from sorted(path.parent for host in _HOSTS for path in prefix.glob(f"{pattern}/{host}"))


def _is_mirror(path: Path) -> bool:
    try:
        return any((path / host).is_dir() for host in _HOSTS)
    except OSError:
        return False
