"""Where provider mirrors are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.toolchain.providers import find_mirrors


def mirror(path: Path, host: str = "registry.terraform.io") -> Path:
    (path / host / "hashicorp/aws").mkdir(parents=True)
    return path


def test_without_a_mirror_there_is_none(tmp_path: Path) -> None:
    assert find_mirrors(tmp_path, environ={"HOME": str(tmp_path / "home")}, system=tmp_path / "system") == ()


@pytest.mark.parametrize(
    "place",
    ["usr/share/terraform/plugins", "usr/local/share/terraform/plugins", "opt/plugins", "opt/terraform/mirror", "opt"],
)
def test_a_mirror_under_a_prefix_of_the_system_is_found(tmp_path: Path, place: str) -> None:
    expected = mirror(tmp_path / place)
    assert find_mirrors(environ={}, system=tmp_path) == (expected,)


def test_a_mirror_of_opentofus_registry_is_one(tmp_path: Path) -> None:
    expected = mirror(tmp_path / "opt/plugins", host="registry.opentofu.org")
    assert find_mirrors(environ={}, system=tmp_path) == (expected,)


def test_the_users_own_come_before_the_systems_and_none_comes_twice(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    expected = (
        mirror(root / "terraform.d/plugins"),
        mirror(home / ".terraform.d/plugins"),
        mirror(tmp_path / "share/terraform/plugins"),
        mirror(tmp_path / "usr/share/terraform/plugins"),
        mirror(tmp_path / "opt/a"),
        mirror(tmp_path / "opt/b"),
    )
    mirror(tmp_path / "opt/a", host="registry.opentofu.org")
    environ = {"HOME": str(home), "XDG_DATA_DIRS": f"{tmp_path}/share:{tmp_path}/usr/share"}
    assert find_mirrors(root, environ=environ, system=tmp_path) == expected


def test_a_plugin_cache_is_no_mirror(tmp_path: Path) -> None:
    cache = mirror(tmp_path / "cache")
    assert find_mirrors(environ={"TF_PLUGIN_CACHE_DIR": str(cache)}, system=tmp_path / "system") == ()


def test_a_file_in_a_mirrors_place_is_no_mirror(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/registry.terraform.io").write_text("", encoding="utf-8")
    assert find_mirrors(environ={}, system=tmp_path) == ()
