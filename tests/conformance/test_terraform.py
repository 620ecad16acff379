"""Rules that every Terraform module and stack keeps, so that promise 1 holds for all of them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command, CommandRunner
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.steps.stack_source import write_cli_config
from platformctl.toolchain.providers import find_mirrors
from platformctl.tools.terraform.configuration import Block, read_configuration, unquoted

TERRAFORM = Path(__file__).parents[2] / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
STACKS = sorted(path for path in (TERRAFORM / "stacks").iterdir() if path.is_dir())
EACH = [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in (*MODULES, *STACKS)]
EACH_STACK = [pytest.param(path, id=path.name) for path in STACKS]
EACH_MODULE = [pytest.param(path, id=path.name) for path in MODULES]


def labelled(outline: Block, kind: str) -> dict[str, Block]:
    return {block.labels[0]: block for block in outline.each(kind)}


@pytest.mark.parametrize("folder", EACH)
def test_a_folder_has_its_files(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"} <= names
    assert not names & {"misc.tf", "terraform.tfstate", ".terraform"}
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", folder.name)


@pytest.mark.parametrize("folder", EACH)
def test_variables_have_a_type_and_everything_has_a_description(folder: Path) -> None:
    outline = read_configuration(folder)
    for name, variable in labelled(outline, "variable").items():
        assert {"type", "description"} <= variable.attributes.keys(), name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    for name, output in labelled(outline, "output").items():
        assert "description" in output.attributes, name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


@pytest.mark.parametrize("folder", EACH_MODULE)
def test_a_module_says_the_least_it_needs_and_leaves_the_rest_to_stacks(folder: Path) -> None:
    outline = read_configuration(folder)
    assert not list(outline.each("provider"))
    assert not (folder / ".terraform.lock.hcl").exists()
    assert list((folder / "tests").glob("*.tftest.hcl")), "a module has tests"
    for terraform in outline.each("terraform"):
        assert not list(terraform.each("backend"))
        assert terraform.attributes["required_version"].startswith('">= ')
        for wanted in terraform.each("required_providers"):
            assert all('">= ' in expression for expression in wanted.attributes.values())


@pytest.mark.parametrize("folder", EACH_STACK)
def test_a_stack_only_calls_modules_and_pins_its_providers(folder: Path) -> None:
    outline = read_configuration(folder)
    assert {block.kind for block in outline.blocks} <= {
        "terraform",
        "provider",
        "variable",
        "output",
        "module",
        "moved",
    }
    assert (folder / ".terraform.lock.hcl").is_file(), "the lock file is committed"
    for terraform in outline.each("terraform"):
        assert not list(terraform.each("backend")), "the backend is generated"
        for wanted in terraform.each("required_providers"):
            for expression in wanted.attributes.values():
                assert re.search(r'version="\d+\.\d+\.\d+"', expression.replace(" ", "")), expression


@pytest.mark.parametrize("folder", EACH_STACK)
def test_a_stack_hands_each_input_straight_to_a_module_argument_of_the_same_name(folder: Path) -> None:
    outline = read_configuration(folder)
    for name in labelled(outline, "variable"):
        taking = [module for module in outline.each("module") if module.attributes.get(name) == f"var.{name}"]
        assert taking, f"{name} must be handed on as `{name} = var.{name}`: unknown inputs depend on it"
    for variable in outline.each("variable"):
        assert not list(variable.each("validation")), "validations belong to the module: an unknown input is null here"
        assert variable.attributes.get("nullable") != "false"


@pytest.mark.parametrize("folder", EACH_STACK)
def test_a_stack_gives_every_output_of_its_modules(folder: Path) -> None:
    outline = read_configuration(folder)
    given = set(labelled(outline, "output"))
    for module in outline.each("module"):
        source = folder / unquoted(module.attributes["source"])
        assert set(labelled(read_configuration(source), "output")) <= given


@pytest.mark.parametrize("folder", EACH)
def test_a_readme_names_what_it_is(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    title = f"# {folder.name}" if folder.parent.name == "modules" else f"# Stack: {folder.name}"
    assert text.startswith(f"{title}\n")


@pytest.fixture(scope="module")
def program() -> str:
    found = shutil.which("terraform") or shutil.which("tofu")
    assert found, "script/test needs Terraform or OpenTofu on PATH"
    return found


@pytest.fixture(scope="module")
def runner() -> Iterator[CommandRunner]:
    host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    yield host.bind(cancel=Cancel(), on_line=None, on_child=None)
    host.close()


def test_every_file_is_formatted(program: str, runner: CommandRunner) -> None:
    done = runner.run(Command((program, "fmt", "-check", "-recursive", "-diff", f"{TERRAFORM}"), ok_codes=(0, 3)))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", EACH_MODULE)
def test_a_modules_own_tests_pass(folder: Path, program: str, runner: CommandRunner, tmp_path: Path) -> None:
    """In a copy: init would leave a lock file in the module."""
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    (tmp_path / "plugins").mkdir()
    environment = {
        "TF_CLI_CONFIG_FILE": f"{write_cli_config(tmp_path, find_mirrors(tmp_path), tmp_path / 'plugins')}",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for arguments in (("init", "-backend=false", "-input=false"), ("test", "-no-color")):
        done = runner.run(Command((program, *arguments), cwd=copy, env=environment, timeout=110.0, ok_codes=(0, 1)))
        assert done.returncode == 0, done.stdout + done.stderr
