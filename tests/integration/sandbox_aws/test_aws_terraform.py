"""The real Terraform and the real AWS provider against the simulated EKS: nothing left to do after each change.

The account is thrown away: before DeleteCluster the provider waits a random time of up to 57 s.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command, CommandRunner, Completed
from platformctl.core.errors import CommandFailed
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.sandbox.aws.faults import Kind, Rule
from platformctl.toolchain.providers import find_mirrors
from tests.simulated_aws import SimulatedAws

STACK = Path(__file__).parent / "eks"
FIRST: Mapping[str, Any] = {"kubernetes_version": "1.33", "desired_size": 2, "tag": "a", "log_types": ["api", "audit"]}
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Terraform:
    """Terraform in one directory, against one AWS."""

    runner: CommandRunner
    directory: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> Completed:
        """One command."""
        argv = ("terraform", *arguments, "-no-color", "-input=false")
        return self.runner.run(Command(argv, cwd=self.directory, env=self.environment, timeout=120.0, ok_codes=ok))

    def apply(self, **variables: Any) -> None:
        """Applies, and finds nothing more to do."""
        values = self.directory / "terraform.tfvars.json"
        values.write_text(json.dumps({**FIRST, **variables}), encoding="utf-8")
        self.run("apply", "-auto-approve")
        plan = self.run("plan", "-detailed-exitcode", ok=(0, 2))
        assert plan.returncode == 0, plan.stdout

    def state(self, address: str) -> dict[str, Any]:
        """What Terraform keeps of one resource."""
        document = json.loads((self.directory / "terraform.tfstate").read_text(encoding="utf-8"))
        for resource in document["resources"]:
            for instance in resource["instances"]:
                key = f'["{instance["index_key"]}"]' if "index_key" in instance else ""
                if f"{resource['type']}.{resource['name']}{key}" == address:
                    attributes: dict[str, Any] = instance["attributes"]
                    return attributes
        raise KeyError(address)


@pytest.fixture(scope="module")
def terraform(aws: SimulatedAws, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Initialised."""
    directory = tmp_path_factory.mktemp("terraform")
    shutil.copy(STACK / "main.tf", directory)
    settings = directory / "terraform.rc"
    mirrors = "\n".join(f'filesystem_mirror {{\n path = "{path}"\n }}' for path in find_mirrors())
    settings.write_text(f"provider_installation {{\n {mirrors or 'direct {}'}\n}}\n", encoding="utf-8")
    environment = {**aws.environment, "TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1"}
    host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    one = Terraform(host.bind(cancel=Cancel(), on_line=None, on_child=None), directory, environment)
    one.run("init")
    return one


def test_everything_is_created_and_the_next_plan_is_empty(aws: SimulatedAws, terraform: Terraform) -> None:
    terraform.apply()
    assert terraform.state("aws_eks_cluster.this")["status"] == "ACTIVE"
    url = terraform.state("aws_ecr_repository.this")["repository_url"]
    assert url == f"127.0.0.1:{aws.registry_port}/terraform/orders"


def test_scaling_tags_labels_logs_and_groups_change_in_place(terraform: Terraform) -> None:
    before = terraform.state('aws_eks_node_group.this["plain"]')["arn"]
    terraform.apply(desired_size=4, tag="b", log_types=["api"])
    group = terraform.state('aws_eks_node_group.this["plain"]')
    assert group["arn"] == before
    assert group["scaling_config"][0]["desired_size"] == 4


def test_an_upgrade_takes_the_cluster_first_and_its_node_groups_then(terraform: Terraform) -> None:
    terraform.apply(kubernetes_version="1.34", desired_size=4, tag="b")
    assert terraform.state("aws_eks_cluster.this")["version"] == "1.34"
    assert terraform.state('aws_eks_node_group.this["templated"]')["version"] == "1.34"


def test_a_way_back_is_refused_at_once_and_not_tried_for_minutes(terraform: Terraform) -> None:
    with pytest.raises(CommandFailed) as caught:
        terraform.apply(kubernetes_version="1.31", desired_size=4, tag="b")
    assert any("Unsupported Kubernetes minor version update" in line for line in caught.value.tail)


def test_throttling_is_ridden_out_by_the_provider(aws: SimulatedAws, terraform: Terraform) -> None:
    with aws.faults as faults:
        faults.put(Rule("eks", "UpdateNodegroupConfig", Kind.THROTTLE, times=1))
        terraform.apply(kubernetes_version="1.34", desired_size=3, tag="b")
        assert faults.hits() == [1]


def test_what_somebody_changes_behind_terraforms_back_is_drift(aws: SimulatedAws, terraform: Terraform) -> None:
    change = {"clusterName": "terraform", "nodegroupName": "plain", "scalingConfig": {"desiredSize": 5}}
    aws.client("eks").update_nodegroup_config(**change)
    plan = terraform.run("plan", "-detailed-exitcode", ok=(0, 2))
    assert plan.returncode == 2
    assert "desired_size = 5 -> 3" in plan.stdout
