"""Node manifests as EKS's machines register themselves, for kwok to keep Ready. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from platformctl.sandbox.aws.eks.models import Instance
from platformctl.sandbox.aws.eks.network import instance_types

OWNER_LABEL = "sandbox.platformctl/eks-cluster"
APPLIED_ANNOTATION = "sandbox.platformctl/applied"
_KWOK_ANNOTATION = "kwok.x-k8s.io/node"
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
_PODS = "110"

Manifest = dict[str, Any]


def node_manifest(instance: Instance, group: Mapping[str, Any], cluster: str, region: str) -> Manifest:
    """A Node for one machine of a node group (its API document)."""
    kind = (group["instanceTypes"] or ["t3.medium"])[0]
    arch = "arm64" if "ARM" in group["amiType"].upper() else "amd64"
    labels = _labels(instance, group, kind, arch) | {"topology.kubernetes.io/region": region, OWNER_LABEL: cluster}
    taints = [
        {"key": taint["key"], "value": taint.get("value") or "", "effect": _EFFECTS[taint["effect"]]}
        for taint in group["taints"]
    ]
    capacity = _capacity(kind)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": instance.name,
            "labels": labels,
            "annotations": {_KWOK_ANNOTATION: "fake", APPLIED_ANNOTATION: _applied(labels, taints)},
        },
        "spec": {"providerID": f"aws:///{instance.zone}/{instance.id}", "taints": taints},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": instance.address},
                {"type": "Hostname", "address": instance.name},
            ],
            "nodeInfo": _node_info(instance, arch),
        },
    }


def node_patch(annotations: Mapping[str, str], present: list[dict[str, Any]], manifest: Manifest) -> Manifest | None:
    """What turns a node into its manifest's labels and taints, as a merge patch; None when nothing differs.

    ``annotations`` of the node say what we gave it before; of the taints ``present`` those that others added stay.
    """
    wanted = manifest["metadata"]["annotations"]
    if annotations.get(APPLIED_ANNOTATION) == wanted[APPLIED_ANNOTATION]:
        return None
    before = json.loads(annotations.get(APPLIED_ANNOTATION) or '{"labels": {}, "taints": []}')
    ours = {(taint["key"], taint["effect"]) for taint in (*before["taints"], *manifest["spec"]["taints"])}
    foreign = [taint for taint in present if (taint["key"], taint["effect"]) not in ours]
    return {
        "metadata": {
            "annotations": wanted,
            "labels": {**dict.fromkeys(before["labels"]), **manifest["metadata"]["labels"]},
        },
        # The API replaces this list as a whole, whatever the kind of patch.
        "spec": {"taints": [*foreign, *manifest["spec"]["taints"]]},
    }


def _labels(instance: Instance, group: Mapping[str, Any], kind: str, arch: str) -> dict[str, str]:
    return {
        **group["labels"],
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": arch,
        "kubernetes.io/hostname": instance.name,
        "node.kubernetes.io/instance-type": kind,
        "topology.kubernetes.io/zone": instance.zone,
        "eks.amazonaws.com/nodegroup": group["nodegroupName"],
        "eks.amazonaws.com/capacityType": group["capacityType"],
        "eks.amazonaws.com/nodegroup-image": f"ami-{group['releaseVersion'].replace('.', '').replace('-', '')}",
    }


def _applied(labels: Mapping[str, str], taints: list[dict[str, str]]) -> str:
    return json.dumps({"labels": dict(labels), "taints": taints}, sort_keys=True)


def _capacity(kind: str) -> dict[str, str]:
    known = instance_types().get(kind, {})
    cores = known.get("VCpuInfo", {}).get("DefaultVCpus", 2)
    memory = known.get("MemoryInfo", {}).get("SizeInMiB", 4096)
    return {"cpu": str(cores), "memory": f"{memory}Mi", "pods": _PODS}


def _node_info(instance: Instance, arch: str) -> dict[str, str]:
    return {
        "architecture": arch,
        "bootID": "",
        "containerRuntimeVersion": "kwok",
        "kernelVersion": "kwok",
        "kubeProxyVersion": "",
        "kubeletVersion": f"v{instance.version}.0-eks-sandbox",
        "machineID": instance.id,
        "operatingSystem": "linux",
        "osImage": "Amazon Linux 2023 (simulated)",
        "systemUUID": "",
    }
