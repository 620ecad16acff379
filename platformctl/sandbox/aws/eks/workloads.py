"""Add-ons, and the roles that pods may take: what EKS runs or lends inside a cluster. Add-ons run nothing here."""

from __future__ import annotations

import json
import secrets
import uuid

from platformctl.sandbox.aws.eks import errors, network
from platformctl.sandbox.aws.eks.catalogue import ADDONS, VERSIONS, addon_versions
from platformctl.sandbox.aws.eks.models import Backend, Cluster, Document, Request, page

_ADDON_NAMESPACE = "kube-system"


def create_addon(eks: Backend, request: Request) -> Document:
    """CreateAddon."""
    cluster = eks.active_cluster(request["clusterName"])
    name = request["addonName"]
    if name in cluster.addons:
        raise errors.in_use("Addon already exists.")
    version = _version(cluster, name, request.get("addonVersion"))
    _check_configuration(request)
    now = eks.simulation.clock.now()
    addon: Document = {
        "addonName": name,
        "clusterName": cluster.name,
        "addonVersion": version,
        "addonArn": eks.arn("addon", cluster.name, name, str(uuid.uuid4())),
        "health": {"issues": []},
        "createdAt": now,
        "modifiedAt": now,
        "publisher": "eks",
        "owner": "aws",
        "tags": dict(request.get("tags") or {}),
        "podIdentityAssociations": [],
    }
    for member in ("configurationValues", "serviceAccountRoleArn"):
        if request.get(member):
            addon[member] = request[member]
    cluster.addons[name] = addon
    _lend(eks, cluster, addon, request)
    eks.activate(addon, eks.simulation.delays.addon)
    return {"addon": addon}


def _version(cluster: Cluster, name: str, wanted: str | None) -> str:
    minor = cluster.document["version"]
    versions = addon_versions(name, minor)
    if not versions:
        raise errors.invalid_parameter(f"Addon {name} specified is not supported in {minor} kubernetes version")
    if wanted and wanted not in versions:
        raise errors.invalid_parameter(
            f"Addon version specified is not supported: {wanted}; known: {', '.join(versions)}"
        )
    return wanted or versions[0]


def _check_configuration(request: Request) -> None:
    # YAML is accepted by AWS as well; only what starts like JSON can be checked without a schema.
    values = request.get("configurationValues") or ""
    if values.lstrip().startswith("{"):
        try:
            json.loads(values)
        except ValueError as error:
            raise errors.invalid_parameter(
                f"ConfigurationValue provided in request is not valid JSON: {error}"
            ) from None


def _lend(eks: Backend, cluster: Cluster, addon: Document, request: Request) -> None:
    """Replaces the roles of an add-on's service accounts; without the member nothing changes."""
    if request.get("podIdentityAssociations") is None:
        return
    for arn in addon["podIdentityAssociations"]:
        cluster.identities.pop(arn.rpartition("/")[2], None)
    made = [
        _associate(eks, cluster, {**wanted, "namespace": _ADDON_NAMESPACE}, owner=addon["addonArn"])
        for wanted in request["podIdentityAssociations"]
    ]
    addon["podIdentityAssociations"] = [association["associationArn"] for association in made]


def _addon(eks: Backend, request: Request) -> tuple[Cluster, Document]:
    cluster = eks.cluster(request["clusterName"])
    if request["addonName"] not in cluster.addons:
        raise errors.not_found(f"No addon: {request['addonName']} found in cluster: {cluster.name}")
    return cluster, cluster.addons[request["addonName"]]


def describe_addon(eks: Backend, request: Request) -> Document:
    """DescribeAddon."""
    return {"addon": _addon(eks, request)[1]}


def list_addons(eks: Backend, request: Request) -> Document:
    """ListAddons."""
    names, token = page(list(eks.cluster(request["clusterName"]).addons), request)
    return {"addons": names, "nextToken": token}


def update_addon(eks: Backend, request: Request) -> Document:
    """UpdateAddon: version, values, roles."""
    cluster, addon = _addon(eks, request)
    if addon["status"] != "ACTIVE":
        raise errors.in_use(f"Addon {addon['addonName']} cannot be updated: it has status {addon['status']}")
    version = _version(cluster, addon["addonName"], request.get("addonVersion") or addon["addonVersion"])
    _check_configuration(request)

    def effect() -> None:
        addon.update(addonVersion=version, modifiedAt=eks.simulation.clock.now())
        for member in ("configurationValues", "serviceAccountRoleArn"):
            if request.get(member) is not None:
                addon[member] = request[member]
        _lend(eks, cluster, addon, request)

    return {"update": eks.begin_update(cluster, addon, "AddonUpdate", {"AddonVersion": version}, effect)}


def delete_addon(eks: Backend, request: Request) -> Document:
    """DeleteAddon, with the associations it owns."""
    cluster, addon = _addon(eks, request)

    def vanish() -> None:
        _lend(eks, cluster, addon, {"podIdentityAssociations": []})
        cluster.addons.pop(addon["addonName"], None)

    eks.remove(addon, vanish)
    return {"addon": addon}


def describe_addon_versions(_eks: Backend, request: Request) -> Document:
    """DescribeAddonVersions: newest first, the first one being the default."""
    minors = [request["kubernetesVersion"]] if request.get("kubernetesVersion") else list(VERSIONS)
    names = [request["addonName"]] if request.get("addonName") else list(ADDONS)
    return {"addons": [answer for name in names if (answer := _offer(name, minors))["addonVersions"]]}


def _offer(name: str, minors: list[str]) -> Document:
    offers: dict[str, list[Document]] = {}
    for minor in minors:
        for place, version in enumerate(addon_versions(name, minor)):
            offers.setdefault(version, []).append(
                {"clusterVersion": minor, "platformVersions": ["*"], "defaultVersion": place == 0}
            )
    versions = [
        {"addonVersion": version, "architecture": ["amd64", "arm64"], "compatibilities": compatibilities}
        for version, compatibilities in offers.items()
    ]
    return {"addonName": name, "type": "networking", "publisher": "eks", "owner": "aws", "addonVersions": versions}


def _associate(eks: Backend, cluster: Cluster, request: Request, owner: str = "") -> Document:
    network.check_role(request["roleArn"])
    place = (request["namespace"], request["serviceAccount"])
    if place in {(known["namespace"], known["serviceAccount"]) for known in cluster.identities.values()}:
        raise errors.in_use(f"Association already exists for service account {'/'.join(place)}")
    identifier = f"a-{secrets.token_hex(9)[:17]}"
    now = eks.simulation.clock.now()
    association: Document = {
        "clusterName": cluster.name,
        "namespace": request["namespace"],
        "serviceAccount": request["serviceAccount"],
        "roleArn": request["roleArn"],
        "associationArn": eks.arn("podidentityassociation", cluster.name, identifier),
        "associationId": identifier,
        "tags": dict(request.get("tags") or {}),
        "createdAt": now,
        "modifiedAt": now,
        "disableSessionTags": bool(request.get("disableSessionTags")),
    }
    if request.get("targetRoleArn"):
        association["targetRoleArn"] = request["targetRoleArn"]
    if owner:
        association["ownerArn"] = owner
    cluster.identities[identifier] = association
    return association


def _association(eks: Backend, request: Request) -> tuple[Cluster, Document]:
    cluster = eks.cluster(request["clusterName"])
    if request["associationId"] not in cluster.identities:
        raise errors.not_found(f"Association {request['associationId']} not found in cluster {cluster.name}")
    return cluster, cluster.identities[request["associationId"]]


def create_pod_identity_association(eks: Backend, request: Request) -> Document:
    """CreatePodIdentityAssociation."""
    return {"association": _associate(eks, eks.active_cluster(request["clusterName"]), request)}


def describe_pod_identity_association(eks: Backend, request: Request) -> Document:
    """DescribePodIdentityAssociation."""
    return {"association": _association(eks, request)[1]}


def update_pod_identity_association(eks: Backend, request: Request) -> Document:
    """UpdatePodIdentityAssociation: the role."""
    _, association = _association(eks, request)
    if request.get("roleArn"):
        network.check_role(request["roleArn"])
    for member in ("roleArn", "targetRoleArn", "disableSessionTags"):
        if request.get(member) is not None:
            association[member] = request[member]
    association["modifiedAt"] = eks.simulation.clock.now()
    return {"association": association}


def delete_pod_identity_association(eks: Backend, request: Request) -> Document:
    """DeletePodIdentityAssociation."""
    cluster, association = _association(eks, request)
    return {"association": cluster.identities.pop(association["associationId"])}


def list_pod_identity_associations(eks: Backend, request: Request) -> Document:
    """ListPodIdentityAssociations, all or by namespace and service account."""
    wanted = {name: request[name] for name in ("namespace", "serviceAccount") if request.get(name)}
    found = {
        identifier: association
        for identifier, association in eks.cluster(request["clusterName"]).identities.items()
        if all(association[name] == value for name, value in wanted.items())
    }
    ids, token = page(list(found), request)
    return {"associations": [found[identifier] for identifier in ids], "nextToken": token}


OPERATIONS = {
    "CreateAddon": create_addon,
    "DescribeAddon": describe_addon,
    "ListAddons": list_addons,
    "UpdateAddon": update_addon,
    "DeleteAddon": delete_addon,
    "DescribeAddonVersions": describe_addon_versions,
    "CreatePodIdentityAssociation": create_pod_identity_association,
    "DescribePodIdentityAssociation": describe_pod_identity_association,
    "UpdatePodIdentityAssociation": update_pod_identity_association,
    "DeletePodIdentityAssociation": delete_pod_identity_association,
    "ListPodIdentityAssociations": list_pod_identity_associations,
}
