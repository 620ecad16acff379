"""What the simulated EKS allows and refuses, seen by boto3: the same mistakes fail here as in AWS."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.simulated_aws import ACCOUNT, SimulatedAws

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def refused(code: str, call: Callable[..., Any], **request: Any) -> str:
    """The message of a call that must fail with this code."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def set_delays(aws: SimulatedAws, **delays: float) -> None:
    """Through the control route."""
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request("PUT", "/_sandbox/delays", json.dumps(delays))
    assert connection.getresponse().status == 200
    connection.close()


@pytest.fixture(scope="module")
def role(aws: SimulatedAws) -> str:
    """For clusters and nodes."""
    return aws.service_role("rules")


@pytest.fixture
def cluster(aws: SimulatedAws, role: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh one in API mode, gone after the test."""
    eks, name = aws.client("eks"), f"c{abs(hash(request.node.name)) % 10**8}"
    eks.create_cluster(
        name=name,
        roleArn=role,
        resourcesVpcConfig={"subnetIds": aws.private_subnets()},
        accessConfig={"authenticationMode": "API"},
    )
    yield name
    for group in eks.list_nodegroups(clusterName=name)["nodegroups"]:
        eks.delete_nodegroup(clusterName=name, nodegroupName=group)
    eks.delete_cluster(name=name)


def test_whoever_creates_a_cluster_becomes_its_administrator(aws: SimulatedAws, cluster: str) -> None:
    eks, user = aws.client("eks"), f"arn:aws:iam::{ACCOUNT}:user/platform"
    assert eks.list_access_entries(clusterName=cluster)["accessEntries"] == [user]
    policies = eks.list_associated_access_policies(clusterName=cluster, principalArn=user)["associatedAccessPolicies"]
    assert [(item["policyArn"], item["accessScope"]["type"]) for item in policies] == [(ADMIN, "cluster")]


def test_a_role_that_creates_a_cluster_is_admitted_as_the_role_and_not_as_its_session(
    aws: SimulatedAws, role: str
) -> None:
    eks = aws.as_role("platform-apply", "eks")
    network = {"subnetIds": aws.private_subnets()}
    eks.create_cluster(
        name="by-role", roleArn=role, resourcesVpcConfig=network, accessConfig={"authenticationMode": "API"}
    )
    entries = eks.list_access_entries(clusterName="by-role")["accessEntries"]
    assert entries == [f"arn:aws:iam::{ACCOUNT}:role/platform-apply"]
    eks.delete_cluster(name="by-role")


def test_access_entries_need_a_mode_that_has_them_and_the_mode_goes_forward_only(aws: SimulatedAws, role: str) -> None:
    eks = aws.client("eks")
    eks.create_cluster(name="modes", roleArn=role, resourcesVpcConfig={"subnetIds": aws.private_subnets()})
    refused("InvalidRequestException", eks.list_access_entries, clusterName="modes")
    eks.update_cluster_config(name="modes", accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    assert len(eks.list_access_entries(clusterName="modes")["accessEntries"]) == 1
    eks.update_cluster_config(name="modes", accessConfig={"authenticationMode": "API"})
    for mode in ("CONFIG_MAP", "API_AND_CONFIG_MAP"):
        change = {"name": "modes", "accessConfig": {"authenticationMode": mode}}
        message = refused("InvalidParameterException", eks.update_cluster_config, **change)
        assert message == f"Unsupported authentication mode update from API to {mode}"
    eks.delete_cluster(name="modes")


def test_a_node_groups_role_is_admitted_and_leaves_with_the_last_group(
    aws: SimulatedAws, cluster: str, role: str
) -> None:
    eks, subnets = aws.client("eks"), aws.private_subnets()
    for name in ("a", "b"):
        eks.create_nodegroup(clusterName=cluster, nodegroupName=name, subnets=subnets, nodeRole=role)
    entry = eks.describe_access_entry(clusterName=cluster, principalArn=role)["accessEntry"]
    assert (entry["type"], entry["kubernetesGroups"]) == ("EC2_LINUX", ["system:nodes"])
    eks.delete_nodegroup(clusterName=cluster, nodegroupName="a")
    assert role in eks.list_access_entries(clusterName=cluster)["accessEntries"]
    eks.delete_nodegroup(clusterName=cluster, nodegroupName="b")
    assert role not in eks.list_access_entries(clusterName=cluster)["accessEntries"]


def test_a_cluster_with_node_groups_is_not_deleted(aws: SimulatedAws, cluster: str, role: str) -> None:
    eks = aws.client("eks")
    eks.create_nodegroup(clusterName=cluster, nodegroupName="ng", subnets=aws.private_subnets(), nodeRole=role)
    assert refused("ResourceInUseException", eks.delete_cluster, name=cluster) == "Cluster has nodegroups attached"


def test_names_are_taken_once(aws: SimulatedAws, cluster: str, role: str) -> None:
    eks, subnets = aws.client("eks"), aws.private_subnets()
    group = {"clusterName": cluster, "nodegroupName": "ng", "subnets": subnets, "nodeRole": role}
    eks.create_nodegroup(**group)
    refused("ResourceInUseException", eks.create_nodegroup, **group)
    network = {"subnetIds": subnets}
    refused("ResourceInUseException", eks.create_cluster, name=cluster, roleArn=role, resourcesVpcConfig=network)


def test_what_a_request_names_must_exist(aws: SimulatedAws, cluster: str, role: str) -> None:
    eks, subnets = aws.client("eks"), aws.private_subnets()
    wanted = {"name": "x", "roleArn": role, "resourcesVpcConfig": {"subnetIds": subnets}}
    wrong = "InvalidParameterException"
    refused(wrong, eks.create_cluster, **{**wanted, "roleArn": f"{role}-none"})
    refused(wrong, eks.create_cluster, **{**wanted, "version": "1.99"})
    assert "subnet-0none" in refused(
        wrong, eks.create_cluster, **{**wanted, "resourcesVpcConfig": {"subnetIds": [subnets[0], "subnet-0none"]}}
    )
    assert "two different AZs" in refused(
        wrong, eks.create_cluster, **{**wanted, "resourcesVpcConfig": {"subnetIds": subnets[:1]}}
    )
    group = {"clusterName": cluster, "nodegroupName": "ng", "subnets": subnets, "nodeRole": role}
    assert "t3.gigantic" in refused(wrong, eks.create_nodegroup, **group, instanceTypes=["t3.gigantic"])
    sizes = {"minSize": 3, "maxSize": 5, "desiredSize": 2}
    assert "Minimum capacity 3" in refused(wrong, eks.create_nodegroup, **group, scalingConfig=sizes)
    refused(wrong, eks.create_addon, clusterName=cluster, addonName="no-such-addon")
    refused(wrong, eks.create_addon, clusterName=cluster, addonName="coredns", addonVersion="v0")
    refused(wrong, eks.create_addon, clusterName=cluster, addonName="coredns", configurationValues="{broken")
    stranger = f"arn:aws:iam::{ACCOUNT}:role/stranger"
    refused(wrong, eks.create_access_entry, clusterName=cluster, principalArn=stranger)
    reserved = {"clusterName": cluster, "principalArn": role, "kubernetesGroups": ["system:masters"]}
    refused(wrong, eks.create_access_entry, **reserved)


def test_transitions_take_as_long_as_they_are_told(aws: SimulatedAws, role: str) -> None:
    eks, subnets = aws.client("eks"), aws.private_subnets()
    eks.create_cluster(name="slow", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    group = {"clusterName": "slow", "nodegroupName": "slow"}
    try:
        set_delays(aws, update=600.0, nodegroup=600.0)
        eks.create_nodegroup(**group, subnets=subnets, nodeRole=role)
        assert eks.describe_nodegroup(**group)["nodegroup"]["status"] == "CREATING"
        refused("ResourceInUseException", eks.update_nodegroup_config, **group, labels={"removeLabels": ["x"]})
        update = eks.update_cluster_config(name="slow", upgradePolicy={"supportType": "STANDARD"})["update"]
        assert eks.describe_update(name="slow", updateId=update["id"])["update"]["status"] == "InProgress"
        found = eks.describe_cluster(name="slow")["cluster"]
        assert (found["status"], found["upgradePolicy"]) == ("UPDATING", {"supportType": "EXTENDED"})
        refused("ResourceInUseException", eks.update_cluster_version, name="slow", version="1.34")
    finally:
        set_delays(aws, update=0.0, nodegroup=0.0)
