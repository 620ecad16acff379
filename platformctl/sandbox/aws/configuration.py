"""What the process is told at its start: one JSON file, read once and checked whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.errors import PreconditionError


@dataclass(frozen=True)
class Kubernetes:
    """The real API server behind the simulated clusters.

    ``endpoint``: its https URL. ``ca_file``: PEM of the CA that signed its certificate. ``kubeconfig``: of an
    administrator. ``nodes``: whether node groups become Node objects and access policies become RBAC objects there;
    false for a cluster that is not the sandbox's own.
    """

    endpoint: str
    ca_file: Path
    kubeconfig: Path
    nodes: bool = True


@dataclass(frozen=True)
class Configuration:
    """Where to listen, whom to be, what to stand in front of.

    ``port``, ``registry_port``: on ``host``; 0 picks a free one. ``registry_upstream``: URL of the registry that holds
    the bytes, empty for none. ``state_directory``: gets ``credentials.json``. ``other_account``: a second account that
    owns things the first may not touch. ``delays``: see ``eks.lifecycle.Delays``. ``faults``: see ``faults.Rule``.
    ``log_requests``: one line per request on stderr.
    """

    port: int
    registry_port: int
    state_directory: Path
    host: str = "127.0.0.1"
    registry_upstream: str = ""
    account: str = "123456789012"
    other_account: str = "210987654321"
    region: str = "ap-northeast-2"
    kubernetes: Kubernetes | None = None
    delays: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[Mapping[str, Any], ...] = ()
    log_requests: bool = False

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """Raises PreconditionError when the file cannot be read or is not what this class describes."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise PreconditionError(
                f"{path} is no configuration of the simulated AWS: {error}", hint="`platformctl sandbox up` writes it"
            ) from error

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Configuration:
        """Raises TypeError or ValueError: unknown keys, missing ones, a host that is not loopback."""
        fields = dict(document)
        if fields.get("host", cls.host) != "127.0.0.1":
            raise ValueError(f"host is {fields['host']!r}; the sandbox listens on 127.0.0.1 only")
        kubernetes = fields.pop("kubernetes", None)
        fields["state_directory"] = Path(fields["state_directory"])
        fields["faults"] = tuple(fields.get("faults") or ())
        fields["registry_upstream"] = (fields.get("registry_upstream") or "").rstrip("/")
        return cls(**fields, kubernetes=None if kubernetes is None else _kubernetes(kubernetes))


def _kubernetes(document: Mapping[str, Any]) -> Kubernetes:
    fields = dict(document)
    return Kubernetes(**{**fields, "ca_file": Path(fields["ca_file"]), "kubeconfig": Path(fields["kubeconfig"])})
