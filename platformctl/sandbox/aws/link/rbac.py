"""RBAC objects that give the groups of access policies their rights. Pure.

AWS evaluates these policies in an authorizer of its own; RBAC's built-in roles are the nearest thing that is real.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable
from typing import Any

from platformctl.sandbox.aws.eks.access import policy_group

LABELS = {"app.kubernetes.io/managed-by": "platformctl-sandbox"}
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())
_ADMIN_VIEW = "sandbox:admin-view"
_ROLES = {
    "AmazonEKSClusterAdminPolicy": "cluster-admin",
    "AmazonEKSAdminPolicy": "admin",
    "AmazonEKSAdminViewPolicy": _ADMIN_VIEW,
    "AmazonEKSEditPolicy": "edit",
    "AmazonEKSViewPolicy": "view",
}
_API = "rbac.authorization.k8s.io"

Manifest = dict[str, Any]


def cluster_roles() -> list[Manifest]:
    """The one role that Kubernetes does not have built in: read everything, secrets included."""
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    return [_object("ClusterRole", _ADMIN_VIEW, rules=rules)]


def cluster_bindings() -> list[Manifest]:
    """One per policy, for those who hold it in the whole cluster."""
    return [
        _object("ClusterRoleBinding", policy_group(policy), **_grant(policy_group(policy), role))
        for policy, role in _ROLES.items()
    ]


def role_bindings(scopes: Iterable[tuple[str, str]], namespaces: Iterable[str]) -> dict[tuple[str, str], Manifest]:
    """By namespace and name: one for each policy held in namespaces that match a pattern (``*`` as in the shell)."""
    existing, bindings = list(namespaces), {}
    for policy, pattern in scopes:
        group = policy_group(policy, pattern)
        # A pattern is no valid object name everywhere; its digest is, and stays the same.
        name = f"{policy_group(policy)}:{hashlib.sha256(pattern.encode()).hexdigest()[:8]}"
        for namespace in fnmatch.filter(existing, pattern):
            binding = _object("RoleBinding", name, **_grant(group, _ROLES[policy]))
            binding["metadata"]["namespace"] = namespace
            bindings[namespace, name] = binding
    return bindings


def _grant(group: str, role: str) -> Manifest:
    return {
        "subjects": [{"kind": "Group", "apiGroup": _API, "name": group}],
        "roleRef": {"kind": "ClusterRole", "apiGroup": _API, "name": role},
    }


def _object(kind: str, name: str, **rest: Any) -> Manifest:
    return {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": {"name": name, "labels": dict(LABELS)}, **rest}
