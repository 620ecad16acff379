"""What the API server should hold, read from the simulated EKS at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from platformctl.sandbox.aws.eks import access, clusters
from platformctl.sandbox.aws.identity import Principal
from platformctl.sandbox.aws.link.nodes import node_manifest
from platformctl.sandbox.aws.tokens import KubernetesUser


@dataclass(frozen=True)
class Desired:
    """``cluster``: its name, empty for none. ``identity``: also tells it from another one of that name. ``nodes``:
    manifests by name. ``scopes``: pairs of a policy and a pattern of namespaces that somebody holds. ``wait``: seconds
    until the simulation changes by itself, None for never."""

    cluster: str = ""
    identity: str = ""
    nodes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    scopes: frozenset[tuple[str, str]] = frozenset()
    wait: float | None = None


class OwningCluster:
    """The cluster that the real API server belongs to, as the link and the token webhook ask for it."""

    def owner(self) -> str:
        """Its name; empty for none."""
        owner = clusters.owner()
        return owner[1].name if owner else ""

    def user_of(self, principal: Principal) -> KubernetesUser | None:
        """The principal's user there; also after transitions that nobody has looked at yet."""
        owner = clusters.owner()
        if owner is None:
            return None
        with owner[0].lock:
            owner[0].settle()
            return access.user_of(owner[1], principal)

    def desired(self) -> Desired:
        """A copy of what is wanted now."""
        waits = []
        for eks in clusters.backends():
            with eks.lock:
                eks.settle()
                waits.append(eks.schedule.wait())
        wait = min((seconds for seconds in waits if seconds is not None), default=None)
        owner = clusters.owner()
        if owner is None:
            return Desired(wait=wait)
        eks, cluster = owner
        with eks.lock:
            nodes = {
                instance.name: node_manifest(instance, group.document, cluster.name, eks.region_name)
                for group in cluster.nodegroups.values()
                for instance in group.instances
            }
            scopes = {
                (arn.removeprefix(access.POLICY_PREFIX), namespace)
                for entry in cluster.entries.values()
                for arn, association in entry.policies.items()
                for namespace in association["accessScope"].get("namespaces") or []
            }
            identity = f"{cluster.document['arn']} {cluster.document['createdAt'].isoformat()}"
        return Desired(cluster.name, identity, nodes, frozenset(scopes), wait)
