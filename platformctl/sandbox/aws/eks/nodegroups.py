"""Managed node groups, and the machines they are made of."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping

from platformctl.sandbox.aws.eks import access, errors, network
from platformctl.sandbox.aws.eks.catalogue import VERSIONS, minor_number
from platformctl.sandbox.aws.eks.models import Backend, Cluster, Document, Instance, Nodegroup, Request, page

_RELEASE = "20251007"


def create_nodegroup(eks: Backend, request: Request) -> Document:
    """CreateNodegroup."""
    cluster = eks.active_cluster(request["clusterName"])
    name = request["nodegroupName"]
    if name in cluster.nodegroups:
        raise errors.in_use(f"NodeGroup already exists with name {name} and cluster name {cluster.name}")
    network.check_role(request["nodeRole"])
    subnets = network.subnets(eks.account_id, eks.region_name, request["subnets"])
    group = Nodegroup(_document(eks, cluster, request), subnets)
    _resize(eks, group)
    cluster.nodegroups[name] = group
    access.admit_nodes(eks, cluster, request["nodeRole"])
    eks.activate(group.document, eks.simulation.delays.nodegroup)
    return {"nodegroup": group.document}


def _document(eks: Backend, cluster: Cluster, request: Request) -> Document:
    version = _version(cluster, request.get("version"))
    identifier = str(uuid.uuid4())
    now = eks.simulation.clock.now()
    return {
        "nodegroupName": request["nodegroupName"],
        "nodegroupArn": eks.arn("nodegroup", cluster.name, request["nodegroupName"], identifier),
        "clusterName": cluster.name,
        "version": version,
        "releaseVersion": request.get("releaseVersion") or f"{version}.0-{_RELEASE}",
        "createdAt": now,
        "modifiedAt": now,
        "capacityType": request.get("capacityType") or "ON_DEMAND",
        "scalingConfig": _scaling({"minSize": 1, "maxSize": 2, "desiredSize": 2}, request.get("scalingConfig") or {}),
        "subnets": list(request["subnets"]),
        "amiType": request.get("amiType") or "AL2023_x86_64_STANDARD",
        "nodeRole": request["nodeRole"],
        "labels": dict(request.get("labels") or {}),
        "taints": [dict(taint) for taint in request.get("taints") or []],
        "resources": {"autoScalingGroups": [{"name": f"eks-{request['nodegroupName']}-{identifier}"}]},
        "health": {"issues": []},
        "updateConfig": dict(request.get("updateConfig") or {"maxUnavailable": 1}),
        "tags": dict(request.get("tags") or {}),
        **_machines(eks, request),
        # Only what was asked for: the provider takes a default that it did not set for a change.
        **{name: dict(request[name]) for name in ("remoteAccess", "nodeRepairConfig") if request.get(name) is not None},
    }


def _machines(eks: Backend, request: Request) -> Document:
    """What the machines are made of: a launch template, or a type and a disk."""
    types = list(request.get("instanceTypes") or [])
    network.check_instance_types(types)
    template = request.get("launchTemplate")
    if not template:
        return {"instanceTypes": types or ["t3.medium"], "diskSize": request.get("diskSize") or 20}
    if request.get("diskSize") or request.get("remoteAccess"):
        what = "Disk size" if request.get("diskSize") else "Remote access configuration"
        raise errors.invalid_parameter(f"{what} must be specified within the launch template.")
    found = network.launch_template(eks.account_id, eks.region_name, dict(template))
    return {"instanceTypes": types, "launchTemplate": found}


def _version(cluster: Cluster, wanted: str | None) -> str:
    version: str = wanted or cluster.document["version"]
    newest = cluster.document["version"]
    if version not in VERSIONS or not 0 <= minor_number(newest) - minor_number(version) <= 3:
        raise errors.invalid_parameter(
            f"Requested Nodegroup version {version} is invalid: the control plane's version is {newest}"
        )
    return version


def _scaling(current: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int]:
    sizes = {**current, **wanted}
    low, size, high = sizes["minSize"], sizes["desiredSize"], sizes["maxSize"]
    if low > size:
        raise errors.invalid_parameter(f"Minimum capacity {low} can't be greater than desired size {size}")
    if size > high:
        raise errors.invalid_parameter(f"desired capacity {size} can't be greater than max size {high}")
    return sizes


def _resize(eks: Backend, group: Nodegroup) -> None:
    """Machines leave from the end and join round-robin over the subnets."""
    wanted = group.document["scalingConfig"]["desiredSize"]
    del group.instances[wanted:]
    while len(group.instances) < wanted:
        group.instances.append(_launch(eks, group))


def _launch(eks: Backend, group: Nodegroup) -> Instance:
    subnet = group.subnets[group.launched % len(group.subnets)]
    group.launched += 1
    taken = {
        instance.address
        for cluster in eks.clusters.values()
        for other in (*cluster.nodegroups.values(), group)
        for instance in other.instances
    }
    number = next(number for number in range(10_000) if subnet.address(number) not in taken)
    address = subnet.address(number)
    return Instance(
        id=f"i-{secrets.token_hex(9)[:17]}",
        name=f"ip-{address.replace('.', '-')}.{eks.region_name}.compute.internal",
        address=address,
        zone=subnet.zone,
        version=group.document["version"],
    )


def _group(eks: Backend, request: Request) -> tuple[Cluster, Nodegroup]:
    cluster = eks.cluster(request["clusterName"])
    name = request["nodegroupName"]
    if name not in cluster.nodegroups:
        raise errors.not_found(f"No node group found for name: {name}.")
    return cluster, cluster.nodegroups[name]


def _active_group(eks: Backend, request: Request) -> tuple[Cluster, Nodegroup]:
    cluster, group = _group(eks, request)
    if group.document["status"] != "ACTIVE":
        raise errors.in_use(
            f"Nodegroup {request['nodegroupName']} cannot be changed: it has status {group.document['status']}"
        )
    return cluster, group


def describe_nodegroup(eks: Backend, request: Request) -> Document:
    """DescribeNodegroup."""
    return {"nodegroup": _group(eks, request)[1].document}


def list_nodegroups(eks: Backend, request: Request) -> Document:
    """ListNodegroups."""
    names, token = page(list(eks.cluster(request["clusterName"]).nodegroups), request)
    return {"nodegroups": names, "nextToken": token}


def delete_nodegroup(eks: Backend, request: Request) -> Document:
    """DeleteNodegroup: its machines leave at once, the group after the delay."""
    cluster, group = _group(eks, request)
    if group.document["status"] == "DELETING":
        raise errors.in_use(f"Nodegroup {request['nodegroupName']} is being deleted")
    group.instances.clear()

    def vanish() -> None:
        del cluster.nodegroups[request["nodegroupName"]]
        access.dismiss_nodes(cluster, group.document["nodeRole"])

    eks.remove(group.document, vanish)
    return {"nodegroup": group.document}


def update_nodegroup_config(eks: Backend, request: Request) -> Document:
    """UpdateNodegroupConfig: scaling, labels, taints, update and repair settings."""
    cluster, group = _active_group(eks, request)
    document = group.document
    after: Document = {
        "scalingConfig": _scaling(document["scalingConfig"], request.get("scalingConfig") or {}),
        "labels": _labels(document["labels"], request.get("labels") or {}),
        "taints": _taints(document["taints"], request.get("taints") or {}),
        "modifiedAt": eks.simulation.clock.now(),
    }
    for name in ("updateConfig", "nodeRepairConfig"):
        if request.get(name) is not None:
            after[name] = dict(request[name])

    def effect() -> None:
        document.update(after)
        _resize(eks, group)

    sizes = {name[0].upper() + name[1:]: f"{size}" for name, size in after["scalingConfig"].items()}
    return {"update": eks.begin_update(cluster, document, "ConfigUpdate", sizes, effect)}


def _labels(current: Mapping[str, str], change: Document) -> dict[str, str]:
    merged = {**current, **(change.get("addOrUpdateLabels") or {})}
    return {name: value for name, value in merged.items() if name not in (change.get("removeLabels") or [])}


def _taints(current: list[Document], change: Document) -> list[Document]:
    kept = {(taint["key"], taint["effect"]): taint for taint in current}
    for taint in change.get("removeTaints") or []:
        kept.pop((taint["key"], taint["effect"]), None)
    for taint in change.get("addOrUpdateTaints") or []:
        kept[taint["key"], taint["effect"]] = dict(taint)
    return list(kept.values())


def update_nodegroup_version(eks: Backend, request: Request) -> Document:
    """UpdateNodegroupVersion: to the cluster's version unless another is asked for; every machine is replaced."""
    cluster, group = _active_group(eks, request)
    document = group.document
    version = _version(cluster, request.get("version"))
    if minor_number(version) < minor_number(document["version"]):
        raise errors.invalid_parameter(f"Nodegroup version cannot go back from {document['version']} to {version}")
    release = request.get("releaseVersion") or f"{version}.0-{_RELEASE}"
    after: Document = {"version": version, "releaseVersion": release, "modifiedAt": eks.simulation.clock.now()}
    if request.get("launchTemplate"):
        wanted = dict(request["launchTemplate"])
        after["launchTemplate"] = network.launch_template(eks.account_id, eks.region_name, wanted)

    def effect() -> None:
        document.update(after)
        retired = len(group.instances)
        for _ in range(retired):
            group.instances.append(_launch(eks, group))
        del group.instances[:retired]

    params = {"Version": version, "ReleaseVersion": release}
    return {"update": eks.begin_update(cluster, document, "VersionUpdate", params, effect)}


OPERATIONS = {
    "CreateNodegroup": create_nodegroup,
    "DescribeNodegroup": describe_nodegroup,
    "ListNodegroups": list_nodegroups,
    "DeleteNodegroup": delete_nodegroup,
    "UpdateNodegroupConfig": update_nodegroup_config,
    "UpdateNodegroupVersion": update_nodegroup_version,
}
