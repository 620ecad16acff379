"""The digest of the working tree: what it covers and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.engine import tree
from platformctl.engine.tree import working_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("platform.yaml", "pipelines/environments/dev.yaml", "terraform/stacks/network/main.tf", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def digest(root: Path) -> str:
    return working_tree(root, root / "pipelines/environments/dev.yaml")


def test_the_same_files_give_the_same_digest_wherever_they_are(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import shutil

    other = tmp_path_factory.mktemp("other") / "root"
    shutil.copytree(root, other)
    assert digest(root) == digest(other)


@pytest.mark.parametrize(
    "name", ["platform.yaml", "pipelines/environments/dev.yaml", "terraform/stacks/network/main.tf"]
)
def test_an_uncommitted_change_is_a_change(root: Path, name: str) -> None:
    before = digest(root)
    (root / name).write_text("changed")
    assert digest(root) != before


def test_a_new_file_a_new_name_and_an_executable_bit_are_changes(root: Path) -> None:
    seen = {digest(root)}
    (root / "ansible").mkdir()
    (root / "ansible" / "play.yml").write_text("x")
    seen.add(digest(root))
    (root / "ansible" / "play.yml").rename(root / "ansible" / "other.yml")
    seen.add(digest(root))
    (root / "ansible" / "other.yml").chmod(0o755)
    seen.add(digest(root))
    (root / "ansible" / "link").symlink_to("other.yml")
    seen.add(digest(root))
    assert len(seen) == 5


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "terraform/stacks/network/.terraform/providers/x",
        "pipelines/demo/__pycache__/pipeline.cpython-311.pyc",
        "ansible/site.retry",
        "terraform/stacks/network/terraform.tfstate",
        ".platform/runs/r1/events.jsonl",
    ],
)
def test_what_is_not_part_of_a_run_or_is_left_behind_by_tools_does_not_count(root: Path, name: str) -> None:
    before = digest(root)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left behind")
    assert digest(root) == before


def test_the_environment_file_may_be_elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("elsewhere") / "prod.yaml"
    file.write_text("one")
    before = working_tree(root, file)
    file.write_text("two")
    assert working_tree(root, file) != before


def test_too_much_is_refused_and_a_file_named(root: Path) -> None:
    big = root / "terraform" / "image.iso"
    with big.open("wb") as file:
        file.truncate(tree.MAX_BYTES + 1)
    with pytest.raises(PreconditionError, match="more than") as caught:
        digest(root)
    assert caught.value.hint
