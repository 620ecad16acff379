"""Who may enter a cluster: access entries, the policies associated with them, and the user they make of a caller."""

from __future__ import annotations

import re
import uuid

from platformctl.sandbox.aws.eks import errors, network
from platformctl.sandbox.aws.eks.models import AccessEntry, Backend, Cluster, Document, Request, page
from platformctl.sandbox.aws.identity import Principal
from platformctl.sandbox.aws.tokens import KubernetesUser

POLICY_PREFIX = "arn:aws:eks::aws:cluster-access-policy/"
# The policies for people, which the link turns into RBAC. AWS evaluates its own in an authorizer of EKS.
POLICIES = (
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
)
# Groups that stand for policies are called so that nobody takes them for EKS's own.
GROUP_PREFIX = "sandbox:"
_NODE_TYPES = ("EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX")
_RESERVED_GROUP = re.compile(r"^(system|eks|aws|amazon|iam):")


def policy_group(policy: str, namespace: str = "") -> str:
    """The group that holds a policy, for the whole cluster or for namespaces that match a pattern."""
    return f"{GROUP_PREFIX}{policy}:{namespace}" if namespace else f"{GROUP_PREFIX}{policy}"


def admit_creator(eks: Backend, cluster: Cluster, principal: str) -> None:
    """The entry EKS makes for whoever creates a cluster: administrator of it."""
    entry = _entry(eks, cluster, {"principalArn": principal})
    policy = f"{POLICY_PREFIX}AmazonEKSClusterAdminPolicy"
    entry.policies[policy] = _association(eks, policy, {"type": "cluster"})
    cluster.entries[principal] = entry


def admit_nodes(eks: Backend, cluster: Cluster, role: str) -> None:
    """The entry EKS makes for the role of a managed node group."""
    if role not in cluster.entries:
        cluster.entries[role] = _entry(eks, cluster, {"principalArn": role, "type": "EC2_LINUX"})


def dismiss_nodes(cluster: Cluster, role: str) -> None:
    """Removes that entry with the last group of the role."""
    if all(group.document["nodeRole"] != role for group in cluster.nodegroups.values()):
        cluster.entries.pop(role, None)


def user_of(cluster: Cluster, principal: Principal) -> KubernetesUser | None:
    """Whom the principal's access entry makes of it; None without one."""
    entry = cluster.entries.get(principal.principal_arn)
    if entry is None or cluster.document["status"] not in {"ACTIVE", "UPDATING"}:
        return None
    session = principal.session or principal.arn.rpartition("/")[2]
    username = str(entry.document["username"])
    for placeholder in ("{{SessionName}}", "{{SessionNameRaw}}", "{{EC2PrivateDNSName}}"):
        username = username.replace(placeholder, session)
    groups = list(entry.document["kubernetesGroups"])
    for arn, association in entry.policies.items():
        policy, scope = arn.removeprefix(POLICY_PREFIX), association["accessScope"]
        groups += [policy_group(policy, name) for name in (scope.get("namespaces") or [""])]
    return KubernetesUser(username, f"aws-iam-authenticator:{principal.account}:{principal.user_id}", tuple(groups))


def _entry(eks: Backend, cluster: Cluster, request: Request) -> AccessEntry:
    arn, kind, now = request["principalArn"], request.get("type") or "STANDARD", eks.simulation.clock.now()
    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    family = "role" if ":role/" in arn else "user"
    if kind in _NODE_TYPES:
        username, groups = "system:node:{{EC2PrivateDNSName}}", ["system:nodes"]
    elif family == "role":
        username, groups = f"arn:aws:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}", []
    else:
        username, groups = arn, []
    return AccessEntry(
        {
            "clusterName": cluster.name,
            "principalArn": arn,
            "accessEntryArn": eks.arn("access-entry", cluster.name, family, account, name, str(uuid.uuid4())),
            "createdAt": now,
            "modifiedAt": now,
            "type": kind,
            "username": request.get("username") or username,
            "kubernetesGroups": list(request.get("kubernetesGroups") or groups),
            "tags": dict(request.get("tags") or {}),
        }
    )


def _open_cluster(eks: Backend, request: Request) -> Cluster:
    cluster = eks.cluster(request["clusterName"])
    if cluster.document["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise errors.invalid_request(
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
            "operation."
        )
    return cluster


def _existing(eks: Backend, request: Request) -> AccessEntry:
    cluster = _open_cluster(eks, request)
    if request["principalArn"] not in cluster.entries:
        raise errors.not_found(
            "The specified access entry resource could not be found: principalArn={}".format(request["principalArn"])
        )
    return cluster.entries[request["principalArn"]]


def _check_groups(request: Request) -> None:
    for group in request.get("kubernetesGroups") or []:
        if match := _RESERVED_GROUP.match(group):
            raise errors.invalid_parameter(
                f"The kubernetes group name {group} is invalid, it cannot start with {match.group()}"
            )


def create_access_entry(eks: Backend, request: Request) -> Document:
    """CreateAccessEntry."""
    cluster = _open_cluster(eks, request)
    _check_groups(request)
    network.check_principal(request["principalArn"])
    if request["principalArn"] in cluster.entries:
        raise errors.in_use("The specified access entry resource is already in use on this cluster.")
    if request.get("type") in _NODE_TYPES and (request.get("kubernetesGroups") or request.get("username")):
        raise errors.invalid_parameter(f"type {request['type']} takes neither groups nor a username")
    entry = cluster.entries[request["principalArn"]] = _entry(eks, cluster, request)
    return {"accessEntry": entry.document}


def describe_access_entry(eks: Backend, request: Request) -> Document:
    """DescribeAccessEntry."""
    return {"accessEntry": _existing(eks, request).document}


def list_access_entries(eks: Backend, request: Request) -> Document:
    """ListAccessEntries, all or those with a policy."""
    wanted = request.get("associatedPolicyArn")
    entries = _open_cluster(eks, request).entries
    arns, token = page([arn for arn, entry in entries.items() if not wanted or wanted in entry.policies], request)
    return {"accessEntries": arns, "nextToken": token}


def update_access_entry(eks: Backend, request: Request) -> Document:
    """UpdateAccessEntry: groups and username."""
    entry = _existing(eks, request)
    _check_groups(request)
    for name in ("kubernetesGroups", "username"):
        if request.get(name) is not None:
            entry.document[name] = request[name]
    entry.document["modifiedAt"] = eks.simulation.clock.now()
    return {"accessEntry": entry.document}


def delete_access_entry(eks: Backend, request: Request) -> Document:
    """DeleteAccessEntry."""
    _existing(eks, request)
    del eks.cluster(request["clusterName"]).entries[request["principalArn"]]
    eks.simulation.changed()
    return {}


def _association(eks: Backend, policy: str, scope: Document) -> Document:
    now = eks.simulation.clock.now()
    return {"policyArn": policy, "accessScope": scope, "associatedAt": now, "modifiedAt": now}


def associate_access_policy(eks: Backend, request: Request) -> Document:
    """AssociateAccessPolicy; a second one for the same policy replaces its scope."""
    entry, policy = _existing(eks, request), request["policyArn"]
    scope = {"type": request["accessScope"].get("type") or "cluster"}
    namespaces = list(request["accessScope"].get("namespaces") or [])
    if policy.removeprefix(POLICY_PREFIX) not in POLICIES or not policy.startswith(POLICY_PREFIX):
        raise errors.invalid_parameter(f"The policyArn {policy} is not one of ListAccessPolicies")
    if entry.document["type"] != "STANDARD":
        raise errors.invalid_request(f"Access policies cannot be associated with type {entry.document['type']}")
    if (scope["type"] == "namespace") != bool(namespaces):
        raise errors.invalid_parameter(f"scope {scope['type']} with namespaces {namespaces} makes no sense")
    entry.policies[policy] = _association(eks, policy, {**scope, "namespaces": namespaces})
    eks.simulation.changed()
    return {
        "clusterName": request["clusterName"],
        "principalArn": request["principalArn"],
        "associatedAccessPolicy": entry.policies[policy],
    }


def list_associated_access_policies(eks: Backend, request: Request) -> Document:
    """ListAssociatedAccessPolicies."""
    entry = _existing(eks, request)
    return {
        "clusterName": request["clusterName"],
        "principalArn": request["principalArn"],
        "associatedAccessPolicies": list(entry.policies.values()),
    }


def disassociate_access_policy(eks: Backend, request: Request) -> Document:
    """DisassociateAccessPolicy."""
    entry = _existing(eks, request)
    if entry.policies.pop(request["policyArn"], None) is None:
        raise errors.not_found(f"The policy {request['policyArn']} is not associated with this access entry")
    eks.simulation.changed()
    return {}


def list_access_policies(_eks: Backend, request: Request) -> Document:
    """ListAccessPolicies."""
    names, token = page(list(POLICIES), request)
    return {"accessPolicies": [{"name": name, "arn": f"{POLICY_PREFIX}{name}"} for name in names], "nextToken": token}


OPERATIONS = {
    "CreateAccessEntry": create_access_entry,
    "DescribeAccessEntry": describe_access_entry,
    "ListAccessEntries": list_access_entries,
    "UpdateAccessEntry": update_access_entry,
    "DeleteAccessEntry": delete_access_entry,
    "AssociateAccessPolicy": associate_access_policy,
    "ListAssociatedAccessPolicies": list_associated_access_policies,
    "DisassociateAccessPolicy": disassociate_access_policy,
    "ListAccessPolicies": list_access_policies,
}
