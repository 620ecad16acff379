"""The simulated AWS account as a part, and what others need to reach it. The simulation itself is ``sandbox.aws``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformctl import __version__
from platformctl.core.errors import UnreadableOutput
from platformctl.sandbox import registry
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import HttpAnswer, Part
from platformctl.sandbox.ports import LOOPBACK
from platformctl.sandbox.state import write_private

PORTS = ("aws", "ecr")
ACCOUNT = "123456789012"
REGION = "ap-northeast-2"


@dataclass(frozen=True)
class Cluster:
    """The Kubernetes behind the simulated EKS. ``authority``: a file, PEM. ``kubeconfig``: an administrator's.

    ``own``: it is the sandbox's, so node groups become nodes there, and access policies rights.
    """

    endpoint: str
    authority: Path
    kubeconfig: Path
    own: bool


def endpoint(ports: Mapping[str, int]) -> str:
    """The URL of every AWS service."""
    return f"http://{LOOPBACK}:{ports['aws']}"


def write_settings(layout: Layout, ports: Mapping[str, int], cluster: Cluster) -> None:
    """Writes the file that ``python -m platformctl.sandbox.aws --config`` reads."""
    settings = {
        "host": LOOPBACK,
        "port": ports["aws"],
        "registry_port": ports["ecr"],
        "registry_upstream": registry.endpoint(ports),
        "state_directory": str(layout.kept("aws")),
        "account": ACCOUNT,
        "region": REGION,
        "kubernetes": {
            "endpoint": cluster.endpoint,
            "ca_file": str(cluster.authority),
            "kubeconfig": str(cluster.kubeconfig),
            "nodes": cluster.own,
        },
        "delays": {},
        "faults": [],
    }
    write_private(layout.settings / "aws.json", json.dumps(settings, indent=1))


def part(layout: Layout, ports: Mapping[str, int], cluster: Cluster) -> Part:
    """AWS. All it knows is in its memory, so its directory is emptied whenever it starts."""
    settings = layout.settings / "aws.json"
    return Part(
        name="aws",
        argv=(sys.executable, "-P", "-m", "platformctl.sandbox.aws", "--config", str(settings)),
        readiness=HttpAnswer(f"{endpoint(ports)}/_sandbox/health"),
        ports=(ports["aws"], ports["ecr"]),
        endpoint=endpoint(ports),
        directory=layout.kept("aws"),
        empties_with=("aws",),
        settings=(settings, cluster.authority),
        version=__version__,
    )


def write_connection(
    layout: Layout, ports: Mapping[str, int], cluster: Cluster, parts: Mapping[str, Part], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Writes connection.json (0600), once AWS has made its access key. ``environ``: ours, for proxies already excepted.

    Raises UnreadableOutput when the key's file is not there or not what was agreed.
    """
    path = layout.kept("aws") / "credentials.json"
    try:
        credentials = json.loads(path.read_text(encoding="utf-8"))
        key, secret = credentials["access_key_id"], credentials["secret_access_key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableOutput(
            f"the simulated AWS wrote no usable access key to {path}", hint="platformctl sandbox logs aws"
        ) from error
    direct = [host for host in environ.get("NO_PROXY", environ.get("no_proxy", "")).split(",") if host]
    without_proxy = ",".join(dict.fromkeys([*direct, LOOPBACK, "localhost"]))
    document = {
        "schemaVersion": 1,
        "environment": {
            "AWS_ENDPOINT_URL": endpoint(ports),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "KUBECONFIG": str(cluster.kubeconfig),
            # botocore, Go and curl would ask a corporate proxy for loopback otherwise.
            "NO_PROXY": without_proxy,
            "no_proxy": without_proxy,
        },
        "endpoints": {
            **{name: part.endpoint for name, part in parts.items() if part.endpoint},
            "ecr": f"{LOOPBACK}:{ports['ecr']}",
        },
    }
    write_private(layout.connection, json.dumps(document, indent=1))
    return document
