"""The exact command lines, and where python-terraform's own would be wrong under Terraform 1.11."""

from __future__ import annotations

from pathlib import Path

import pytest
from python_terraform import IsFlagged
from python_terraform import Terraform as PythonTerraform

from platformctl.core.command import Command
from platformctl.core.secret import Secret
from platformctl.tools.terraform import commands
from platformctl.tools.terraform.commands import Place

PLACE = Place(
    program=Path("/bin/terraform"),
    directory=Path("/copy/stacks/network"),
    data_directory=Path("/copy/data-1"),
    cli_config=Path("/copy/cli.tfrc"),
    env={"TF_VAR_token": Secret("hunter2", "test")},
)
PLAN = Path("/private/network.tfplan")


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        (commands.init_command(PLACE), "init -json -input=false -lockfile=readonly -reconfigure"),
        (
            commands.fetch_command(PLACE, "git::https://git.example.org/stacks.git//network?ref=v1"),
            (
                "init -json -input=false -backend=false "
                "-from-module=git::https://git.example.org/stacks.git//network?ref=v1"
            ),
        ),
        (
            commands.plan_command(PLACE, PLAN),
            "plan -json -input=false -lock=false -detailed-exitcode -out=/private/network.tfplan",
        ),
        (
            commands.plan_command(PLACE, PLAN, destroy=True),
            "plan -json -input=false -lock=false -detailed-exitcode -destroy -out=/private/network.tfplan",
        ),
        (commands.show_command(PLACE, PLAN), "show -json /private/network.tfplan"),
        (commands.apply_command(PLACE, PLAN), "apply -json -input=false -lock-timeout=60s /private/network.tfplan"),
        (commands.validate_command(PLACE), "validate -json"),
        (commands.force_unlock_command(PLACE, "9287-4ac4"), "force-unlock -force 9287-4ac4"),
        (commands.state_push_command(PLACE, Path("errored.tfstate")), "state push errored.tfstate"),
    ],
)
def test_command_lines(command: Command, argv: str) -> None:
    assert command.argv == ("/bin/terraform", *argv.split())
    assert command.cwd == PLACE.directory
    assert command.timeout is not None


def test_every_call_is_pointed_at_our_own_settings() -> None:
    variables = commands.plan_command(PLACE, PLAN).env
    assert variables["TF_CLI_CONFIG_FILE"] == "/copy/cli.tfrc"
    assert variables["TF_DATA_DIR"] == "/copy/data-1"
    assert variables["TF_WORKSPACE"] == "default"
    assert isinstance(variables["TF_VAR_token"], Secret)


def test_a_shown_plan_is_secret_and_an_apply_has_time_to_write_its_state() -> None:
    assert commands.show_command(PLACE, PLAN).secret_output
    assert commands.apply_command(PLACE, PLAN).grace >= 300


def test_python_terraform_builds_what_terraform_understands_for_simple_flags() -> None:
    built = PythonTerraform(terraform_bin_path="terraform").generate_cmd_string(
        "plan", json=IsFlagged, input="false", detailed_exitcode=IsFlagged, out="p"
    )
    assert built == ["terraform", "plan", "-json", "-input=false", "-detailed-exitcode", "-out=p"]


def test_python_terraform_puts_the_directory_where_terraform_refuses_it() -> None:
    """``-chdir`` is an option of terraform itself, before the subcommand; so a command's directory is its cwd."""
    built = PythonTerraform().generate_cmd_string("plan", chdir="stack")
    assert built == ["terraform", "plan", "-chdir=stack"]


def test_python_terraform_writes_variables_to_a_file_that_stays() -> None:
    """A map becomes a temporary file, secrets and all, kept until somebody cleans up; so secrets go by TF_VAR_*."""
    library = PythonTerraform()
    option = library.generate_cmd_string("plan", var={"token": "hunter2"})[-1]
    left = Path(option.removeprefix("-var-file="))
    try:
        assert "hunter2" in left.read_text(encoding="utf-8")
    finally:
        left.unlink()


def test_python_terraform_gives_backend_settings_in_argv() -> None:
    """Every process of the machine can read an argv; so the backend is a generated file."""
    built = PythonTerraform().generate_cmd_string("init", backend_config={"secret_key": "hunter2"})
    assert built[-1] == "-backend-config=secret_key=hunter2"


def test_python_terraform_takes_names_with_underscores_apart() -> None:
    """``-replace=aws_vpc.a`` is safe, because only option names are changed, never values."""
    built = PythonTerraform().generate_cmd_string("plan", replace="aws_vpc.this")
    assert built[-1] == "-replace=aws_vpc.this"


def test_python_terraform_reads_a_state_file_when_it_is_made(tmp_path: Path) -> None:
    """Its constructor opens ``terraform.tfstate`` of the working directory; so only its command building is used."""
    (tmp_path / "terraform.tfstate").write_text('{"version": 4, "lineage": "read-by-constructor"}', encoding="utf-8")
    library = PythonTerraform(working_dir=f"{tmp_path}")
    assert library.tfstate.lineage == "read-by-constructor"
