"""The wheel: nothing is missing in it, nothing else is in it, and it works with the core dependencies alone.

It is built once and unpacked outside the checkout, beside links to those installed distributions that the wheel names
as requirements without any extra. Everything else of the tests' environment is out of reach (``python -S``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
CONTENT = ("terraform", "ansible", "helm", "jenkins/library", "pipelines")
GENERATED = {"__pycache__", ".terraform", ".platform", "_content"}

STACK = """\
terraform {
  required_version = ">= 1.10"
}

variable "greeting" {
  type = string
}

resource "terraform_data" "hello" {
  input = var.greeting
}

output "said" {
  value = terraform_data.hello.output
}
"""
ENVIRONMENT = """\
apiVersion: platform/v1
kind: Environment
name: local
cloud: {provider: none}
stacks:
  hello:
    source: hello
    inputs: {greeting: hi}
"""


@dataclass(frozen=True)
class Installed:
    """The unpacked wheel and the core dependencies. ``home``: the user's folder for the time; ``root``: a new root."""

    packages: Path
    dependencies: Path
    home: Path
    root: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs ``platformctl`` in the root."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": f"{self.packages}{os.pathsep}{self.dependencies}",
            "LC_ALL": "C.UTF-8",
        }
        argv = (sys.executable, "-S", "-W", "error", "-m", "platformctl", *words)
        return subprocess.run(argv, env=environ, cwd=self.root, capture_output=True, text=True, check=False, timeout=60)

    def document(self, *words: str) -> Any:
        """What it prints with ``--output json``; it must have gone well."""
        ended = self.run(*words, "--output", "json")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    argv = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    built = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = Installed(*(tmp_path_factory.mktemp(name) for name in ("packages", "dependencies", "home", "outside")))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(made.packages)
    (own,) = made.packages.glob("*.dist-info")
    for needed in _core(Distribution.at(own), set()):
        for top in {file.parts[0] for file in needed.files or () if file.parts[0] not in {"..", "__pycache__"}}:
            (made.dependencies / top).symlink_to(Path(str(needed.locate_file(top))))
    started = made.run("init", ".", "--account", "123456789012", "--region", "eu-west-1")
    assert started.returncode == 0, started.stderr
    stack = made.root / "terraform" / "stacks" / "hello"
    stack.mkdir(parents=True)
    (stack / "main.tf").write_text(STACK, encoding="utf-8")
    (made.root / "pipelines" / "environments" / "local.yaml").write_text(ENVIRONMENT, encoding="utf-8")
    return made


def _core(of: Distribution, seen: set[str]) -> Iterator[Distribution]:
    """What pip installs for it on this machine when no extra is asked for."""
    for text in of.requires or ():
        requirement = Requirement(text)
        if requirement.name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name)
        needed = distribution(requirement.name)
        yield needed
        yield from _core(needed, seen)


def _files(folder: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not GENERATED.intersection(path.relative_to(ROOT).parts)
    }


def test_the_wheel_holds_the_package_with_its_files_the_content_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    content = {f"platformctl/_content/{name}" for folder in CONTENT for name in _files(folder)}
    assert names == _files("platformctl") | content


@pytest.mark.parametrize(
    "name",
    [
        "toolchain/go/control-plane/go.sum",
        "toolchain/requirements/go.txt",
        "toolchain/releases.toml",
        "reporters/templates/report.html",
        "_content/terraform/stacks/registry/.terraform.lock.hcl",
        "_content/ansible/ansible.cfg",
    ],
)
def test_what_only_a_later_command_would_miss_is_in_the_wheel(installed: Installed, name: str) -> None:
    assert (installed.packages / "platformctl" / name).stat().st_size > 0


def test_the_libraries_of_the_sandbox_are_out_of_reach_here(installed: Installed) -> None:
    reachable = {path.name for path in installed.dependencies.iterdir()}
    assert "pydantic" in reachable
    assert reachable.isdisjoint({"moto", "flask", "kubernetes", "cryptography", "pytest"})


@pytest.mark.parametrize("words", ["--version", "--help", "env validate dev", "stacks graph --env dev", "tools list"])
def test_a_command_works_with_the_core_alone(installed: Installed, words: str) -> None:
    ended = installed.run(*words.split())
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_machine_is_looked_at_with_the_core_alone(installed: Installed) -> None:
    ended = installed.run("doctor")
    assert ended.returncode in {0, 4}, ended.stderr  # 4: this machine lacks something, which is what it is asked
    assert "terraform" in ended.stdout
    assert "pip install 'platformctl[sandbox]'" in ended.stdout


def test_pipelines_and_steps_come_with_the_wheel(installed: Installed) -> None:
    assert {"provision", "teardown"} <= {item["name"] for item in installed.document("pipelines", "list")["pipelines"]}
    assert installed.run("pipelines", "show", "provision").returncode == 0
    assert "stack-apply" in json.dumps(installed.document("steps", "list"))


def test_a_stack_without_a_cloud_is_provisioned_with_the_core_alone(installed: Installed) -> None:
    ran = installed.document("run", "provision", "--env", "local", "--auto-approve")
    assert ran["status"] == "SUCCEEDED"
    said = installed.document("stacks", "outputs", "--env", "local")["stacks"]["hello"]["said"]
    assert said == {"value": "hi", "sensitive": False}
    assert installed.run("runs", "report").returncode == 0


def test_the_sandbox_says_what_to_install_before_it_builds_anything(installed: Installed) -> None:
    ended = installed.run("sandbox", "up")
    assert ended.returncode == 4
    assert "pip install 'platformctl[sandbox]'" in ended.stderr
