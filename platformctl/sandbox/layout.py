"""Where the sandbox of a root keeps its files. Paths only, but for making the folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folder ``<root>/.platform/sandbox`` (0700: it holds keys), resolved, so that it has one spelling."""

    directory: Path

    @classmethod
    def of(cls, root: Path) -> Layout:
        """The layout of a root; nothing needs to exist yet."""
        return cls(root.resolve() / ".platform" / "sandbox")

    @property
    def state(self) -> Path:
        """Ports, and each part as it was started."""
        return self.directory / "state.json"

    @property
    def lock(self) -> Path:
        """Held by whoever changes the sandbox."""
        return self.directory / "lock"

    @property
    def connection(self) -> Path:
        """What other programs need to reach the sandbox; exists while it is up."""
        return self.directory / "connection.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """Keys and certificates."""
        return self.directory / "pki"

    @property
    def settings(self) -> Path:
        """Files written for the parts to read."""
        return self.directory / "settings"

    def kept(self, part: str) -> Path:
        """What a part keeps on disk."""
        return self.directory / "kept" / part

    def log(self, part: str) -> Path:
        """What a part has printed since its last start."""
        return self.directory / "logs" / f"{part}.log"

    def earlier_log(self, part: str) -> Path:
        """What the part before that printed: why it died."""
        return self.directory / "logs" / f"{part}.earlier.log"

    def make(self) -> None:
        """Makes the folders."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        for folder in (self.certificates, self.settings, self.directory / "logs", self.directory / "kept"):
            folder.mkdir(mode=0o700, exist_ok=True)
