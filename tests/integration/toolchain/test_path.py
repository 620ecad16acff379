"""Programs on PATH: asked for their version, judged, remembered."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import CommandRunner
from platformctl.core.errors import PreconditionError
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.toolchain import Origin, Toolchain

StandIn = Callable[[Path, str, str], Path]


class Terraform(Protocol):
    """Writes a stand-in that says it is Terraform of that version."""

    def __call__(self, folder: Path, version: str, name: str = "terraform") -> Path: ...


@pytest.fixture
def terraform(stand_in: StandIn) -> Terraform:
    def write(folder: Path, version: str, name: str = "terraform") -> Path:
        return stand_in(folder, name, f"""echo '{{"terraform_version": "{version}"}}'""")

    return write


def toolchain(tmp_path: Path, runner: CommandRunner, *folders: Path) -> Toolchain:
    path = os.pathsep.join(map(str, folders))
    return Toolchain(None, tmp_path / "cache", runner, environ={"PATH": path})


def test_a_wrong_version_is_refused_with_the_reason_and_what_to_do(
    tmp_path: Path, runner: CommandRunner, terraform: Terraform
) -> None:
    old = terraform(tmp_path / "bin", "1.5.7")
    with pytest.raises(PreconditionError) as raised:
        toolchain(tmp_path, runner, tmp_path / "bin").find("terraform")
    assert raised.value.message.startswith(f"terraform: {old}: version 1.5.7 is not >=1.10: ")
    assert raised.value.hint == "install Terraform 1.11 (or OpenTofu 1.10) or later and put it on PATH"


def test_an_accepted_one_later_on_path_wins_over_a_refused_one(
    tmp_path: Path, runner: CommandRunner, terraform: Terraform
) -> None:
    terraform(tmp_path / "old", "1.5.7")
    expected = terraform(tmp_path / "new", "1.11.4")
    assert toolchain(tmp_path, runner, tmp_path / "old", tmp_path / "new").find("terraform") == expected


def test_opentofu_is_accepted_in_terraforms_place_with_its_own_licence(
    tmp_path: Path, runner: CommandRunner, terraform: Terraform
) -> None:
    terraform(tmp_path / "bin", "1.5.7")
    tofu = terraform(tmp_path / "bin", "1.10.2", name="tofu")
    found = toolchain(tmp_path, runner, tmp_path / "bin").look("terraform")
    assert (found.path, found.accepted, found.licence) == (tofu, True, "MPL-2.0")


def test_a_newer_version_is_accepted_and_said_to_be_untried(
    tmp_path: Path, runner: CommandRunner, terraform: Terraform
) -> None:
    terraform(tmp_path / "bin", "1.99.0")
    found = toolchain(tmp_path, runner, tmp_path / "bin").look("terraform")
    assert found.accepted
    assert "newer than 1.11.4" in found.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [("exit 3", "ended with code 3"), ("echo hello", "does not say a version"), ("kill -9 $$", "SIGKILL")],
)
def test_a_program_that_does_not_tell_its_version_is_refused(
    tmp_path: Path, runner: CommandRunner, body: str, reason: str, stand_in: StandIn
) -> None:
    stand_in(tmp_path / "bin", "terraform", body)
    found = toolchain(tmp_path, runner, tmp_path / "bin").look("terraform")
    assert not found.accepted
    assert reason in found.reason


def test_a_file_that_is_no_program_is_refused(tmp_path: Path, runner: CommandRunner, stand_in: StandIn) -> None:
    path = stand_in(tmp_path / "bin", "terraform", "")
    path.write_bytes(b"\x7fELF, but not really")
    found = toolchain(tmp_path, runner, tmp_path / "bin").look("terraform")
    assert not found.accepted
    assert found.path == path


def test_a_program_that_was_missing_is_found_once_it_is_there(
    tmp_path: Path, runner: CommandRunner, terraform: Terraform
) -> None:
    tools = toolchain(tmp_path, runner, tmp_path / "bin")
    assert tools.look("terraform").path is None
    expected = terraform(tmp_path / "bin", "1.11.4")
    assert tools.find("terraform") == expected


def test_a_script_is_asked_each_time_because_a_version_manager_may_hide_behind_it(
    tmp_path: Path, runner: CommandRunner, terraform: Terraform
) -> None:
    path = terraform(tmp_path / "bin", "1.11.4")
    time = path.stat().st_mtime_ns
    assert toolchain(tmp_path, runner, tmp_path / "bin").look("terraform").version == "1.11.4"
    terraform(tmp_path / "bin", "1.10.4")
    os.utime(path, ns=(time, time))
    assert toolchain(tmp_path, runner, tmp_path / "bin").look("terraform").version == "1.10.4"


def test_the_real_terraform_is_found_although_its_configuration_variable_names_a_missing_file(tmp_path: Path) -> None:
    environ = {**os.environ, "TF_CLI_CONFIG_FILE": str(tmp_path / "missing"), "TF_LOG": "TRACE"}
    host = ProcessHost(KnownSecrets(), SystemClock(), environ)
    runner = host.bind(cancel=Cancel(), on_line=None, on_child=None)
    found = Toolchain(None, tmp_path / "cache", runner, environ=environ).look("terraform")
    assert (found.accepted, found.origin) == (True, Origin.PATH)
    assert found.reason == ""


def test_what_a_native_program_answered_is_remembered_until_it_changes(tmp_path: Path, runner: CommandRunner) -> None:
    real = Toolchain(None, tmp_path / "first", runner).find("terraform")
    memory = tmp_path / "cache/versions.json"
    tools = toolchain(tmp_path, runner, real.parent)
    version = tools.look("terraform").version
    key = f"terraform:{real}"
    remembered = json.loads(memory.read_text(encoding="utf-8"))
    assert remembered[key][2] == version
    remembered[key][2] = "1.10.9"  # a made-up answer shows that nobody was asked
    memory.write_text(json.dumps(remembered), encoding="utf-8")
    assert toolchain(tmp_path, runner, real.parent).look("terraform").version == "1.10.9"
    remembered[key][0] += 1  # another modification time
    memory.write_text(json.dumps(remembered), encoding="utf-8")
    assert toolchain(tmp_path, runner, real.parent).look("terraform").version == version
