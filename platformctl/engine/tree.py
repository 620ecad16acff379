"""The digest of the working tree: the content of the files a run is made of, committed or not.

Covered are the root's ``platform.yaml``, the folders below and the environment file, plus our own version, because what
the root lacks comes from our wheel. Not covered: what tools leave behind, and files outside (images, charts and modules
that are fetched bring their own digests in the proposals).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from platformctl import __version__
from platformctl.core.canonical import digest
from platformctl.core.errors import PreconditionError
from platformctl.engine.disk import disk_errors

FOLDERS = ("pipelines", "terraform", "ansible", "helm", "manifests")
_LEFT_BEHIND = frozenset({".git", ".terraform", ".platform", "__pycache__", ".pytest_cache", ".venv", "node_modules"})
_LEFT_ENDINGS = (".pyc", ".retry", ".tfstate", ".tfstate.backup", ".tfplan", ".swp", "~")
MAX_FILES = 20_000
MAX_BYTES = 256 * 1024 * 1024
_BLOCK = 1024 * 1024


def working_tree(root: Path, environment_file: Path) -> str:
    """``sha256:...`` over name, executable bit and content of every file.

    Raises PreconditionError when there are more than MAX_FILES or MAX_BYTES of them: something is in the wrong place.
    """
    files: dict[str, str] = {}
    size = 0
    for path in _files(root, environment_file):
        with disk_errors(path):
            content, length = _content(path)
        size += length
        name = os.path.relpath(path, root)
        files[name] = content
        if len(files) > MAX_FILES or size > MAX_BYTES:
            raise PreconditionError(
                f"{root} holds more than {MAX_FILES} files or {MAX_BYTES // _BLOCK} MiB in {', '.join(FOLDERS)}",
                hint=f"keep what tools download elsewhere; the last file read was {name}",
            )
    return digest({"platformctl": __version__, "files": files})


def _files(root: Path, environment_file: Path) -> Iterator[Path]:
    for single in (root / "platform.yaml", environment_file):
        if single.exists():
            yield single
    for folder in FOLDERS:
        for where, folders, names in os.walk(root / folder):
            folders[:] = sorted(set(folders) - _LEFT_BEHIND)
            links = [name for name in folders if (Path(where) / name).is_symlink()]
            for name in sorted([*names, *links]):
                if not name.endswith(_LEFT_ENDINGS):
                    yield Path(where) / name


def _content(path: Path) -> tuple[str, int]:
    """What stands for the file in the digest, and its size. A link counts as where it points."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link {path.readlink()}", 0
    if not stat.S_ISREG(status.st_mode):
        return "special", 0
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hashed.update(block)
    executable = "x" if status.st_mode & stat.S_IXUSR else "-"
    return f"{executable} {hashed.hexdigest()}", status.st_size
