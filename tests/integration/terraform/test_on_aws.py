"""The committed stacks with the real AWS provider against the simulated AWS, through the command line."""

from __future__ import annotations

import json

import pytest

from tests.integration.terraform.machine import Machine
from tests.simulated_aws import REGION

STACKS = """
  network:
    source: existing-network
    inputs: {vpc_tags: {Name: sandbox}}
  access:
    source: security-group
    inputs:
      name: orders-NAME
      ingress: {https: {description: HTTPS, cidr_ipv4: 10.0.0.0/8, port: 443}}
    needs: {vpc_id: network.vpc_id}
"""
PROVISION = ("run", "provision", "--env", "dev", "--auto-approve")


@pytest.mark.timeout(300)
def test_the_committed_stacks_are_applied_verified_and_destroyed(machine: Machine) -> None:
    machine.prepare(STACKS.replace("NAME", machine.bucket))
    machine.ok("env", "bootstrap", "--env", "dev")
    done = machine.ok(*PROVISION)
    assert (done["status"], done["changed"]) == ("SUCCEEDED", True)
    proposals = machine.root / ".platform/runs" / done["id"] / "artifacts/stacks"
    access = json.loads((proposals / "access.json").read_text(encoding="utf-8"))
    assert access["unknownInputs"] == [], "the network's plan already tells the id that it will give"
    group = access["changes"]["module.this.aws_security_group.this"]["after"]
    assert group["vpc_id"].startswith("vpc-")
    assert group["tags_all"]["platformctl/stack"] == "access"

    given = machine.ok("stacks", "outputs", "--env", "dev")["stacks"]
    assert given["network"]["vpc_id"]["value"].startswith("vpc-")
    assert len(given["network"]["private_subnet_ids"]["value"]) == 2
    assert given["network"]["availability_zones"]["value"] == [f"{REGION}a", f"{REGION}b"]
    assert machine.ok("stacks", "plan", "--env", "dev")["changed"] is False

    gone = machine.ok("run", "teardown", "--env", "dev", "--param", "confirm=dev", "--auto-approve")
    assert gone["status"] == "SUCCEEDED"
    assert machine.state("access")["resources"] == []


def test_the_bucket_is_bootstrapped_once(machine: Machine) -> None:
    machine.prepare("  network: {source: existing-network, inputs: {vpc_tags: {Name: sandbox}}}")
    assert machine.ok("env", "bootstrap", "--env", "dev")["changed"]
    again = machine.ok("env", "bootstrap", "--env", "dev")
    assert not again["changed"]
    assert set(again["policies"]) == {"records-reader", "state-reader", "state-writer", "runner"}


def refused(machine: Machine, *arguments: str) -> str:
    """The error of a command that must end with exit code 4."""
    completed = machine.run(*arguments, "--output", "json")
    assert completed.returncode == 4, completed.stdout + completed.stderr
    return completed.stdout


NETWORK = "  network: {source: existing-network, inputs: {vpc_tags: {Name: sandbox}}}"


def test_a_bucket_of_another_account_is_refused(machine: Machine) -> None:
    machine.prepare(NETWORK, bucket="sandbox-of-another-account")
    error = json.loads(refused(machine, "env", "bootstrap", "--env", "dev"))["error"]
    assert "belongs to another account than 123456789012" in error["message"]


def test_the_wrong_account_is_refused(machine: Machine) -> None:
    machine.prepare(NETWORK, account="999999999999")
    error = json.loads(refused(machine, "env", "bootstrap", "--env", "dev"))["error"]
    assert "belong to account 123456789012" in error["message"]
    assert "not to 999999999999" in error["message"]


def test_a_region_that_does_not_exist_is_refused(machine: Machine) -> None:
    machine.prepare(NETWORK, region="ap-northeast-9")
    error = json.loads(refused(machine, "env", "bootstrap", "--env", "dev"))["error"]
    assert "AWS has no region 'ap-northeast-9'; did you mean ap-northeast-" in error["message"]


def test_a_bucket_that_was_not_bootstrapped_is_named_with_what_to_do(machine: Machine) -> None:
    machine.prepare(NETWORK)
    assert "bootstrap" in refused(machine, *PROVISION)
    assert "bootstrap" in refused(machine, "stacks", "outputs", "--env", "dev")


def test_a_vpc_that_is_not_there_fails_in_one_line_and_changes_nothing(machine: Machine) -> None:
    machine.prepare(NETWORK.replace("sandbox", "nowhere"))
    machine.ok("env", "bootstrap", "--env", "dev")
    completed = machine.run(*PROVISION)
    assert completed.returncode == 1
    errors = [line for line in completed.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "terraform plan of network failed: terraform/modules/existing-network/main.tf:1: " in errors[0] or (
        "no matching EC2 VPC found" in errors[0]
    )
