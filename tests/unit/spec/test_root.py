"""The root: where it is found, what its file may say, which platformctl it wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError, SpecError
from platformctl.spec.root import find_root, read_root


def test_the_root_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert find_root(inside).path == tmp_path


def test_no_root_is_a_precondition_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError) as raised:
        find_root(tmp_path)
    assert "platformctl init" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schemaVersion: 2\n", "platform.yaml:1: schemaVersion 2 is not known; this platformctl reads 1"),
        (
            "schemaVersion: 1\ndefault: {}\n",
            "platform.yaml:2: unknown key 'default' in the file; did you mean 'defaults'?",
        ),
        (
            "schemaVersion: 1\nplatformctl: newest\n",
            "platform.yaml:2: platformctl: 'newest' is not a version range such as >=0.1,<0.3",
        ),
    ],
)
def test_a_faulty_root_file_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "platform.yaml").write_text(text)
    with pytest.raises(SpecError) as raised:
        find_root(tmp_path)
    assert [str(problem) for problem in raised.value.problems] == [expected]


def test_a_root_that_wants_another_version_is_not_worked_on(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text('schemaVersion: 1\nplatformctl: ">=99"\n')
    with pytest.raises(PreconditionError, match="wants platformctl >=99"):
        find_root(tmp_path)


@pytest.mark.parametrize("wanted", ["", ">=0.0", ">=0.0,<99", "!=99"])
def test_a_root_that_accepts_this_version_is_worked_on(tmp_path: Path, wanted: str) -> None:
    (tmp_path / "platform.yaml").write_text(f'schemaVersion: 1\nplatformctl: "{wanted}"\ndefaults: {{timezone: UTC}}\n')
    root = read_root(tmp_path)
    assert (root.wants_version, root.defaults) == (wanted, {"timezone": "UTC"})
