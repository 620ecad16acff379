"""Which versions are accepted, and what is said of them."""

from __future__ import annotations

import pytest

from platformctl.toolchain.program import load
from platformctl.toolchain.version import judge

CATALOGUE = load()


@pytest.mark.parametrize("version", ["1.10.0", "1.10.5", "1.11.4"])
def test_an_accepted_version_needs_no_remark(version: str) -> None:
    judgement = judge(CATALOGUE["terraform"], version)
    assert judgement.accepted
    assert judgement.note == ""


@pytest.mark.parametrize("version", ["1.12.0", "1.14.2", "2.0.0", "1.13.0-rc1"])
def test_a_version_newer_than_the_tested_one_is_accepted_with_a_remark(version: str) -> None:
    judgement = judge(CATALOGUE["terraform"], version)
    assert judgement.accepted
    assert judgement.note == "newer than 1.11.4, the version that was tested"


@pytest.mark.parametrize("version", ["0.15.5", "1.5.7", "1.9.8", "1.10.0-rc1"])
def test_a_terraform_without_the_s3_backends_own_lock_is_refused_with_the_reason(version: str) -> None:
    judgement = judge(CATALOGUE["terraform"], version)
    assert not judgement.accepted
    assert version in judgement.note
    assert "use_lockfile" in judgement.note


def test_another_minor_version_of_the_control_plane_is_refused() -> None:
    assert not judge(CATALOGUE["kube-control-plane"], "1.35.0").accepted
    assert judge(CATALOGUE["kube-control-plane"], "1.34.9").accepted


def test_a_version_that_is_no_version_is_refused() -> None:
    judgement = judge(CATALOGUE["go"], "devel +abc")
    assert not judgement.accepted
    assert "cannot be compared" in judgement.note


def test_every_pinned_version_is_an_accepted_one() -> None:
    pinned = {name: program for name, program in CATALOGUE.items() if program.pinned}
    refused = {name: program.pinned for name, program in pinned.items() if not judge(program, program.pinned).accepted}
    assert refused == {}
