"""Terraform's command lines, as values. Pure: nothing is run and nothing is written here.

The argv comes from python-terraform's ``generate_cmd_string``, which agrees with Terraform 1.11 for simple flags and
``name=value`` options; ``tests/contract`` shows where it does not (``-chdir``, maps, ``destroy -force``), and none of
that is used. Only flags that OpenTofu knows too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as _PythonTerraform

from platformctl.core.command import Command
from platformctl.core.secret import Secret

INIT_TIMEOUT, PLAN_TIMEOUT, SHOW_TIMEOUT, APPLY_TIMEOUT = 900.0, 1800.0, 300.0, 4 * 3600.0
GRACE = 300.0
"""Seconds an interrupted apply has: Terraform waits for calls under way and then writes its state."""
LOCK_TIMEOUT = "60s"

NO_CHANGES, FAILED, CHANGES = 0, 1, 2
"""Exit codes under ``-detailed-exitcode``. We read the diagnostics ourselves, so none of them is a surprise."""
CODES = (NO_CHANGES, FAILED, CHANGES)


@dataclass(frozen=True)
class Place:
    """Where and with what Terraform runs: the working copy, and the environment that points it at ours alone."""

    program: Path
    directory: Path
    data_directory: Path
    cli_config: Path
    env: Mapping[str, str | Secret] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str | Secret]:
        """The variables of every call. TF_CLI_CONFIG_FILE is always ours: a preset one may name a missing file."""
        return {
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_WORKSPACE": "default",
            **self.env,
            "TF_DATA_DIR": f"{self.data_directory}",
            "TF_CLI_CONFIG_FILE": f"{self.cli_config}",
        }


class _Argv(_PythonTerraform):  # type: ignore[misc]
    """Only ``generate_cmd_string``: the constructor of python-terraform would read a state file from the cwd."""

    def __init__(self, program: Path) -> None:
        self.terraform_bin_path = f"{program}"


def argv(program: Path, subcommand: str, *arguments: str, **options: Any) -> tuple[str, ...]:
    """The command line; True becomes a bare flag, False and None nothing, anything else ``-name=value``."""
    flags = {name: IsFlagged if value is True else value for name, value in options.items() if value is not False}
    return tuple(_Argv(program).generate_cmd_string(subcommand, *arguments, **flags))


def init_command(place: Place) -> Command:
    """``-reconfigure``: the working copy is made anew, there is no older backend whose state should be moved."""
    options = {"json": True, "input": "false", "lockfile": "readonly", "reconfigure": True}
    return _command(place, argv(place.program, "init", **options), timeout=INIT_TIMEOUT, ok_codes=CODES)


def fetch_command(place: Place, address: str) -> Command:
    """Copies a root module from an address as Terraform writes it into the working directory, which must be empty."""
    options = {"json": True, "input": "false", "backend": "false", "from_module": address}
    return _command(place, argv(place.program, "init", **options), timeout=INIT_TIMEOUT, ok_codes=CODES)


def plan_command(place: Place, out: Path, *, destroy: bool = False) -> Command:
    """A speculative plan takes no lock: what is applied is planned again, and a stale plan is refused by Terraform."""
    options = {
        "json": True,
        "input": "false",
        "lock": "false",
        "detailed_exitcode": True,
        "destroy": destroy,
        "out": out,
    }
    return _command(place, argv(place.program, "plan", **options), timeout=PLAN_TIMEOUT, ok_codes=CODES)


def show_command(place: Place, plan: Path) -> Command:
    """The plan as JSON. It holds sensitive values in clear, so nobody but the caller may see the output."""
    return _command(
        place,
        argv(place.program, "show", f"{plan}", json=True),
        timeout=SHOW_TIMEOUT,
        ok_codes=CODES,
        secret_output=True,
    )


def apply_command(place: Place, plan: Path) -> Command:
    """Applies a saved plan, never a configuration. The step's deadline usually ends it sooner."""
    options = {"json": True, "input": "false", "lock_timeout": LOCK_TIMEOUT}
    return _command(
        place,
        argv(place.program, "apply", f"{plan}", **options),
        timeout=APPLY_TIMEOUT,
        ok_codes=CODES,
        grace=GRACE,
    )


def validate_command(place: Place) -> Command:
    """Checks the configuration without touching anything outside."""
    return _command(place, argv(place.program, "validate", json=True), ok_codes=CODES)


def force_unlock_command(place: Place, lock_id: str) -> Command:
    """Removes one lock, by its id."""
    return _command(place, argv(place.program, "force-unlock", lock_id, force=True))


def state_push_command(place: Place, state: Path) -> Command:
    """Uploads a state that Terraform could not write; it refuses one that is older or of another lineage."""
    return _command(place, argv(place.program, "state push", f"{state}"), timeout=SHOW_TIMEOUT)


def _command(place: Place, line: tuple[str, ...], **settings: Any) -> Command:
    return Command(argv=line, cwd=place.directory, env=place.environment, **{"grace": 30.0, **settings})
