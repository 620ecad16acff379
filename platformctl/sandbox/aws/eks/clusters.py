"""Clusters: creation with EKS's defaults, updates one kind at a time, upgrades one minor at a time, deletion."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from platformctl.sandbox.aws.eks import access, errors, network
from platformctl.sandbox.aws.eks.catalogue import DEFAULT_VERSION, VERSIONS, minor_number
from platformctl.sandbox.aws.eks.models import Backend, Cluster, Document, Request, page

_LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
_VPC_MEMBERS = (
    "endpointPublicAccess",
    "endpointPrivateAccess",
    "publicAccessCidrs",
    "subnetIds",
    "securityGroupIds",
)
# What a request may set and the answer repeats as it is, without a default of ours.
_AS_GIVEN = ("zonalShiftConfig", "remoteNetworkConfig", "computeConfig", "storageConfig", "outpostConfig")


def create_cluster(eks: Backend, request: Request) -> Document:
    """CreateCluster."""
    name, version = request["name"], request.get("version") or DEFAULT_VERSION
    if name in eks.clusters:
        raise errors.in_use(f"Cluster already exists with name: {name}")
    if version not in VERSIONS:
        raise errors.invalid_parameter(f"unsupported Kubernetes version {version}")
    _check_room(eks)
    network.check_role(request["roleArn"])
    document = _document(eks, request, version)
    cluster = Cluster(document)
    eks.clusters[name] = cluster
    if document["accessConfig"]["bootstrapClusterCreatorAdminPermissions"]:
        access.admit_creator(eks, cluster, request["callerArn"])
    eks.activate(document, eks.simulation.delays.cluster)
    return {"cluster": document}


def _check_room(eks: Backend) -> None:
    # One real API server stands behind the simulation; two clusters would share its nodes, roles and workloads.
    if eks.simulation.endpoint and (taken := owner()) is not None:
        raise errors.limit_exceeded(
            f"the sandbox has one control plane and cluster {taken[1].name} has it; delete that cluster first"
        )


def owner() -> tuple[Backend, Cluster] | None:
    """The cluster that owns the real API server: the first one, in whatever account and region."""
    for eks in backends():
        for cluster in list(eks.clusters.values()):
            return eks, cluster
    return None


def backends() -> list[Backend]:
    """Every account's EKS in every region that was ever asked."""
    from moto.eks.models import eks_backends

    found: Any = eks_backends
    return [eks for regions in list(found.values()) for eks in list(regions.values())]


def _document(eks: Backend, request: Request, version: str) -> Document:
    region, simulation = eks.region_name, eks.simulation
    identifier = uuid.uuid4().hex.upper()
    return {
        "name": request["name"],
        "arn": eks.arn("cluster", request["name"]),
        "createdAt": simulation.clock.now(),
        "version": version,
        "platformVersion": "eks.1",
        # Reserved never to resolve (RFC 2606), so that nobody reaches somebody else's host by accident.
        "endpoint": simulation.endpoint or f"https://{identifier}.{region}.eks.invalid",
        "certificateAuthority": {"data": base64.b64encode(simulation.certificate_authority.encode()).decode()},
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{region}.amazonaws.com/id/{identifier}"}},
        "roleArn": request["roleArn"],
        "resourcesVpcConfig": _vpc(eks, request["name"], request["resourcesVpcConfig"]),
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": "172.20.0.0/16",
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": False},
            **(request.get("kubernetesNetworkConfig") or {}),
        },
        "logging": _logging(request.get("logging") or {}),
        "encryptionConfig": list(request.get("encryptionConfig") or []),
        "accessConfig": {
            "authenticationMode": "CONFIG_MAP",
            "bootstrapClusterCreatorAdminPermissions": True,
            **(request.get("accessConfig") or {}),
        },
        "upgradePolicy": dict(request.get("upgradePolicy") or {"supportType": "EXTENDED"}),
        "deletionProtection": bool(request.get("deletionProtection")),
        "health": {"issues": []},
        "tags": dict(request.get("tags") or {}),
        **{name: request[name] for name in _AS_GIVEN if request.get(name) is not None},
    }


def _vpc(eks: Backend, cluster: str, wanted: Document) -> Document:
    account, region = eks.account_id, eks.region_name
    subnets = network.cluster_subnets(account, region, wanted.get("subnetIds") or [])
    network.check_security_groups(account, region, wanted.get("securityGroupIds") or [])
    return {
        "subnetIds": list(wanted.get("subnetIds") or []),
        "securityGroupIds": list(wanted.get("securityGroupIds") or []),
        "vpcId": subnets[0].vpc,
        "clusterSecurityGroupId": network.create_security_group(account, region, subnets[0].vpc, cluster),
        "endpointPublicAccess": wanted.get("endpointPublicAccess", True),
        "endpointPrivateAccess": wanted.get("endpointPrivateAccess", False),
        "publicAccessCidrs": wanted.get("publicAccessCidrs") or ["0.0.0.0/0"],
    }


def _logging(wanted: Document, current: Document | None = None) -> Document:
    enabled = {
        name for entry in (current or {}).get("clusterLogging", []) if entry["enabled"] for name in entry["types"]
    }
    for entry in wanted.get("clusterLogging") or []:
        enabled = enabled | set(entry["types"]) if entry.get("enabled") else enabled - set(entry["types"])
    on = [name for name in _LOG_TYPES if name in enabled]
    off = [name for name in _LOG_TYPES if name not in enabled]
    entries = ({"types": on, "enabled": True}, {"types": off, "enabled": False})
    return {"clusterLogging": [entry for entry in entries if entry["types"]]}


def describe_cluster(eks: Backend, request: Request) -> Document:
    """DescribeCluster."""
    return {"cluster": eks.cluster(request["name"]).document}


def list_clusters(eks: Backend, request: Request) -> Document:
    """ListClusters."""
    names, token = page(list(eks.clusters), request)
    return {"clusters": names, "nextToken": token}


def delete_cluster(eks: Backend, request: Request) -> Document:
    """DeleteCluster: node groups must be gone; add-ons, entries and associations go with it."""
    cluster = eks.cluster(request["name"])
    if cluster.nodegroups:
        raise errors.in_use("Cluster has nodegroups attached")
    if cluster.document["deletionProtection"]:
        raise errors.invalid_request(f"Cluster {cluster.name} has deletion protection enabled")
    if cluster.document["status"] not in {"ACTIVE", "FAILED"}:
        raise errors.in_use(f"Cannot delete cluster {cluster.name}: it has status {cluster.document['status']}")

    def vanish() -> None:
        del eks.clusters[cluster.name]
        group = cluster.document["resourcesVpcConfig"]["clusterSecurityGroupId"]
        network.delete_security_group(eks.account_id, eks.region_name, group)

    eks.remove(cluster.document, vanish)
    return {"cluster": cluster.document}


def update_cluster_config(eks: Backend, request: Request) -> Document:
    """UpdateClusterConfig: one kind of change per call, as in EKS."""
    cluster = eks.active_cluster(request["name"])
    wanted = [kind for kind in _CONFIG_UPDATES if request.get(kind) is not None]
    if len(wanted) != 1:
        raise errors.invalid_parameter(
            "No changes needed" if not wanted else f"Only one type of update can be allowed: {', '.join(wanted)}"
        )
    return {"update": _CONFIG_UPDATES[wanted[0]](eks, cluster, request[wanted[0]])}


def _update_access(eks: Backend, cluster: Cluster, wanted: Document) -> Document:
    current = cluster.document["accessConfig"]
    mode, target = current["authenticationMode"], wanted.get("authenticationMode")
    if target not in _MODES or _MODES.index(target) != _MODES.index(mode) + 1:
        raise errors.invalid_parameter(f"Unsupported authentication mode update from {mode} to {target}")
    return eks.begin_update(
        cluster,
        cluster.document,
        "AccessConfigUpdate",
        {"AuthenticationMode": target},
        partial(current.update, authenticationMode=target),
    )


def _update_logging(eks: Backend, cluster: Cluster, wanted: Document) -> Document:
    document = cluster.document
    logging = _logging(wanted, document["logging"])
    return eks.begin_update(
        cluster, document, "LoggingUpdate", {"ClusterLogging": f"{wanted}"}, partial(document.update, logging=logging)
    )


def _update_vpc(eks: Backend, cluster: Cluster, wanted: Document) -> Document:
    current = cluster.document["resourcesVpcConfig"]
    changes = {name: wanted[name] for name in _VPC_MEMBERS if wanted.get(name) is not None}
    if all(current[name] == value for name, value in changes.items()):
        raise errors.invalid_parameter("Cluster is already at the desired configuration")
    if "subnetIds" in changes:
        network.cluster_subnets(eks.account_id, eks.region_name, changes["subnetIds"])
    if "securityGroupIds" in changes:
        network.check_security_groups(eks.account_id, eks.region_name, changes["securityGroupIds"])
    kind = "VpcConfigUpdate" if {"subnetIds", "securityGroupIds"} & changes.keys() else "EndpointAccessUpdate"
    params = {name[0].upper() + name[1:]: f"{value}" for name, value in changes.items()}
    return eks.begin_update(cluster, cluster.document, kind, params, partial(current.update, changes))


def _update_member(member: str, kind: str, eks: Backend, cluster: Cluster, wanted: Any) -> Document:
    effect = partial(cluster.document.update, {member: wanted})
    return eks.begin_update(cluster, cluster.document, kind, {kind.removesuffix("Update"): f"{wanted}"}, effect)


_CONFIG_UPDATES: dict[str, Callable[[Backend, Cluster, Any], Document]] = {
    "accessConfig": _update_access,
    "logging": _update_logging,
    "resourcesVpcConfig": _update_vpc,
    "upgradePolicy": partial(_update_member, "upgradePolicy", "UpgradePolicyUpdate"),
    "zonalShiftConfig": partial(_update_member, "zonalShiftConfig", "ZonalShiftConfigUpdate"),
    "computeConfig": partial(_update_member, "computeConfig", "AutoModeUpdate"),
    "storageConfig": partial(_update_member, "storageConfig", "AutoModeUpdate"),
    "remoteNetworkConfig": partial(_update_member, "remoteNetworkConfig", "RemoteNetworkConfigUpdate"),
    "deletionProtection": partial(_update_member, "deletionProtection", "DeletionProtectionUpdate"),
}


def update_cluster_version(eks: Backend, request: Request) -> Document:
    """UpdateClusterVersion: up by exactly one minor. The real API server behind the cluster keeps its own version."""
    cluster = eks.active_cluster(request["name"])
    current, target = cluster.document["version"], request["version"]
    if target not in VERSIONS or minor_number(target) != minor_number(current) + 1:
        raise errors.invalid_parameter(f"Unsupported Kubernetes minor version update from {current} to {target}")
    old = [name for name, group in cluster.nodegroups.items() if _too_old(group.document["version"], target)]
    if old:
        raise errors.invalid_request(f"Nodegroups {', '.join(sorted(old))} must be updated before the cluster")
    effect = partial(cluster.document.update, version=target)
    params = {"Version": target, "PlatformVersion": cluster.document["platformVersion"]}
    return {"update": eks.begin_update(cluster, cluster.document, "VersionUpdate", params, effect)}


def _too_old(node: str, target: str) -> bool:
    # Kubernetes' version skew policy: a kubelet may be three minors older than the API server.
    return minor_number(target) - minor_number(node) > 3


def associate_encryption_config(eks: Backend, request: Request) -> Document:
    """AssociateEncryptionConfig: once per cluster, never taken back."""
    cluster = eks.active_cluster(request["clusterName"])
    if cluster.document["encryptionConfig"]:
        raise errors.invalid_parameter(f"Encryption is already enabled for cluster {cluster.name}")
    wanted = list(request["encryptionConfig"])
    effect = partial(cluster.document.update, encryptionConfig=wanted)
    kind = "AssociateEncryptionConfig"
    return {"update": eks.begin_update(cluster, cluster.document, kind, {"EncryptionConfig": f"{wanted}"}, effect)}


def describe_cluster_versions(eks: Backend, request: Request) -> Document:
    """DescribeClusterVersions: unsupported ones only when asked for."""
    now, answer = eks.simulation.clock.now(), []
    for version in sorted(VERSIONS.values(), key=lambda item: minor_number(item.minor), reverse=True):
        status = version.status(now)
        if request.get("clusterVersions") and version.minor not in request["clusterVersions"]:
            continue
        if request.get("defaultOnly") and version.minor != DEFAULT_VERSION:
            continue
        if status == "unsupported" and not request.get("includeAll"):
            continue
        answer.append(
            {
                "clusterVersion": version.minor,
                "clusterType": "eks",
                "defaultVersion": version.minor == DEFAULT_VERSION,
                "releaseDate": version.released,
                "endOfStandardSupportDate": version.standard_until,
                "endOfExtendedSupportDate": version.extended_until,
                "status": status,
                "versionStatus": status.upper().replace("-", "_"),
            }
        )
    return {"clusterVersions": answer}


def describe_update(eks: Backend, request: Request) -> Document:
    """DescribeUpdate; ``nodegroupName`` and ``addonName`` are not needed to find it, ids are unique."""
    updates = eks.cluster(request["name"]).updates
    if request["updateId"] not in updates:
        raise errors.not_found(f"No update found for ID: {request['updateId']}")
    return {"update": updates[request["updateId"]]}


def list_updates(eks: Backend, request: Request) -> Document:
    """ListUpdates."""
    ids, token = page(list(eks.cluster(request["name"]).updates), request)
    return {"updateIds": ids, "nextToken": token}


OPERATIONS = {
    "CreateCluster": create_cluster,
    "DescribeCluster": describe_cluster,
    "ListClusters": list_clusters,
    "DeleteCluster": delete_cluster,
    "UpdateClusterConfig": update_cluster_config,
    "UpdateClusterVersion": update_cluster_version,
    "AssociateEncryptionConfig": associate_encryption_config,
    "DescribeClusterVersions": describe_cluster_versions,
    "DescribeUpdate": describe_update,
    "ListUpdates": list_updates,
}
