"""What node groups and access policies become in Kubernetes."""

from __future__ import annotations

from typing import Any

from platformctl.sandbox.aws.eks.models import Instance
from platformctl.sandbox.aws.link.nodes import APPLIED_ANNOTATION, node_manifest, node_patch
from platformctl.sandbox.aws.link.rbac import cluster_bindings, role_bindings

GROUP: dict[str, Any] = {
    "nodegroupName": "workers",
    "instanceTypes": ["m5.large"],
    "amiType": "AL2023_x86_64_STANDARD",
    "releaseVersion": "1.34.0-20251007",
    "capacityType": "SPOT",
    "labels": {"team": "orders"},
    "taints": [{"key": "dedicated", "value": "orders", "effect": "NO_SCHEDULE"}],
}
MACHINE = Instance("i-0abc", "ip-10-0-128-4.ap-northeast-2.compute.internal", "10.0.128.4", "ap-northeast-2a", "1.34")


def manifest(**changes: Any) -> dict[str, Any]:
    """The node of MACHINE in GROUP with some changes."""
    return node_manifest(MACHINE, {**GROUP, **changes}, "dev", "ap-northeast-2")


def test_a_machine_becomes_a_node_with_the_labels_that_eks_gives() -> None:
    node = manifest()
    assert node["metadata"]["name"] == MACHINE.name
    assert node["spec"]["providerID"] == "aws:///ap-northeast-2a/i-0abc"
    assert node["metadata"]["annotations"]["kwok.x-k8s.io/node"] == "fake"
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.34.")
    assert node["status"]["capacity"] == {"cpu": "2", "memory": "8192Mi", "pods": "110"}
    labels = node["metadata"]["labels"]
    assert {
        "team": "orders",
        "eks.amazonaws.com/nodegroup": "workers",
        "eks.amazonaws.com/capacityType": "SPOT",
        "topology.kubernetes.io/zone": "ap-northeast-2a",
        "topology.kubernetes.io/region": "ap-northeast-2",
        "node.kubernetes.io/instance-type": "m5.large",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": MACHINE.name,
    }.items() <= labels.items()
    assert node["spec"]["taints"] == [{"key": "dedicated", "value": "orders", "effect": "NoSchedule"}]


def test_a_node_that_has_what_it_should_have_is_left_alone() -> None:
    assert node_patch(manifest()["metadata"]["annotations"], [], manifest()) is None


def test_labels_and_taints_that_left_the_group_leave_the_node_and_nothing_else_does() -> None:
    present = {**manifest()["metadata"]["annotations"], "someone": "else"}
    not_ready = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
    taints = [*manifest()["spec"]["taints"], not_ready]
    patch = node_patch(present, taints, manifest(labels={"team": "billing"}, taints=[]))
    assert patch is not None
    assert patch["metadata"]["labels"]["team"] == "billing"
    assert patch["spec"]["taints"] == [not_ready]
    assert set(patch["metadata"]["annotations"]) == {"kwok.x-k8s.io/node", APPLIED_ANNOTATION}
    dropped = node_patch(present, taints, manifest(labels={}))
    assert dropped is not None
    assert dropped["metadata"]["labels"]["team"] is None


def test_policies_of_the_whole_cluster_are_bound_to_groups_that_nobody_takes_for_real_ones() -> None:
    bound = {item["subjects"][0]["name"]: item["roleRef"]["name"] for item in cluster_bindings()}
    assert bound == {
        "sandbox:AmazonEKSClusterAdminPolicy": "cluster-admin",
        "sandbox:AmazonEKSAdminPolicy": "admin",
        "sandbox:AmazonEKSAdminViewPolicy": "sandbox:admin-view",
        "sandbox:AmazonEKSEditPolicy": "edit",
        "sandbox:AmazonEKSViewPolicy": "view",
    }


def test_a_policy_for_a_pattern_is_bound_in_each_namespace_that_matches_and_nowhere_else() -> None:
    bindings = role_bindings([("AmazonEKSEditPolicy", "team-*")], ["default", "team-a", "team-b"])
    assert {namespace for namespace, _ in bindings} == {"team-a", "team-b"}
    assert {item["subjects"][0]["name"] for item in bindings.values()} == {"sandbox:AmazonEKSEditPolicy:team-*"}
    assert {item["roleRef"]["name"] for item in bindings.values()} == {"edit"}
