"""The simulated EKS in front of the real control plane: node groups are nodes, access entries are rights."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from kubernetes import client as kubernetes
from kubernetes import config
from kubernetes.client.exceptions import ApiException

from platformctl.core.clock import SystemClock
from tests.e2e.conftest import RunningSandbox

NAME = "link"
ACCOUNT = "123456789012"
POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKS{}Policy"
CLOCK = SystemClock()


@dataclass(frozen=True)
class Linked:
    """The cluster ``link`` in the session's sandbox."""

    sandbox: RunningSandbox
    ca: Path

    def aws(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        """A boto3 client, as the user who made the cluster or with a role session's keys."""
        return session(self.sandbox, keys).client(service, endpoint_url=self.sandbox.environment["AWS_ENDPOINT_URL"])

    def taken(self, role: str) -> dict[str, str]:
        """The keys of a session of a role."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        keys: dict[str, str] = self.aws("sts").assume_role(RoleArn=arn, RoleSessionName="tester")["Credentials"]
        return keys

    def admit(self, role: str, policy: str, *namespaces: str) -> dict[str, str]:
        """Makes a role with an access entry and a policy; the keys of a session of it."""
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = self.aws("iam").create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        eks = self.aws("eks")
        eks.create_access_entry(clusterName=NAME, principalArn=arn)
        scope = {"type": "namespace", "namespaces": list(namespaces)} if namespaces else {"type": "cluster"}
        policy_arn = POLICY.format(policy)
        eks.associate_access_policy(clusterName=NAME, principalArn=arn, policyArn=policy_arn, accessScope=scope)
        return self.taken(role)

    def api(self, token: str) -> Any:
        """The real API server at the address that EKS gives, for the bearer of a token."""
        settings = kubernetes.Configuration()
        settings.host = self.aws("eks").describe_cluster(name=NAME)["cluster"]["endpoint"]
        settings.ssl_ca_cert = str(self.ca)
        settings.api_key = {"authorization": f"Bearer {token}"}
        return kubernetes.CoreV1Api(kubernetes.ApiClient(settings))

    def administrator(self) -> Any:
        """With the sandbox's own certificate, past EKS."""
        return kubernetes.CoreV1Api(config.new_client_from_config(str(self.sandbox.kubeconfig)))  # type: ignore[no-untyped-call]

    def nodes(self) -> dict[str, Any]:
        """The nodes of node groups, by name."""
        found = self.administrator().list_node(label_selector="eks.amazonaws.com/nodegroup").items
        return {node.metadata.name: node for node in found}

    def ready(self) -> int:
        """How many of them are Ready."""
        return sum(
            any(state.type == "Ready" and state.status == "True" for state in node.status.conditions or [])
            for node in self.nodes().values()
        )


def session(sandbox: RunningSandbox, keys: Mapping[str, str] | None = None) -> boto3.Session:
    """Of the user ``platform``, or of a role session."""
    environment = sandbox.environment
    if keys is None:
        return boto3.Session(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
    return boto3.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=environment["AWS_REGION"]
    )


def token(signer: boto3.Session, cluster: str = NAME, secret: str = "") -> str:
    """What ``aws eks get-token`` prints."""
    keys = signer.get_credentials().get_frozen_credentials()
    request = AWSRequest(
        "GET",
        "https://sts.ap-northeast-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster},
    )
    credentials = Credentials(keys.access_key, secret or keys.secret_key, keys.token)
    SigV4QueryAuth(credentials, "sts", "ap-northeast-2", expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for something that other processes do."""
    limit = CLOCK.monotonic() + seconds
    while not condition():
        assert CLOCK.monotonic() < limit, "waited in vain"
        CLOCK.wait(0.1)


def status(call: Callable[..., Any], *arguments: Any) -> int:
    """The HTTP status a call to Kubernetes ends with."""
    try:
        call(*arguments)
    except ApiException as error:
        return int(error.status)
    return 200


def config_map(name: str) -> dict[str, Any]:
    """Something that an editor may create."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


@pytest.fixture(scope="module")
def link(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """The cluster, deleted again at the end with all that it made."""
    linked = Linked(sandbox, tmp_path_factory.mktemp("link") / "ca.pem")
    eks, iam, ec2 = linked.aws("eks"), linked.aws("iam"), linked.aws("ec2")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="link", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    private = [{"Name": "tag:Tier", "Values": ["private"]}]
    subnets = [item["SubnetId"] for item in ec2.describe_subnets(Filters=private)["Subnets"]]
    eks.create_cluster(
        name=NAME,
        version="1.33",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API"},
    )
    eks.create_nodegroup(
        clusterName=NAME,
        nodegroupName="workers",
        nodeRole=role,
        subnets=subnets,
        instanceTypes=["m5.large"],
        labels={"team": "orders"},
        scalingConfig={"minSize": 1, "maxSize": 8, "desiredSize": 3},
    )
    authority = eks.describe_cluster(name=NAME)["cluster"]["certificateAuthority"]["data"]
    linked.ca.write_bytes(base64.b64decode(authority))
    yield linked
    delete(linked)


def delete(link: Linked) -> None:
    """The cluster with its node groups, unless it is gone already."""
    eks = link.aws("eks")
    if NAME not in eks.list_clusters()["clusters"]:
        return
    for group in eks.list_nodegroups(clusterName=NAME)["nodegroups"]:
        eks.delete_nodegroup(clusterName=NAME, nodegroupName=group)
    eks.delete_cluster(name=NAME)
    until(lambda: link.nodes() == {})


def test_a_node_group_of_three_is_three_ready_nodes_over_both_zones_with_eks_labels(link: Linked) -> None:
    until(lambda: link.ready() == 3)
    nodes = list(link.nodes().values())
    zones = {node.metadata.labels["topology.kubernetes.io/zone"] for node in nodes}
    assert zones == {"ap-northeast-2a", "ap-northeast-2b"}
    for node in nodes:
        labels = node.metadata.labels
        assert (labels["eks.amazonaws.com/nodegroup"], labels["team"]) == ("workers", "orders")
        assert labels["node.kubernetes.io/instance-type"] == "m5.large"
        assert node.spec.provider_id.startswith(f"aws:///{labels['topology.kubernetes.io/zone']}/i-")
        assert node.status.node_info.kubelet_version.startswith("v1.33.")
        assert node.status.capacity["cpu"] == "2"


def test_resizing_the_group_resizes_the_nodes_and_leaves_the_others_alone(link: Linked) -> None:
    eks, before = link.aws("eks"), set(link.nodes())
    for size in (5, 2, 3):
        eks.update_nodegroup_config(clusterName=NAME, nodegroupName="workers", scalingConfig={"desiredSize": size})
        until(lambda size=size: len(link.nodes()) == link.ready() == size)  # type: ignore[misc]  # mypy 2 cannot infer it
    assert len(before & set(link.nodes())) == 2


def test_labels_and_taints_of_the_group_reach_the_nodes_that_are_there(link: Linked) -> None:
    before = set(link.nodes())
    link.aws("eks").update_nodegroup_config(
        clusterName=NAME,
        nodegroupName="workers",
        labels={"addOrUpdateLabels": {"tier": "gold"}, "removeLabels": ["team"]},
        taints={"addOrUpdateTaints": [{"key": "dedicated", "value": "x", "effect": "NO_SCHEDULE"}]},
    )
    until(lambda: all(node.metadata.labels.get("tier") == "gold" for node in link.nodes().values()))
    assert set(link.nodes()) == before
    for node in link.nodes().values():
        assert "team" not in node.metadata.labels
        assert ("dedicated", "NoSchedule") in {(taint.key, taint.effect) for taint in node.spec.taints}
    gone = {"removeTaints": [{"key": "dedicated", "value": "x", "effect": "NO_SCHEDULE"}]}
    link.aws("eks").update_nodegroup_config(clusterName=NAME, nodegroupName="workers", taints=gone)
    until(lambda: all(not node.spec.taints for node in link.nodes().values()))


def test_an_upgrade_of_the_group_replaces_its_nodes_by_newer_ones(link: Linked) -> None:
    eks, before = link.aws("eks"), set(link.nodes())
    eks.update_cluster_version(name=NAME, version="1.34")
    eks.update_nodegroup_version(clusterName=NAME, nodegroupName="workers")
    until(lambda: len(link.nodes()) == link.ready() == 3 and not before & set(link.nodes()))
    versions = {node.status.node_info.kubelet_version for node in link.nodes().values()}
    assert all(version.startswith("v1.34.") for version in versions)


def test_whoever_made_the_cluster_may_do_everything(link: Linked) -> None:
    api = link.api(token(session(link.sandbox)))
    until(lambda: status(api.list_node) == 200)
    assert len(api.list_node().items) >= 3
    assert status(api.list_secret_for_all_namespaces) == 200


def test_a_viewer_reads_and_writes_nothing(link: Linked) -> None:
    keys = link.admit("link-viewer", "View")
    api = link.api(token(session(link.sandbox, keys)))
    until(lambda: status(api.list_pod_for_all_namespaces) == 200)
    assert status(api.create_namespaced_config_map, "default", config_map("no")) == 403
    assert status(api.list_node) == 403
    assert status(api.list_secret_for_all_namespaces) == 403


def test_an_editor_of_some_namespaces_edits_there_also_in_those_that_come_later(link: Linked) -> None:
    keys = link.admit("link-editor", "Edit", "orders-*")
    api, administrator = link.api(token(session(link.sandbox, keys))), link.administrator()
    for namespace in ("orders-a", "billing"):
        administrator.create_namespace({"metadata": {"name": namespace}})
    until(lambda: status(api.create_namespaced_config_map, "orders-a", config_map("yes")) in {200, 409})
    for namespace in ("billing", "default"):
        assert status(api.create_namespaced_config_map, namespace, config_map("no")) == 403
    administrator.create_namespace({"metadata": {"name": "orders-b"}})
    until(lambda: status(api.create_namespaced_config_map, "orders-b", config_map("yes")) in {200, 409})


def test_tokens_that_are_forged_for_another_cluster_or_from_a_stranger_are_refused(link: Linked) -> None:
    owner = session(link.sandbox)
    stranger = session(link.sandbox, link.taken("platform-plan"))  # may take its role, has no access entry
    unknown = boto3.Session("AKIA0000000000000000", "x", region_name="ap-northeast-2")
    for wrong in (token(owner, secret="forged"), token(owner, "another"), token(stranger), token(unknown), "garbage"):
        assert status(link.api(wrong).list_namespace) == 401


def test_a_deleted_access_entry_ends_the_rights_that_it_gave(link: Linked) -> None:
    keys = link.admit("link-leaver", "View")
    api = link.api(token(session(link.sandbox, keys)))
    until(lambda: status(api.list_namespaced_pod, "default") == 200)
    arn = f"arn:aws:iam::{ACCOUNT}:role/link-leaver"
    link.aws("eks").delete_access_entry(clusterName=NAME, principalArn=arn)
    until(lambda: status(api.list_namespaced_pod, "default") == 401)


def test_a_second_cluster_is_refused_because_there_is_one_control_plane(link: Linked) -> None:
    eks = link.aws("eks")
    network = eks.describe_cluster(name=NAME)["cluster"]["resourcesVpcConfig"]
    role = f"arn:aws:iam::{ACCOUNT}:role/link"
    with pytest.raises(ClientError, match=f"one control plane and cluster {NAME} has it"):
        eks.create_cluster(name="second", roleArn=role, resourcesVpcConfig={"subnetIds": network["subnetIds"]})


def test_a_deleted_cluster_leaves_no_node_no_right_and_no_workload_to_the_next_one(link: Linked) -> None:
    administrator = link.administrator()
    stubborn = {"metadata": {"name": "stubborn", "finalizers": ["example.org/nobody-answers"]}}
    administrator.create_namespace({"metadata": {"name": "left-behind"}})
    administrator.create_namespaced_config_map("left-behind", stubborn)
    administrator.create_namespaced_config_map("default", config_map("left-behind"))
    delete(link)
    until(lambda: status(administrator.read_namespace, "left-behind") == 404)
    until(lambda: status(administrator.read_namespaced_config_map, "left-behind", "default") == 404)
    rights = kubernetes.RbacAuthorizationV1Api(administrator.api_client)
    until(lambda: status(rights.read_cluster_role_binding, "sandbox:AmazonEKSViewPolicy") == 404)
    for kept in ("default", "kube-system", "kube-public", "kube-node-lease"):
        assert administrator.read_namespace(kept).status.phase == "Active"
