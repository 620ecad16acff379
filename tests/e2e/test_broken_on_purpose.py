"""Broken on purpose, through the command line as a process, with state, record and leases in the simulated AWS' S3.

The stacks are of real Terraform without a provider. What kills Terraform itself and platformctl inside an apply is in
``tests/integration/terraform/test_killed.py``; the engine alone is broken in ``tests/integration/engine``.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from platformctl.core.clock import SystemClock
from platformctl.sandbox.aws.faults import ALWAYS, Faults, Kind, Rule
from tests.integration.terraform.machine import Machine, eventually

RUN = ("run", "provision", "--env", "dev")
STACKS = "  first: {source: first, inputs: {size: 1}}\n  second: {source: second, needs: {given: first.given}}\n"
FILES = {
    "terraform/stacks/first/main.tf": """
variable "size" { type = number }
resource "terraform_data" "made" {
  input = var.size
  provisioner "local-exec" { command = "while [ -e %s ]; do sleep 0.05; done" }
}
output "given" { value = "given-${terraform_data.made.output}" }
""",
    "terraform/stacks/second/main.tf": """
variable "given" { type = string }
module "this" {
  source = "../../modules/second"
  given  = var.given
}
output "last" { value = module.this.last }
""",
    "terraform/modules/second/main.tf": """
variable "given" { type = string }
resource "terraform_data" "made" { input = var.given }
output "last" { value = terraform_data.made.output }
""",
}
ENVIRONMENT_LEASE = "leases/environments/dev.json"


@pytest.fixture
def two(machine: Machine) -> Machine:
    """Two stacks, the second fed by the first, and the bucket. While the file ``hold`` exists the first takes long."""
    machine.prepare(STACKS)
    for name, content in FILES.items():
        machine.write(name, content.replace("%s", f"{machine.root}/hold"))
    machine.ok("env", "bootstrap", "--env", "dev")
    return machine


@pytest.fixture
def faults(two: Machine) -> Iterator[Faults]:
    """Failures of the simulated AWS that are over after the test."""
    with two.aws.faults as client:
        yield client


def parked(machine: Machine) -> tuple[str, str]:
    """A run that waits for its answer; its id and the digest it asks about."""
    completed = machine.run(*RUN, "--output", "json")
    assert completed.returncode == 7, completed.stdout + completed.stderr
    document = json.loads(completed.stdout)
    gate = next(stage["gate"] for stage in document["stages"] if stage["gate"])
    return document["id"], gate["digest"]


def error_of(machine: Machine, code: int, *arguments: str) -> dict[str, Any]:
    """The error of a command that ends with this code."""
    completed = machine.run(*arguments, "--output", "json")
    assert completed.returncode == code, completed.stdout + completed.stderr
    error: dict[str, Any] = json.loads(completed.stdout)["error"]
    assert error["hint"]
    return error


def check_applied(machine: Machine, size: int = 1) -> None:
    """Both stacks are what the environment says, nobody holds anything, and the next plan is empty."""
    assert machine.state("second")["outputs"]["last"]["value"] == f"given-{size}"
    assert machine.held() == []
    check_unchanged(machine)


def check_unchanged(machine: Machine) -> None:
    assert not machine.ok("stacks", "plan", "--env", "dev")["changed"]


def nothing_applied(machine: Machine) -> bool:
    return not [key for key in machine.stored() if key.endswith(".tfstate")]


def test_what_somebody_else_changed_after_the_approval_is_refused_by_address(two: Machine) -> None:
    run, digest = parked(two)
    two.ok("runs", "approve", run, digest, "--env", "dev")
    # Somebody works on the same state from elsewhere, past platformctl.
    stranger = Machine(two.root.with_name("stranger"), two.aws, two.bucket)
    try:
        shutil.copytree(two.root, stranger.root, symlinks=True, ignore=shutil.ignore_patterns("runs"))
        main = stranger.root / "terraform/stacks/first/main.tf"
        main.write_text(main.read_text() + 'resource "terraform_data" "strange" { input = 7 }\n')
        stranger.ok(*RUN, "--param", "stacks=first", "--auto-approve")
    finally:
        stranger.close()
    before = two.state("first")

    error = error_of(two, 1, *RUN, "--resume", run)
    assert "terraform_data.strange: delete was not approved" in error["message"]
    assert two.state("first") == before, "nothing was applied"
    assert two.held() == []


def test_an_approval_for_another_digest_is_refused_and_the_right_one_still_counts(two: Machine) -> None:
    run, digest = parked(two)
    other = "sha256:" + "0" * 64
    assert digest in error_of(two, 5, "runs", "approve", run, other, "--env", "dev")["message"]
    assert digest in error_of(two, 5, *RUN, "--resume", run, "--approve", other)["message"]
    assert nothing_applied(two)
    assert two.ok(*RUN, "--resume", run, "--approve", digest)["status"] == "SUCCEEDED"
    check_applied(two)


def test_the_right_digest_from_another_checkout_approves_and_goes_on_there(two: Machine) -> None:
    run, digest = parked(two)
    elsewhere = Machine(two.root.with_name("elsewhere"), two.aws, two.bucket)
    shutil.copytree(two.root, elsewhere.root, symlinks=True, ignore=shutil.ignore_patterns("runs"))
    try:
        assert [row["status"] for row in elsewhere.ok("runs", "list", "--env", "dev")["runs"]] == ["WAITING"]
        assert elsewhere.ok(*RUN, "--resume", run, "--approve", digest)["status"] == "SUCCEEDED"
    finally:
        elsewhere.close()
    assert two.ok("runs", "show", run, "--env", "dev")["status"] == "SUCCEEDED"
    check_applied(two)


@pytest.fixture
def other(two: Machine) -> Iterator[Machine]:
    """Another checkout of the same, as on another machine."""
    made = Machine(two.root.with_name("other"), two.aws, two.bucket)
    shutil.copytree(two.root, made.root, symlinks=True, ignore=shutil.ignore_patterns("runs"))
    yield made
    made.close()


def test_the_second_of_two_runs_names_the_first_and_ends_with_6(two: Machine, other: Machine) -> None:
    (two.root / "hold").touch()
    first = two.start(*RUN, "--auto-approve")
    first.until("terraform_data.made: Creating...")
    number, run = two.leases()[ENVIRONMENT_LEASE]["number"], two.run_id()

    error = error_of(other, 6, *RUN, "--auto-approve")
    assert f"(pid {first.pid} on " in error["message"]
    assert run in error["message"]
    assert "--lock-wait" in error["hint"]
    assert two.leases()[ENVIRONMENT_LEASE]["number"] == number

    waiting = other.start(*RUN, "--auto-approve", "--lock-wait", "60s")
    waiting.until("waiting up to 60 s for leases/environments/dev.json")
    (two.root / "hold").unlink()
    assert (first.wait().returncode, waiting.wait().returncode) == (0, 0)
    assert two.leases()[ENVIRONMENT_LEASE]["number"] == number + 1
    check_applied(two)


def test_two_runs_in_one_checkout_say_who_works_there(two: Machine) -> None:
    (two.root / "hold").touch()
    first = two.start(*RUN, "--auto-approve")
    first.until("terraform_data.made: Creating...")
    run = two.run_id()
    second = two.start(*RUN, "--auto-approve", "--lock-wait", "60s")
    second.until(f"run {run} (pid {first.pid} on ")
    (two.root / "hold").unlink()
    assert (first.wait().returncode, second.wait().returncode) == (0, 0)
    check_applied(two)


STEPS = ["validate/account-check"] + [
    f"{stage}/{item}" for stage in ("plan", "apply", "verify") for item in ("first", "second")
]


def test_a_run_killed_after_every_step_in_turn_does_each_step_once(two: Machine) -> None:
    run = ""
    for step in STEPS:
        process = two.provision(run)
        process.until(f"step {step} SUCCEEDED")
        process.kill()
        process.wait()
        run = run or two.run_id()
        assert eventually(lambda: two.gone("terraform"))
    assert two.provision(run).wait().returncode == 0
    applies = [e["step"] for e in two.events() if e["kind"] == "step-finished" and e["detail"]["status"] == "SUCCEEDED"]
    assert sorted(applies) == sorted(STEPS), "what was journaled as done is not done again"
    # The lease of the process that died after the last apply is nobody's to release: whoever wants it watches it lapse.
    assert set(two.held()) <= {ENVIRONMENT_LEASE}
    check_unchanged(two)


def test_a_holder_that_is_gone_is_taken_over_with_a_higher_number_and_refused_when_it_wakes_up(
    two: Machine, other: Machine
) -> None:
    (two.root / "hold").touch()
    old = two.provision()
    old.until("terraform_data.made: Creating...")
    run, number = two.run_id(), two.leases()[ENVIRONMENT_LEASE]["number"]
    old.send(signal.SIGSTOP)
    new = other.start(*RUN, "--auto-approve", "--lock-wait", "60s")
    new.until("waiting up to 60 s for leases/environments/dev.json")
    assert eventually(lambda: two.leases()[ENVIRONMENT_LEASE]["number"] == number + 1)
    assert new.wait().returncode == 6, "Terraform's own lock is never broken by a takeover"
    old.send(signal.SIGCONT)
    completed = old.wait()
    assert completed.returncode == 6, completed.stderr
    assert two.ok("runs", "show", run)["status"] == "ERRORED"
    assert eventually(lambda: two.gone("terraform"))
    assert two.leases()[ENVIRONMENT_LEASE]["number"] == number + 1
    assert ENVIRONMENT_LEASE not in two.held()


SLOW = {
    "validate": Rule("sts", "GetCallerIdentity", Kind.DELAY, times=ALWAYS, seconds=3.0),
    "plan": Rule("s3", "GetObject", Kind.DELAY, times=ALWAYS, seconds=3.0, contains="dev/first.tfstate"),
    "verify": Rule("s3", "GetObject", Kind.DELAY, times=ALWAYS, seconds=3.0, contains="dev/first.tfstate"),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", ["validate", "plan", "apply", "verify"])
def test_ctrl_c_in_any_stage_ends_the_children_and_gives_the_lease_back(
    two: Machine, faults: Faults, stage: str, number: signal.Signals
) -> None:
    if stage == "apply":
        (two.root / "hold").touch()
    elif stage != "verify":
        faults.put(SLOW[stage])
    process = two.start(*RUN, "--auto-approve")
    if stage == "verify":
        process.until("step apply/second SUCCEEDED")
        faults.put(SLOW[stage])
    process.until("terraform_data.made: Creating..." if stage == "apply" else f"step {stage}/")
    SystemClock().wait(0.3)  # into the call
    process.send(number)
    completed = process.wait()
    assert completed.returncode == 128 + number
    assert "Traceback" not in completed.stderr
    assert (two.gone("terraform"), two.held()) == (True, [])
    assert not two.locked("first")
    run = two.run_id()
    assert two.ok("runs", "show", run)["status"] == "ABORTED"

    (two.root / "hold").unlink(missing_ok=True)
    faults.put()
    assert two.ok(*RUN, "--resume", run, "--auto-approve")["status"] == "SUCCEEDED"
    check_applied(two)


def test_what_kill_9_leaves_is_shown_closed_once_and_still_goes_on(two: Machine) -> None:
    (two.root / "hold").touch()
    process = two.provision()
    process.until("terraform_data.made: Creating...")
    process.kill()
    process.wait()
    run = two.run_id()
    assert [row["status"] for row in two.ok("runs", "list")["runs"]] == ["ABORTED"]
    shown = two.run("runs", "show", run).stdout
    assert "warning: the process of this run is gone" in shown
    assert "hint: --resume goes on with it" in shown
    assert two.ok("runs", "close", run)["status"] == "ABORTED"
    assert "has ended already" in error_of(two, 2, "runs", "close", run)["message"]

    (two.root / "hold").unlink()
    assert two.provision(run).wait().returncode == 0
    assert two.provision(run).wait().returncode == 0, "a finished run has nothing left to do"
    assert "SUCCEEDED" in error_of(two, 2, "runs", "close", run, "--status", "failed")["message"]
    assert two.ok("runs", "show", run)["status"] == "SUCCEEDED"
    check_unchanged(two)
