"""What is said of a machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from platformctl.toolchain.machine import Check, inspect

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the checks for hosts are Linux's")

ALL_CAPABILITIES = "000001ffffffffff"


def checks(system: Path, environ: dict[str, str] | None = None) -> dict[str, Check]:
    return {check.name: check for check in inspect(system / "cache", None, environ=environ or {}, system=system)}


def linux(system: Path, *, capabilities: str = ALL_CAPABILITIES, filesystems: str = "nodev\toverlay\n") -> None:
    spaces = system / "proc/self/ns"
    spaces.mkdir(parents=True)
    for kind in ("net", "mnt", "pid", "uts", "ipc"):
        (spaces / kind).touch()
    (system / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\n", encoding="utf-8")
    (system / "proc/filesystems").write_text(filesystems, encoding="utf-8")


def test_a_machine_that_can_do_all(tmp_path: Path) -> None:
    linux(tmp_path)
    found = checks(tmp_path)
    assert [found[name].fine for name in ("root", "namespaces", "overlay")] == [True, True, True]


def test_without_root_everything_but_hosts_works_and_it_says_so(tmp_path: Path) -> None:
    linux(tmp_path, capabilities="0000000000000000")
    check = checks(tmp_path)["root"]
    assert not check.fine
    assert "works without hosts" in check.hint


def test_a_kernel_without_overlay_is_told_apart(tmp_path: Path) -> None:
    linux(tmp_path, filesystems="\text4\n")
    assert "modprobe overlay" in checks(tmp_path)["overlay"].hint


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert not found["root"].fine
    assert not found["namespaces"].fine


def test_a_provider_mirror_is_shown_and_its_absence_is_no_fault(tmp_path: Path) -> None:
    assert checks(tmp_path)["providers"].fine
    (tmp_path / "opt/plugins/registry.terraform.io").mkdir(parents=True)
    assert str(tmp_path / "opt/plugins") in checks(tmp_path)["providers"].detail
