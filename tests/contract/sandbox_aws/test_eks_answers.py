"""The answers of the simulated EKS that Terraform's AWS provider insists on, route by route.

A field that is missing here crashes the provider, replaces the resource or shows up on every plan; a new moto or
botocore that words something else is one failing test, not an apply that hangs.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.simulated_aws import ACCOUNT, REGION, SimulatedAws

ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


class Api:
    """Signed requests without an SDK: what is compared is the wire."""

    def __init__(self, aws: SimulatedAws) -> None:
        self.aws = aws
        self.role = aws.service_role("golden")
        self.subnets = aws.private_subnets()

    def __call__(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Status and document."""
        body = "" if document is None else json.dumps(document)
        request = AWSRequest(
            method, f"{self.aws.endpoint}{path}", data=body, headers={"Content-Type": "application/json"}
        )
        keys = self.aws.credentials
        SigV4Auth(Credentials(keys["access_key_id"], keys["secret_access_key"]), "eks", REGION).add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", self.aws.port, timeout=10)
        try:
            connection.request(method, path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else {}
        finally:
            connection.close()

    def ok(self, method: str, path: str, document: Any = None) -> Any:
        """The document of an answer that must be 200."""
        status, answer = self(method, path, document)
        assert status == 200, answer
        return answer

    def finished(self, update: Any, query: str = "") -> Any:
        """An update of the cluster, looked at again."""
        assert update["update"]["status"] == "InProgress"
        return self.ok("GET", f"/clusters/golden/updates/{update['update']['id']}{query}")["update"]


@pytest.fixture(scope="module")
def api(aws: SimulatedAws) -> Api:
    """With the cluster ``golden``."""
    api = Api(aws)
    cluster = {
        "name": "golden",
        "roleArn": api.role,
        "version": "1.33",
        "resourcesVpcConfig": {"subnetIds": api.subnets},
        "accessConfig": {"authenticationMode": "CONFIG_MAP"},
        "tags": {"team": "platform"},
    }
    assert api.ok("POST", "/clusters", cluster)["cluster"]["status"] == "CREATING"
    return api


def test_a_cluster_has_every_field_and_eks_defaults(api: Api) -> None:
    cluster = api.ok("GET", "/clusters/golden")["cluster"]
    assert isinstance(cluster.pop("createdAt"), float | int)
    assert cluster.pop("endpoint").startswith("https://")
    assert cluster.pop("certificateAuthority")["data"].startswith("LS0tLS1CRUdJTi")  # base64 of a PEM's first line
    issuer = cluster.pop("identity")["oidc"]["issuer"]
    assert issuer.startswith(f"https://oidc.eks.{REGION}.amazonaws.com/id/")
    network = cluster.pop("resourcesVpcConfig")
    assert network.pop("vpcId").startswith("vpc-")
    assert network.pop("clusterSecurityGroupId").startswith("sg-")
    assert network == {
        "subnetIds": api.subnets,
        "securityGroupIds": [],
        "endpointPublicAccess": True,
        "endpointPrivateAccess": False,
        "publicAccessCidrs": ["0.0.0.0/0"],
    }
    types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    assert cluster == {
        "name": "golden",
        "arn": f"{ARN}:cluster/golden",
        "status": "ACTIVE",
        "version": "1.33",
        "platformVersion": "eks.1",
        "roleArn": api.role,
        "accessConfig": {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True},
        "upgradePolicy": {"supportType": "EXTENDED"},
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": "172.20.0.0/16",
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": False},
        },
        "logging": {"clusterLogging": [{"types": types, "enabled": False}]},
        "encryptionConfig": [],
        "deletionProtection": False,
        "health": {"issues": []},
        "tags": {"team": "platform"},
    }


@pytest.mark.parametrize(
    ("change", "kind", "member", "becomes"),
    [
        ({"accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}}, "AccessConfigUpdate", "accessConfig",
         {"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True}),
        ({"accessConfig": {"authenticationMode": "API"}}, "AccessConfigUpdate", "accessConfig",
         {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True}),
        ({"upgradePolicy": {"supportType": "STANDARD"}}, "UpgradePolicyUpdate", "upgradePolicy",
         {"supportType": "STANDARD"}),
        ({"logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}}, "LoggingUpdate", "logging",
         {"clusterLogging": [{"types": ["api", "audit"], "enabled": True},
                             {"types": ["authenticator", "controllerManager", "scheduler"], "enabled": False}]}),
    ],
)  # fmt: skip
def test_one_kind_of_change_per_update_is_merged_and_answered_as_an_update(
    api: Api, change: Any, kind: str, member: str, becomes: Any
) -> None:
    update = api.finished(api.ok("POST", "/clusters/golden/update-config", change))
    assert (update["status"], update["type"], update["errors"]) == ("Successful", kind, [])
    assert isinstance(update["createdAt"], float | int)
    assert api.ok("GET", "/clusters/golden")["cluster"][member] == becomes


def test_endpoint_access_is_merged_and_encryption_is_associated_once(api: Api) -> None:
    change = {"resourcesVpcConfig": {"endpointPrivateAccess": True, "publicAccessCidrs": ["192.0.2.0/24"]}}
    assert api.finished(api.ok("POST", "/clusters/golden/update-config", change))["type"] == "EndpointAccessUpdate"
    network = api.ok("GET", "/clusters/golden")["cluster"]["resourcesVpcConfig"]
    assert (network["endpointPublicAccess"], network["endpointPrivateAccess"]) == (True, True)
    assert (network["publicAccessCidrs"], network["subnetIds"]) == (["192.0.2.0/24"], api.subnets)
    wanted = {"encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": "arn:aws:kms:x"}}]}
    update = api.ok("POST", "/clusters/golden/encryption-config/associate", wanted)
    assert api.finished(update)["type"] == "AssociateEncryptionConfig"
    assert api.ok("GET", "/clusters/golden")["cluster"]["encryptionConfig"] == wanted["encryptionConfig"]
    assert api("POST", "/clusters/golden/encryption-config/associate", wanted)[0] == 400


def test_an_upgrade_goes_up_one_minor_and_nowhere_else(api: Api) -> None:
    assert api.finished(api.ok("POST", "/clusters/golden/updates", {"version": "1.34"}))["status"] == "Successful"
    assert api.ok("GET", "/clusters/golden")["cluster"]["version"] == "1.34"
    for version in ("1.33", "1.34", "1.36"):
        status, answer = api("POST", "/clusters/golden/updates", {"version": version})
        assert (status, answer["__type"]) == (400, "InvalidParameterException")


def test_a_node_group_has_every_field_and_changes_through_updates(api: Api) -> None:
    wanted = {"nodegroupName": "ng", "nodeRole": api.role, "subnets": api.subnets, "tags": {"a": "b"}}
    assert api.ok("POST", "/clusters/golden/node-groups", wanted)["nodegroup"]["status"] == "CREATING"
    group = api.ok("GET", "/clusters/golden/node-groups/ng")["nodegroup"]
    identifier = group.pop("nodegroupArn").rpartition("/")[2]
    assert group.pop("resources") == {"autoScalingGroups": [{"name": f"eks-ng-{identifier}"}]}
    assert group.pop("createdAt") == group.pop("modifiedAt")
    assert group.pop("releaseVersion").startswith("1.34.")
    assert group == {
        "nodegroupName": "ng",
        "clusterName": "golden",
        "version": "1.34",
        "status": "ACTIVE",
        "capacityType": "ON_DEMAND",
        "scalingConfig": {"minSize": 1, "maxSize": 2, "desiredSize": 2},
        "instanceTypes": ["t3.medium"],
        "subnets": api.subnets,
        "amiType": "AL2023_x86_64_STANDARD",
        "nodeRole": api.role,
        "labels": {},
        "taints": [],
        "diskSize": 20,
        "health": {"issues": []},
        "updateConfig": {"maxUnavailable": 1},
        "tags": {"a": "b"},
    }
    taint = {"key": "dedicated", "value": "x", "effect": "NO_SCHEDULE"}
    change = {
        "scalingConfig": {"desiredSize": 4, "maxSize": 6},
        "labels": {"addOrUpdateLabels": {"l": "1"}},
        "taints": {"addOrUpdateTaints": [taint]},
    }
    update = api.ok("POST", "/clusters/golden/node-groups/ng/update-config", change)
    assert api.finished(update, "?nodegroupName=ng")["type"] == "ConfigUpdate"
    group = api.ok("GET", "/clusters/golden/node-groups/ng")["nodegroup"]
    assert group["scalingConfig"] == {"minSize": 1, "maxSize": 6, "desiredSize": 4}
    assert (group["labels"], group["taints"]) == ({"l": "1"}, [taint])
    update = api.ok("POST", "/clusters/golden/node-groups/ng/update-version", {})
    assert api.finished(update)["type"] == "VersionUpdate"
    assert api.ok("GET", "/clusters/golden/node-groups")["nodegroups"] == ["ng"]


def test_an_add_on_has_every_field_and_owns_the_roles_it_is_given(api: Api) -> None:
    offered = api.ok("GET", "/addons/supported-versions?addonName=vpc-cni&kubernetesVersion=1.34")["addons"][0]
    newest = offered["addonVersions"][0]
    assert newest["compatibilities"][0] == {
        "clusterVersion": "1.34", "platformVersions": ["*"], "defaultVersion": True
    }  # fmt: skip
    wanted = {
        "addonName": "vpc-cni",
        "podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": api.role}],
        "configurationValues": "{}",
    }
    assert api.ok("POST", "/clusters/golden/addons", wanted)["addon"]["status"] == "CREATING"
    addon = api.ok("GET", "/clusters/golden/addons/vpc-cni")["addon"]
    [association] = addon.pop("podIdentityAssociations")
    assert addon.pop("addonArn").startswith(f"{ARN}:addon/golden/vpc-cni/")
    assert addon.pop("createdAt") == addon.pop("modifiedAt")
    assert addon == {
        "addonName": "vpc-cni",
        "clusterName": "golden",
        "addonVersion": newest["addonVersion"],
        "status": "ACTIVE",
        "health": {"issues": []},
        "publisher": "eks",
        "owner": "aws",
        "configurationValues": "{}",
        "tags": {},
    }
    path = f"/clusters/golden/pod-identity-associations/{association.rpartition('/')[2]}"
    lent = api.ok("GET", path)["association"]
    assert (lent["namespace"], lent["serviceAccount"]) == ("kube-system", "aws-node")
    update = api.ok("POST", "/clusters/golden/addons/vpc-cni/update", {"configurationValues": '{"a":1}'})
    assert api.finished(update, "?addonName=vpc-cni")["type"] == "AddonUpdate"
    assert api.ok("GET", "/clusters/golden/addons")["addons"] == ["vpc-cni"]
    assert api.ok("DELETE", "/clusters/golden/addons/vpc-cni")["addon"]["status"] == "DELETING"
    assert api("GET", "/clusters/golden/addons/vpc-cni")[0] == 404
    assert api("GET", path)[0] == 404


def test_access_entries_and_their_policies_are_found_under_an_encoded_arn(api: Api) -> None:
    entry = f"/clusters/golden/access-entries/{quote(api.aws.service_role('golden-viewer'), safe='')}"
    wanted = {"principalArn": f"arn:aws:iam::{ACCOUNT}:role/golden-viewer", "kubernetesGroups": ["readers"]}
    api.ok("POST", "/clusters/golden/access-entries", wanted)
    found = api.ok("GET", entry)["accessEntry"]
    assert found.pop("accessEntryArn").startswith(f"{ARN}:access-entry/golden/role/{ACCOUNT}/golden-viewer/")
    assert found.pop("createdAt") == found.pop("modifiedAt")
    assert found == {
        "clusterName": "golden",
        "principalArn": wanted["principalArn"],
        "kubernetesGroups": ["readers"],
        "username": f"arn:aws:sts::{ACCOUNT}:assumed-role/golden-viewer/{{{{SessionName}}}}",
        "type": "STANDARD",
        "tags": {},
    }
    scope = {"type": "namespace", "namespaces": ["default"]}
    made = api.ok("POST", f"{entry}/access-policies", {"policyArn": VIEW, "accessScope": scope})
    assert made["associatedAccessPolicy"]["accessScope"] == scope
    [listed] = api.ok("GET", f"{entry}/access-policies")["associatedAccessPolicies"]
    assert (listed["policyArn"], listed["accessScope"]) == (VIEW, scope)
    assert api.ok("POST", entry, {"kubernetesGroups": ["writers"]})["accessEntry"]["kubernetesGroups"] == ["writers"]
    assert wanted["principalArn"] in api.ok("GET", "/clusters/golden/access-entries")["accessEntries"]
    api.ok("DELETE", f"{entry}/access-policies/{quote(VIEW, safe='')}")
    assert api.ok("GET", f"{entry}/access-policies")["associatedAccessPolicies"] == []
    api.ok("DELETE", entry)
    assert api("GET", entry)[0] == 404


def test_a_pod_identity_association_has_every_field(api: Api) -> None:
    wanted = {"namespace": "default", "serviceAccount": "x", "roleArn": api.role, "tags": {"a": "b"}}
    made = api.ok("POST", "/clusters/golden/pod-identity-associations", wanted)["association"]
    found = api.ok("GET", f"/clusters/golden/pod-identity-associations/{made['associationId']}")["association"]
    assert found == made
    assert wanted.items() <= found.items()
    assert found["associationArn"] == f"{ARN}:podidentityassociation/golden/{made['associationId']}"
    assert api("POST", "/clusters/golden/pod-identity-associations", wanted)[0] == 409
    api.ok("DELETE", f"/clusters/golden/pod-identity-associations/{made['associationId']}")


def test_tags_work_on_every_kind_and_show_in_the_tagging_api(api: Api) -> None:
    groups = api.ok("GET", "/clusters/golden/node-groups/ng")["nodegroup"]
    for arn in (f"{ARN}:cluster/golden", groups["nodegroupArn"]):
        path = f"/tags/{quote(arn, safe='')}"
        api.ok("POST", path, {"tags": {"golden": "yes", "gone": "soon"}})
        api.ok("DELETE", f"{path}?tagKeys=gone&tagKeys=never")
        assert api.ok("GET", path)["tags"]["golden"] == "yes"
        assert "gone" not in api.ok("GET", path)["tags"]
    assert api("GET", f"/tags/{quote(f'{ARN}:cluster/none', safe='')}")[0] == 404
    tagging = api.aws.client("resourcegroupstaggingapi")
    found = tagging.get_resources(TagFilters=[{"Key": "golden"}])["ResourceTagMappingList"]
    assert {item["ResourceARN"] for item in found} == {f"{ARN}:cluster/golden", groups["nodegroupArn"]}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/clusters/none", "ResourceNotFoundException"),
        ("/clusters/golden/node-groups/none", "ResourceNotFoundException"),
        ("/clusters/golden/addons/none", "ResourceNotFoundException"),
        ("/clusters/golden/updates/none", "ResourceNotFoundException"),
        ("/clusters/golden/pod-identity-associations/none", "ResourceNotFoundException"),
    ],
)
def test_what_is_not_there_is_a_404_that_providers_understand(api: Api, path: str, kind: str) -> None:
    status, answer = api("GET", path)
    assert (status, answer["__type"]) == (404, kind)


def test_what_is_not_simulated_is_one_clear_refusal_and_no_endless_retry(api: Api) -> None:
    status, answer = api("GET", "/clusters/golden/fargate-profiles")
    assert (status, answer["__type"]) == (400, "SandboxNotImplemented")
    assert "ListFargateProfiles" in answer["message"]
    status, answer = api("GET", "/no-such-route")
    assert (status, answer["__type"]) == (400, "SandboxNotImplemented")


def test_versions_are_listed_with_their_support(api: Api) -> None:
    versions = {item["clusterVersion"]: item for item in api.ok("GET", "/cluster-versions")["clusterVersions"]}
    assert versions["1.34"]["defaultVersion"] is True
    [one] = api.ok("GET", "/cluster-versions?clusterVersions=1.33")["clusterVersions"]
    assert one["clusterVersion"] == "1.33"
