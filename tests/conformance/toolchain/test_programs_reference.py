"""The reference says what ``programs.toml`` says; the modules replace nothing by a folder of somebody's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from platformctl.toolchain.program import Kind, Program, load

ROOT = Path(__file__).parents[3]
CATALOGUE = load()
FROM = {
    Kind.PREREQUISITE: "found, never built",
    Kind.MODULE: "Go module, `go.sum`",
    Kind.WHEEL: "PATH, else its wheel with hashes",
}


def row(program: Program) -> str:
    """The line of the page for one program."""
    names = ", ".join(f"`{name}` ({licence})" for name, licence in program.names.items())
    used = ", ".join(f"`{command}`" for command in program.used_by)
    cells = (f"`{program.name}`", program.summary, used, program.pinned or "-", f"`{program.accepts}`", program.tested)
    return "| " + " | ".join([*cells, FROM[program.kind], names]) + " |"


@pytest.mark.parametrize("program", CATALOGUE.values(), ids=lambda program: program.name)
def test_the_reference_has_the_programs_row(program: Program) -> None:
    text = (ROOT / "docs/reference/programs.md").read_text(encoding="utf-8")
    assert row(program) in text, f"docs/reference/programs.md needs this line:\n{row(program)}"
    assert f"- `{program.name}`: {program.why}." in text


def test_the_reference_has_no_row_too_many() -> None:
    text = (ROOT / "docs/reference/programs.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| `", text, flags=re.MULTILINE)) == len(CATALOGUE)


@pytest.mark.parametrize(
    "module",
    [program for program in CATALOGUE.values() if program.kind is Kind.MODULE],
    ids=lambda program: program.name,
)
def test_a_module_replaces_by_version_never_by_a_folder(module: Program) -> None:
    assert module.source is not None
    lines = (module.source / "go.mod").read_text(encoding="utf-8").splitlines()
    targets = [line.split("=>")[1].split() for line in lines if "=>" in line]
    assert [target for target in targets if len(target) != 2] == []


def test_every_folder_of_a_module_belongs_to_a_program() -> None:
    known = {program.source for program in CATALOGUE.values()}
    folders = {path.parent for path in (ROOT / "platformctl/toolchain/go").glob("*/go.mod")}
    assert folders <= known
