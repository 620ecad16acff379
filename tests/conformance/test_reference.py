"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.cli.reference import DIRECTORY, pages

ROOT = Path(__file__).parents[2]
PAGES = pages(ROOT)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_not_stale(name: str) -> None:
    path = ROOT / DIRECTORY / name
    written = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert written == PAGES[name], f"{name} is stale; run: python -m platformctl.cli.reference"


def test_every_error_class_has_its_row_in_the_table_of_exit_codes() -> None:
    from platformctl.core import errors

    named = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert [name for name in named if f"`{name}`" not in PAGES["exit-codes.md"]] == ["PlatformError"]
