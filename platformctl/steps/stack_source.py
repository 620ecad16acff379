"""Where a stack's files come from, a folder of ours or a git address, and where providers come from."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from pathlib import Path

from platformctl.core.errors import TransientError
from platformctl.engine.disk import write_whole
from platformctl.engine.step import StepContext
from platformctl.steps.stack_site import Site
from platformctl.tools.terraform.adapter import Terraform
from platformctl.tools.terraform.cli_config import cli_config, user_config
from platformctl.tools.terraform.commands import Place

_FETCHING = 900.0


def find_source(context: StepContext, site: Site) -> Path:
    """The folder of the stack's files. A git address is fetched once: it names a ref, which does not move.

    Raises PreconditionError when there is no such folder or address.
    """
    source = site.stack.source
    if not source.startswith("git::"):
        return context.content(f"terraform/stacks/{source}")
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    folder = context.root / ".platform" / "terraform" / "sources" / digest
    return _fetched(context, site, folder)


def _fetched(context: StepContext, site: Site, folder: Path) -> Path:
    from filelock import FileLock, Timeout

    ready = folder / "stacks" / "fetched"
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{folder}.lock", timeout=_FETCHING):
            if ready.is_dir():
                return ready
            draft = folder / "draft"
            shutil.rmtree(folder, ignore_errors=True)
            draft.mkdir(parents=True)
            context.progress(f"fetching {site.stack.source}")
            place = Place(context.program("terraform"), draft, folder / "fetching", cli_config_file(site))
            Terraform(context.runner, place, site.name, context.root).fetch(site.stack.source)
            ready.parent.mkdir()
            draft.rename(ready)
    except Timeout as error:
        raise TransientError("another platformctl has been fetching the same stack for 15 minutes") from error
    return ready


def cli_config_file(site: Site) -> Path:
    """Terraform's CLI configuration for this root, with the environment's own mirror first."""
    mirror = site.environment.mirror.providers if site.environment.mirror else None
    return _cli_config_file(site.root, Path(mirror) if mirror else None)


def plugin_cache() -> Path:
    """Where Terraform keeps what it downloaded, for all roots of this user."""
    import platformdirs

    folder = platformdirs.user_cache_path("platformctl") / "terraform" / "plugins"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.lru_cache(maxsize=8)
def _cli_config_file(root: Path, mirror: Path | None) -> Path:
    from platformctl.toolchain.providers import find_mirrors

    declared = (root / mirror,) if mirror else ()
    return write_cli_config(root, (*declared, *find_mirrors(root)), plugin_cache())


def write_cli_config(root: Path, mirrors: tuple[Path, ...], cache: Path) -> Path:
    """Writes it, when it changed; returns its path."""
    content = cli_config(mirrors, cache, user_config(os.environ, Path.home()))
    path = root / ".platform" / "terraform" / "cli.tfrc"
    try:
        if path.read_text(encoding="utf-8") == content:
            return path
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.encode())  # stacks are prepared side by side
    return path
