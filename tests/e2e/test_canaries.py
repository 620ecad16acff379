"""Canary secrets, handed in wherever a secret may be: in none of what a run leaves or says do they stand in clear.

The tests' audit hook looks at every argv meanwhile, also of what platformctl starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platformctl.core.secret import Secret
from tests.integration.terraform.machine import Machine

RUN = ("run", "provision", "--env", "dev")
STACKS = """
  first:
    source: first
    secrets: {token: {env: CANARY_TOKEN}, password: {file: FILE}, key: {aws_secret: NAME}}
  second:
    source: second
    needs: {given: first.token}
"""
FILES = {
    "terraform/stacks/first/main.tf": """
variable "token" {
  type      = string
  sensitive = true
}
variable "password" {
  type      = string
  sensitive = true
}
variable "key" {
  type      = string
  sensitive = true
}
resource "terraform_data" "made" {
  input = { token = var.token, password = var.password, key = var.key }
  provisioner "local-exec" {
    command     = "echo the token is $TOKEN; printenv OUTSIDE; true"
    environment = { TOKEN = nonsensitive(var.token) }
  }
}
output "token" {
  value     = var.token
  sensitive = true
}
""",
    "terraform/stacks/second/main.tf": """
variable "given" {
  type      = string
  sensitive = true
}
module "this" {
  source = "../../modules/second"
  given  = var.given
}
""",
    "terraform/modules/second/main.tf": """
variable "given" {
  type      = string
  sensitive = true
}
resource "terraform_data" "made" { input = "with ${var.given}" }
""",
}


@pytest.fixture
def canaries(machine: Machine, canary: Callable[[str], str]) -> Iterator[dict[str, str]]:
    """A root whose stacks get a secret from a variable, from a file, from AWS, and one from another stack's output."""
    made = {name: canary(name) for name in ("env", "file", "aws", "outside")}
    machine.prepare(STACKS.replace("FILE", f"{machine.root}/secret.txt").replace("NAME", machine.bucket))
    for name, content in FILES.items():
        machine.write(name, content)
    machine.write("secret.txt", made["file"])
    (machine.root / "secret.txt").chmod(0o600)
    machine.aws.client("secretsmanager").create_secret(Name=machine.bucket, SecretString=made["aws"])
    # Also one that no environment file refers to: it must not even reach a program.
    machine.variables.update(CANARY_TOKEN=Secret(made["env"], "test"), OUTSIDE=Secret(made["outside"], "test"))
    machine.ok("env", "bootstrap", "--env", "dev")
    yield made
    machine.aws.client("secretsmanager").delete_secret(SecretId=machine.bucket, ForceDeleteWithoutRecovery=True)


def holding(root: Path, secret: str) -> list[Path]:
    """The files that hold it in clear."""
    needle = secret.encode()
    return [
        path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and needle in path.read_bytes()
    ]


def test_no_canary_is_left_anywhere_but_in_terraforms_states(machine: Machine, canaries: dict[str, str]) -> None:
    said = []
    for arguments in (
        ("stacks", "plan", "--env", "dev"),
        (*RUN, "--auto-approve"),
        ("runs", "show"),
        ("runs", "logs"),
        ("runs", "report", "--out", str(machine.root / "report.html")),
        ("runs", "report", "--format", "junit", "--out", str(machine.root / "report.xml")),
        ("stacks", "outputs", "--env", "dev"),
        ("env", "show", "dev", "--explain"),
    ):
        for form in ((), ("--output", "json")):
            completed = machine.run(*arguments, *form)
            assert completed.returncode == 0, completed.stderr
            said.append(completed.stdout + completed.stderr)
    everything = "\n".join(said)
    assert re.search(r"the token is \S*\*+", everything) or "the token is" not in everything

    kept = {key: machine.read(key) for key in machine.stored() if not key.endswith(".tfstate")}
    assert any(key.startswith("runs/") for key in kept)
    for name, value in canaries.items():
        assert value not in everything, name
        assert [key for key, content in kept.items() if value.encode() in content] == [], name
        given = [machine.root / "secret.txt"] if name == "file" else []
        assert holding(machine.root, value) == given, name
    assert canaries["env"] in machine.read("dev/first.tfstate").decode(), "or nothing was tested"
    assert canaries["env"] in machine.read("dev/second.tfstate").decode()


def test_no_canary_is_left_by_a_run_that_fails(machine: Machine, canaries: dict[str, str]) -> None:
    main = machine.root / "terraform/stacks/first/main.tf"
    main.write_text(main.read_text().replace('true"', 'echo $TOKEN >&2; exit 3"'), encoding="utf-8")
    completed = machine.run(*RUN, "--auto-approve")
    assert completed.returncode == 1, completed.stderr
    for name, value in canaries.items():
        assert value not in completed.stdout + completed.stderr, name
        stored = [
            key for key in machine.stored() if not key.endswith(".tfstate") and value.encode() in machine.read(key)
        ]
        assert stored == [], name
        given = [machine.root / "secret.txt"] if name == "file" else []
        assert holding(machine.root, value) == given, name
