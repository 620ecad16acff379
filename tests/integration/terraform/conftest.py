"""A root of its own with two stacks of real Terraform and no provider: the second is fed by the first."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command
from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Secret
from platformctl.engine.execute import Engine
from platformctl.engine.pipeline import Gate, Pipeline, Stage
from platformctl.engine.request import Actor, Request, RunResult
from platformctl.engine.schedule import Capacity
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.spec.environment import Environment
from platformctl.spec.loader import load_environment
from platformctl.steps.stacks import StackApply, StackDestroy, StackPlan, StackVerify
from platformctl.testing import MemoryObjectStore
from platformctl.testing.pipeline import ScriptedSecrets
from tests.integration.terraform.machine import Machine
from tests.simulated_aws import SimulatedAws, running

CANARY = "canary-7f3a91"

FILES = {
    "platform.yaml": "schemaVersion: 1\n",
    "pipelines/environments/dev.yaml": """
apiVersion: platform/v1
kind: Environment
name: dev
cloud: {provider: none}
stacks:
  network:
    source: network
    inputs: {cidr: 10.0.0.0/16}
  access:
    source: access
    inputs: {ports: [80, 443]}
    needs: {vpc_id: network.vpc_id, zones: network.zones}
""",
    "terraform/stacks/network/main.tf": """
variable "cidr" { type = string }
variable "token" {
  type      = string
  sensitive = true
  default   = "canary-7f3a91"
}
module "this" {
  source = "../../modules/network"
  cidr   = var.cidr
}
output "vpc_id" { value = module.this.vpc_id }
output "zones" { value = module.this.zones }
output "token" {
  value     = var.token
  sensitive = true
}
""",
    "terraform/modules/network/main.tf": """
variable "cidr" { type = string }
resource "terraform_data" "vpc" { input = { cidr = var.cidr, password = sensitive("canary-7f3a91") } }
output "vpc_id" { value = "vpc-${terraform_data.vpc.id}" }
output "zones" { value = [terraform_data.vpc.output.cidr, "b"] }
""",
    "terraform/stacks/access/main.tf": """
variable "vpc_id" { type = string }
variable "zones" { type = list(string) }
variable "ports" { type = set(number) }
module "this" {
  source = "../../modules/access"
  vpc_id = var.vpc_id
  zones  = var.zones
  ports  = var.ports
}
output "rules" { value = module.this.rules }
""",
    "terraform/modules/access/main.tf": """
variable "vpc_id" {
  type = string
  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must look like vpc-1."
  }
}
variable "zones" { type = list(string) }
variable "ports" { type = set(number) }
resource "terraform_data" "rule" {
  for_each = toset([for port in var.ports : tostring(port)])
  input    = { group = sha256(var.vpc_id), port = each.key, zones = length(var.zones) }
}
output "rules" { value = sort([for rule in terraform_data.rule : rule.output.port]) }
""",
}


def _plan(stack: str) -> tuple[StackPlan, ...]:
    return (StackPlan(stack=stack),)


PROVISION = Pipeline(
    name="provision",
    description="Two stacks.",
    stages=(
        Stage("plan", _plan, each="stacks"),
        Stage("apply", lambda name: (StackApply(stack=name),), each="stacks", lease=True, gate=Gate("Apply?")),
        Stage("verify", lambda name: (StackVerify(stack=name),), each="stacks"),
    ),
)
TEARDOWN = Pipeline(
    name="teardown",
    description="Two stacks, backwards.",
    stages=(
        Stage("plan", lambda name: (StackPlan(stack=name, destroy=True),), each="stacks", reverse=True),
        Stage(
            "destroy",
            lambda name: (StackDestroy(stack=name),),
            each="stacks",
            reverse=True,
            lease=True,
            gate=Gate("Destroy?"),
        ),
    ),
)


@dataclass
class House:
    """A root, and an engine over it with real processes. Leases are in memory: like a bucket they outlive an engine."""

    root: Path
    terraform: Path
    environment_file: Path
    leases: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    connection: dict[str, str | Secret] = field(default_factory=dict)
    hosts: list[ProcessHost] = field(default_factory=list)

    @property
    def environment(self) -> Environment:
        return load_environment(self.environment_file, self.root)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def command(self, *argv: str) -> None:
        """Runs a program that the test needs itself."""
        host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
        self.hosts.append(host)
        host.bind(cancel=Cancel(), on_line=None, on_child=None).run(Command(argv))

    def engine(self, secrets: Mapping[str, str] | None = None) -> Engine:
        known = KnownSecrets()
        for value in (CANARY, *(secrets or {}).values()):
            known.add(Secret(value, "the tests"))
        host = ProcessHost(known, SystemClock(), os.environ)
        self.hosts.append(host)
        return Engine(
            root=self.root,
            runs=self.root / ".platform" / "runs",
            host=host,
            programs=lambda _name: self.terraform,
            content=self._content,
            secrets=ScriptedSecrets(secrets or {}),
            redactor=known,
            clock=SystemClock(),
            leases=self.leases,
            connection=self.connection,
            capacity=Capacity(cores=2.0, memory=4096),
        )

    def run(
        self,
        pipeline: Pipeline,
        cancel: Cancel | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        **request: Any,
    ) -> RunResult:
        asked = {"actor": Actor("tester"), "auto_approve": True, **request}
        return self.engine(secrets).run(Request(pipeline=pipeline, environment=self.environment, **asked), cancel)

    def ok(self, pipeline: Pipeline, **request: Any) -> RunResult:
        result = self.run(pipeline, **request)
        if result.error is not None:
            raise result.error
        return result

    def state(self, stack: str) -> str:
        return (self.root / f".platform/state/dev/{stack}.tfstate").read_text(encoding="utf-8")

    def _content(self, relative: str) -> Path:
        path = self.root / relative
        if not path.exists():
            raise PreconditionError(f"{relative} does not exist")
        return path


@pytest.fixture(scope="session")
def terraform() -> Path:
    found = shutil.which("terraform") or shutil.which("tofu")
    assert found is not None, "script/test needs Terraform or OpenTofu on PATH"
    return Path(found)


@pytest.fixture
def make_house(tmp_path: Path, terraform: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def make(files: dict[str, str] | None = None) -> House:
        for name, content in {**FILES, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        house = House(tmp_path, terraform, tmp_path / "pipelines/environments/dev.yaml")
        houses.append(house)
        return house

    yield make
    for house in houses:
        for host in house.hosts:
            host.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedAws]:
    """One simulated AWS for these tests. They share it: each has a bucket of its own."""
    with running(tmp_path_factory.mktemp("aws")) as one:
        yield one


@pytest.fixture
def machine(tmp_path: Path, aws: SimulatedAws) -> Iterator[Machine]:
    made = Machine(root=tmp_path / "root", aws=aws, bucket=f"state-{uuid.uuid4().hex[:12]}")
    yield made
    made.close()
