"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.cli.reference import DIRECTORY, exit_codes_page, pages
from platformctl.core import errors

ROOT = Path(__file__).parents[2]
NAMES = ("cli.md", "environment.md", "environment.schema.json", "exit-codes.md", "pipelines.md", "steps.md")


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The pages as the code makes them now."""
    return pages(ROOT)


def test_these_pages_are_made(made: dict[str, str]) -> None:
    assert tuple(sorted(made)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_page_is_not_stale(name: str, made: dict[str, str]) -> None:
    path = ROOT / DIRECTORY / name
    written = path.read_text(encoding="utf-8") if path.is_file() else ""
    # Not compared inside the assert: pytest would spend seconds on a diff of what one command writes anew.
    stale = written != made[name]
    assert not stale, f"{name} is stale; run: python -m platformctl.cli.reference"


def test_every_error_class_has_its_row_in_the_table_of_exit_codes() -> None:
    page = exit_codes_page()
    named = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert [name for name in named if f"`{name}`" not in page] == ["PlatformError"]
