"""Programs that cannot be started: each cause in one line, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.core.command import Command
from platformctl.core.errors import PreconditionError, ToolError
from tests.integration.process.conftest import Bench


def script(path: Path, content: bytes, mode: int = 0o755) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def failure(bench: Bench, *argv: str, cwd: Path | None = None) -> PreconditionError:
    with pytest.raises(PreconditionError) as caught:
        bench.runner.run(Command(argv, cwd=cwd))
    assert bench.children == []
    assert "\n" not in caught.value.message
    return caught.value


def test_a_name_that_is_not_on_path(bench: Bench) -> None:
    error = failure(bench, "no-such-program-anywhere")
    assert "cannot start no-such-program-anywhere: not found on PATH" in error.message
    assert "platformctl doctor" in error.hint


def test_a_path_that_does_not_exist(bench: Bench, tmp_path: Path) -> None:
    assert f"{tmp_path}/gone does not exist" in failure(bench, f"{tmp_path}/gone").message


def test_a_file_that_is_not_executable(bench: Bench, tmp_path: Path) -> None:
    error = failure(bench, script(tmp_path / "plain", b"x", 0o644))
    assert "Permission denied" in error.message
    assert "executable" in error.hint


def test_a_file_built_for_another_machine(bench: Bench, tmp_path: Path) -> None:
    error = failure(bench, script(tmp_path / "foreign", b"\x7fELF\x02\x01\x01" + b"\0" * 57))
    assert "not a program for this machine" in error.message


def test_a_script_whose_interpreter_is_missing(bench: Bench, tmp_path: Path) -> None:
    error = failure(bench, script(tmp_path / "orphan", b"#!/no/such/interpreter\n"))
    assert "not what it needs to run" in error.message
    assert "first line" in error.hint


def test_a_working_directory_that_does_not_exist(bench: Bench, tmp_path: Path) -> None:
    error = failure(bench, "true", cwd=tmp_path / "gone")
    assert f"its working directory {tmp_path}/gone does not exist" in error.message


def test_an_argument_that_no_program_can_be_given(bench: Bench) -> None:
    assert "null byte" in failure(bench, "true", "a\0b").message


def test_more_arguments_than_the_system_takes(bench: Bench) -> None:
    with pytest.raises(ToolError, match="Argument list too long"):
        bench.runner.run(Command(("true", "x" * 8_000_000)))
