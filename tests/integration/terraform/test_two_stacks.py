"""Two stacks, the second fed by the first: planned before the first exists, approved, applied, changed, destroyed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.errors import GateWaiting, SpecError, Status, StepFailed
from platformctl.engine.request import RunResult
from tests.integration.terraform.conftest import CANARY, PROVISION, TEARDOWN, House

SECRETIVE = """
variable "token" {
  type      = string
  sensitive = true
}
variable "size" { type = number }
resource "terraform_data" "this" { input = [var.token, var.size] }
output "size" { value = terraform_data.this.output[1] }
"""
REMOTE = """
apiVersion: platform/v1
kind: Environment
name: dev
cloud: {{provider: none}}
stacks:
  remote:
    source: "git::file://{}?ref=v1"
    inputs: {{size: 3}}
    secrets: {{token: {{env: TOKEN}}}}
"""


def proposal(result: RunResult, stack: str) -> dict[str, Any]:
    path = next(result.directory.rglob(f"stacks/{stack}.json"))
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def outputs(house: House, stack: str) -> dict[str, Any]:
    return {name: item["value"] for name, item in json.loads(house.state(stack))["outputs"].items()}


def parked(house: House, **request: Any) -> RunResult:
    """A run that is planned and waits for its answer."""
    result = house.run(PROVISION, auto_approve=False, **request)
    assert isinstance(result.error, GateWaiting)
    return result


def resume(house: House, result: RunResult) -> RunResult:
    return house.run(PROVISION, resume=result.run_id)


def test_what_other_stacks_do_not_give_yet_is_unknown_and_nothing_is_invented(house: House) -> None:
    access = proposal(parked(house), "access")
    assert access["unknownInputs"] == ["vpc_id", "zones"]
    rule = access["changes"]['module.this.terraform_data.rule["443"]']
    assert rule["after"]["input"] == {"group": {"$unknown": True}, "port": "443", "zones": {"$unknown": True}}
    assert "terraform_data.upstream" not in access["changes"]


def test_the_two_stacks_are_applied_changed_and_destroyed(house: House) -> None:
    first = house.ok(PROVISION)
    assert first.status is Status.SUCCEEDED
    assert first.changed
    assert outputs(house, "access")["rules"] == ["443", "80"]

    again = house.ok(PROVISION)
    assert not again.changed

    house.edit("pipelines/environments/dev.yaml", "[80, 443]", "[80]")
    changed = house.ok(PROVISION)
    assert proposal(changed, "access")["changes"]['module.this.terraform_data.rule["443"]']["actions"] == ["delete"]
    assert outputs(house, "access")["rules"] == ["80"]

    gone = house.ok(TEARDOWN)
    assert [json.loads(house.state(stack))["resources"] for stack in ("network", "access")] == [[], []]
    assert gone.changed
    assert not house.ok(TEARDOWN).changed


def test_a_change_of_an_output_is_foreseen_by_the_stack_that_needs_it(house: House) -> None:
    house.ok(PROVISION)
    house.edit("terraform/modules/network/main.tf", '"vpc-${terraform_data.vpc.id}"', '"vpc-other"')
    result = house.ok(PROVISION)
    rule = proposal(result, "access")["changes"]['module.this.terraform_data.rule["80"]']
    assert rule["before"]["input"]["group"] != rule["after"]["input"]["group"]
    assert proposal(result, "access")["unknownInputs"] == []


def test_a_plan_that_somebody_else_changed_after_the_approval_is_refused_by_address(house: House) -> None:
    waiting = parked(house)
    house.edit("terraform/modules/network/main.tf", "cidr = var.cidr,", "cidr = var.cidr, extra = 1,")
    result = resume(house, waiting)
    assert isinstance(result.error, StepFailed)
    assert "module.this.terraform_data.vpc: input.extra differ from what was approved" in result.error.message
    assert not (house.root / ".platform/state/dev/network.tfstate").exists()


def test_an_address_that_nobody_approved_is_refused(house: House) -> None:
    waiting = parked(house)
    house.edit("pipelines/environments/dev.yaml", "[80, 443]", "[80, 443, 22]")
    result = resume(house, waiting)
    assert isinstance(result.error, StepFailed)
    assert 'module.this.terraform_data.rule["22"]: create was not approved' in result.error.message
    assert not (house.root / ".platform/state/dev/access.tfstate").exists()


def test_no_secret_is_left_anywhere_but_in_the_state(house: House) -> None:
    result = house.ok(PROVISION)
    for path in [result.directory, house.root / ".platform/terraform"]:
        for file in path.rglob("*"):
            inside = file.resolve().is_relative_to(house.root / "terraform")
            if file.is_file() and not inside:
                assert CANARY.encode() not in file.read_bytes(), file
    assert CANARY in house.state("network")


def test_saved_plans_are_gone_and_the_stacks_folders_are_clean(house: House) -> None:
    house.ok(PROVISION)
    assert list(house.root.rglob("*.tfplan")) == []
    assert sorted(path.name for path in (house.root / "terraform/stacks/network").iterdir()) == ["main.tf"]


def test_init_runs_once(house: House) -> None:
    house.ok(PROVISION)
    log = [line for path in house.ok(PROVISION).directory.rglob("*.log") for line in _lines(path)]
    assert log
    assert not [line for line in log if "Initializing" in line]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_a_syntax_error_is_one_line_with_its_place_and_changes_nothing(house: House) -> None:
    house.edit("terraform/modules/network/main.tf", 'resource "terraform_data" "vpc" {', 'resource "terraform_data" {')
    result = house.run(PROVISION)
    assert isinstance(result.error, SpecError)
    assert str(result.error.problems[0]).startswith("terraform/modules/network/main.tf:3: ")
    assert not (house.root / ".platform/state").exists()


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ("guards: {max_destroys: 0}", "guards.max_destroys allows 0"),
        ('guards: {never_destroy: ["module.this.*"]}', "guards.never_destroy protects"),
    ],
)
def test_guards_name_what_would_be_destroyed(house: House, guards: str, said: str) -> None:
    house.ok(PROVISION)
    house.edit("pipelines/environments/dev.yaml", "[80, 443]", "[80]")
    with house.environment_file.open("a", encoding="utf-8") as file:
        file.write(f"{guards}\n")
    result = house.run(PROVISION)
    assert isinstance(result.error, StepFailed)
    assert said in result.error.message
    assert 'module.this.terraform_data.rule["443"]' in result.error.message
    assert outputs(house, "access")["rules"] == ["443", "80"]


def test_a_dry_run_applies_nothing(house: House) -> None:
    result = house.ok(PROVISION, dry_run=True)
    assert not result.changed
    assert not (house.root / ".platform/state").exists()


def test_a_stack_comes_from_git_and_its_secret_reaches_no_file(
    house: House, tmp_path_factory: pytest.TempPathFactory, canary: Callable[[str], str]
) -> None:
    token, repository = canary("token"), tmp_path_factory.mktemp("stacks")
    (repository / "main.tf").write_text(SECRETIVE, encoding="utf-8")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", f"{repository}")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x"), ("tag", "v1")):
        house.command(*git, *arguments)
    house.environment_file.write_text(REMOTE.format(repository), encoding="utf-8")
    result = house.ok(PROVISION, secrets={"env:TOKEN": token})
    assert outputs(house, "remote")["size"] == 3
    for folder in (result.directory, house.root / ".platform/terraform"):
        for file in folder.rglob("*"):
            assert not file.is_file() or token.encode() not in file.read_bytes(), file
    assert token in house.state("remote")
