"""The working copy that Terraform runs in: links to a stack's files, its modules beside it, and the generated files.

``<directory>/stacks/<source>`` is the working directory and ``<directory>/modules`` the modules, so that a stack's
``../../modules/x`` means the same here as where it lives. Two environments never share a directory, and the stack's own
folder stays clean. Nothing is copied: a changed file is seen at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from platformctl.core.errors import PreconditionError
from platformctl.tools.terraform.configuration import Block, read_configuration, unquoted
from platformctl.tools.terraform.generated import BACKEND, NAMES, NEW_PROVIDER

LOCK_FILE = ".terraform.lock.hcl"
ERRORED_STATE = "errored.tfstate"
"""Where Terraform leaves a state that it could not store."""

_NOT_LINKED = (".terraform", "terraform.tfstate", "crash.log", ".platform")
_DATA = "data-"
_STAMP = "platformctl-initialised"


@dataclass(frozen=True)
class WorkingCopy:
    """One stack's directory for one environment. ``source`` is the stack's own folder, ``directory`` ours."""

    source: Path
    directory: Path

    @property
    def working_directory(self) -> Path:
        """Where Terraform runs."""
        return self.directory / "stacks" / self.source.name

    @property
    def guard(self) -> Path:
        """The file whose lock says that someone works in here."""
        return self.directory / "in-use"

    @property
    def holder(self) -> Path:
        """Names who that is; counts only while the guard is locked."""
        return self.directory / "in-use-by"

    @property
    def errored_state(self) -> Path:
        """What a Terraform that could not store its state has left."""
        return self.working_directory / ERRORED_STATE

    def outline(self) -> Block:
        """The stack's blocks. Raises PreconditionError when the folder is no stack."""
        if not self.source.is_dir():
            raise PreconditionError(f"there is no stack {self.source}", hint="correct `source` in the environment file")
        return read_configuration(self.source)

    def write(self, generated: Mapping[str, str]) -> None:
        """Makes the directory what it should be; touches nothing that is so already."""
        place = self.working_directory
        place.mkdir(parents=True, exist_ok=True)
        wanted = {item.name: item for item in self.source.iterdir() if _linked(item.name)}
        for stale in place.iterdir():
            theirs, ours = stale.is_symlink(), stale.name in NAMES
            if (theirs and stale.name not in wanted) or (ours and stale.name not in generated):
                stale.unlink()
        for name, target in wanted.items():
            _link(place / name, target)
        modules = self.source.parent.parent / "modules"
        if modules.is_dir():
            _link(self.directory / "modules", modules)
        for name, content in generated.items():
            _write(place / name, content)

    def data_directory(self, digest: str) -> Path:
        """TF_DATA_DIR for these inputs of ``init``: another backend or role never meets the older one's settings."""
        return self.directory / f"{_DATA}{digest[:16]}"

    def initialised(self, digest: str) -> bool:
        """Whether ``init`` has ended well with these inputs."""
        return (self.data_directory(digest) / _STAMP).is_file()

    def mark_initialised(self, digest: str) -> None:
        """Remembers that ``init`` has ended well; forgets all but the latest few."""
        stamp = self.data_directory(digest) / _STAMP
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text("", encoding="utf-8")
        older = sorted(self.directory.glob(f"{_DATA}*/{_STAMP}"), key=lambda path: path.stat().st_mtime_ns)
        for path in older[:-4]:
            path.unlink(missing_ok=True)


def init_digest(copy: WorkingCopy, generated: Mapping[str, str], tool: Iterable[str]) -> str:
    """The digest of what ``init`` depends on: backend, lock file, every file of the stack and of its local modules.

    ``tool`` adds what else matters: the program's path and its size and time, the CLI configuration's content.
    """
    summing = hashlib.sha256()
    for part in (*tool, generated.get(BACKEND, ""), generated.get(NEW_PROVIDER, "")):
        summing.update(part.encode() + b"\0")
    for folder in _local_modules(copy.source, seen={}):
        for path in sorted((*folder.glob("*.tf"), *folder.glob("*.tf.json"), *folder.glob(LOCK_FILE))):
            summing.update(f"{path}".encode() + b"\0" + path.read_bytes() + b"\0")
    return summing.hexdigest()


def provider_versions(source: Path) -> dict[str, str]:
    """What the committed lock file selects: source address -> version."""
    path = source / LOCK_FILE
    if not path.is_file():
        return {}
    from platformctl.tools.terraform.configuration import read_text

    blocks = read_text(path.read_text(encoding="utf-8")).each("provider")
    return {block.labels[0]: unquoted(block.attributes.get("version", "")) for block in blocks if block.labels}


def _local_modules(folder: Path, seen: dict[Path, None]) -> Iterable[Path]:
    """The folder and every module on disk that it calls, also through others."""
    folder = folder.resolve()
    if folder in seen or not folder.is_dir():
        return seen
    seen[folder] = None
    for module in read_configuration(folder).each("module"):
        source = unquoted(module.attributes.get("source", ""))
        if source.startswith(("./", "../")):
            _local_modules(folder / source, seen)
    return seen


def _linked(name: str) -> bool:
    """Inputs come from the environment file alone, so the stack's own values files stay out."""
    if name == LOCK_FILE:
        return True
    return not name.startswith(_NOT_LINKED) and not name.endswith((".tfvars", ".tfvars.json"))


def _link(path: Path, target: Path) -> None:
    target = target.resolve()
    if path.is_symlink():
        if Path(os.readlink(path)) == target:  # noqa: PTH115 - Path.readlink would be the same, a call longer
            return
        path.unlink()
    elif path.exists():
        raise PreconditionError(f"{path} is in the way", hint="remove it: platformctl makes this directory")
    path.symlink_to(target)


def _write(path: Path, content: str) -> None:
    try:
        if path.read_text(encoding="utf-8") == content:
            return
    except (OSError, UnicodeDecodeError):
        pass
    partial = path.with_name(f".{path.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)
