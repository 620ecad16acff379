"""Broken on purpose, with the state in S3: platformctl killed inside an apply, Terraform itself killed."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from platformctl.core.clock import SystemClock
from platformctl.process.children import alive
from tests.integration.terraform.machine import Machine, eventually

SLOW = """
resource "terraform_data" "first" { input = 1 }
resource "terraform_data" "slow" {
  input = terraform_data.first.output
  provisioner "local-exec" { command = "while [ ! -e %s ]; do sleep 0.1; done" }
}
resource "terraform_data" "last" { input = terraform_data.slow.output }
output "last" { value = terraform_data.last.output }
"""
SLOW_AWS = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
resource "aws_security_group" "made" { name = "made-%s" }
resource "terraform_data" "slow" {
  input = aws_security_group.made.id
  provisioner "local-exec" { command = "while [ ! -e %s ]; do sleep 0.1; done" }
}
"""
STACKS = "  slow: {source: slow}\n"


@pytest.fixture
def release(machine: Machine) -> Path:
    """The file that lets the slow resource be made."""
    return machine.root / "release"


def prepared(machine: Machine, release: Path) -> None:
    machine.prepare(STACKS)
    machine.write("terraform/stacks/slow/main.tf", SLOW % release)
    machine.ok("env", "bootstrap", "--env", "dev")


def test_platformctl_killed_inside_an_apply_is_resumed(machine: Machine, release: Path) -> None:
    prepared(machine, release)
    process = machine.provision()
    process.until("terraform_data.slow: Creating...")
    run = machine.run_id()
    process.kill()
    process.wait()
    assert eventually(lambda: machine.gone("terraform")), "children die with their parent"
    assert not machine.locked("slow"), "an interrupted Terraform writes its state and releases its lock"
    made = {item["name"] for item in machine.state("slow")["resources"]}
    assert "first" in made

    release.touch()
    assert machine.provision(run).wait().returncode == 0
    assert machine.state("slow")["outputs"]["last"]["value"] == 1


def test_terraform_killed_by_itself_loses_its_lock_and_is_resumed(machine: Machine, release: Path) -> None:
    prepared(machine, release)
    process = machine.provision()
    process.until("terraform_data.slow: Creating...")
    os.killpg(machine.children("terraform")[-1].pid, signal.SIGKILL)
    completed = process.wait()
    assert completed.returncode == 1
    assert "terraform was killed while it applied slow" in completed.stderr
    assert not machine.locked("slow"), "the lock was ours and its holder is dead"

    release.touch()
    assert machine.provision(machine.run_id()).wait().returncode == 0


def test_both_killed_leaves_a_lock_that_only_the_same_run_breaks(machine: Machine, release: Path) -> None:
    prepared(machine, release)
    process = machine.provision()
    process.until("terraform_data.slow: Creating...")
    terraform, run = machine.children("terraform")[-1], machine.run_id()
    os.kill(process.pid, signal.SIGSTOP)  # so that it can't clean up after its child
    os.killpg(terraform.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    assert eventually(lambda: not alive(terraform))
    assert machine.locked("slow")

    release.touch()
    other = machine.provision().wait()
    assert other.returncode == 6
    assert "the state of slow is locked by" in other.stderr
    assert machine.provision(run).wait().returncode == 0
    assert not machine.locked("slow")


def test_what_a_killed_terraform_made_and_did_not_store_stops_the_run(machine: Machine, release: Path) -> None:
    prepared(machine, release)
    lock = Path(__file__).parents[3] / "terraform/stacks/registry/.terraform.lock.hcl"
    text = lock.read_text(encoding="utf-8").replace('  constraints = ">= 5.60.0, 5.100.0"\n', "")
    machine.write("terraform/stacks/slow/.terraform.lock.hcl", text)
    machine.write("terraform/stacks/slow/main.tf", SLOW_AWS % (machine.bucket, release))
    process = machine.provision()
    process.until("terraform_data.slow: Creating...")
    os.killpg(machine.children("terraform")[-1].pid, signal.SIGKILL)
    completed = process.wait()
    assert completed.returncode == 1
    assert "carry the tags of slow but are not in its state" in completed.stderr
    assert "arn:aws:ec2:" in completed.stderr
    assert "delete them, or `terraform import` them in" in completed.stderr
    assert machine.locked("slow"), "nothing else may work on this state until that is settled"

    again = machine.provision(machine.run_id()).wait()
    assert again.returncode == 1
    assert "not in its state" in again.stderr

    ec2 = machine.aws.client("ec2")
    groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"made-{machine.bucket}"]}])
    ec2.delete_security_group(GroupId=groups["SecurityGroups"][0]["GroupId"])
    release.touch()
    assert machine.provision(machine.run_id()).wait().returncode == 0
    assert not machine.locked("slow")


STEPS = """
resource "terraform_data" "step" {
  count = 12
  input = count.index
  provisioner "local-exec" { command = "sleep 0.2" }
}
output "steps" { value = terraform_data.step[*].output }
"""


def test_a_run_killed_at_random_moments_ends_where_it_would_have_ended(machine: Machine) -> None:
    machine.prepare(STACKS)
    machine.write("terraform/stacks/slow/main.tf", STEPS)
    machine.ok("env", "bootstrap", "--env", "dev")
    clock, chance, run = SystemClock(), random.Random(20261121), ""  # noqa: S311 - moments, no secrets
    for _ in range(3):
        process = machine.provision(run)
        process.until("terraform_data.step[")
        clock.wait(chance.uniform(0.0, 0.4))
        process.kill()
        process.wait()
        run = machine.run_id()
    assert machine.provision(run).wait().returncode == 0
    assert machine.state("slow")["outputs"]["steps"]["value"] == list(range(12))
    assert not machine.locked("slow")
