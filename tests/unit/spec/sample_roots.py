"""Roots that tests of environment files read from: small ones, and the one that the full example describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from platformctl.core.errors import SpecError
from platformctl.spec.loader import Loaded, load

REPOSITORY = Path(__file__).parents[3]
FULL = REPOSITORY / "examples" / "environments" / "full.yaml"
HEAD = "apiVersion: platform/v1\nkind: Environment\nname: dev\ncloud: {provider: none}\n"
AWS = HEAD.replace("{provider: none}", '{region: ap-northeast-2, account: "123456789012"}')


def declare(folder: Path, *, variables: Iterable[str] = (), outputs: Iterable[str] = ()) -> None:
    """Writes a root module that declares so much."""
    folder.mkdir(parents=True)
    (folder / "variables.tf").write_text("".join(f'variable "{name}" {{}}\n' for name in variables))
    (folder / "outputs.tf").write_text("".join(f'output "{name}" {{\n  value = 1\n}}\n' for name in outputs))


def sample_root(folder: Path) -> Path:
    """A root with the stack ``sample``: variables x and y, outputs vpc_id and names."""
    (folder / "platform.yaml").write_text("schemaVersion: 1\n")
    declare(folder / "terraform/stacks/sample", variables=("x", "y"), outputs=("vpc_id", "names"))
    return folder


def full_root(folder: Path) -> Path:
    """What the full example finds around it in a real repository."""
    (folder / "platform.yaml").write_text("schemaVersion: 1\n")
    inputs = ("name", "kubernetes_version", "vpc_id", "subnet_ids")
    declare(folder / "terraform/stacks/eks-cluster", variables=inputs, outputs=("name",))
    for name in ("ansible/inventories/full", "services/orders", "services/storefront", "helm/addons", "keys"):
        (folder / name).mkdir(parents=True)
    (folder / "keys/cosign.pub").write_text("-----BEGIN PUBLIC KEY-----\n")
    (folder / "helm/addons/metrics-server.yaml").write_text("needs: []\n")
    (folder / "helm/addons/external-dns.yaml").write_text("needs: [metrics-server, not-here]\n")
    return folder


def write(root: Path, text: str) -> Path:
    """The environment file dev.yaml of a root."""
    path = root / "dev.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(root: Path, text: str, overrides: Mapping[str, str] | None = None) -> Loaded:
    """The environment of a text; nothing outside the root is looked at."""
    return load(write(root, text), root, content=(), overrides=overrides)


def faults(root: Path, text: str) -> list[str]:
    """The problems of an environment file named dev.yaml, without the file's name."""
    with pytest.raises(SpecError) as raised:
        read(root, text)
    return [str(problem).removeprefix("dev.yaml:").strip() for problem in raised.value.problems]
