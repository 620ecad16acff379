"""A part as a value: its way through the state file, and what makes a running one out of date."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from platformctl.sandbox.part import HttpAnswer, LogLine, OpenPort, Part, Readiness


@pytest.mark.parametrize(
    "readiness", [OpenPort(1), HttpAnswer("https://127.0.0.1:1/", ca="ca.crt"), LogLine("Server listening")]
)
def test_a_part_survives_the_state_file(tmp_path: Path, readiness: Readiness) -> None:
    part = Part(
        "etcd",
        ("etcd", "--x"),
        readiness,
        environment={"A": "b"},
        ports=(1, 2),
        directory=tmp_path,
        needs=("aws",),
        empties_with=("aws",),
        settings=(tmp_path / "settings.json",),
    )
    assert Part.from_json(json.loads(json.dumps(part.to_json()))) == part


def test_the_fingerprint_changes_with_what_the_program_reads_at_its_start(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    part = Part("aws", ("python",), OpenPort(1), settings=(settings,))
    absent = part.fingerprint()
    settings.write_text("{}")
    written = part.fingerprint()
    settings.write_text('{"port": 2}')
    assert len({absent, written, part.fingerprint()}) == 3


def test_the_fingerprint_does_not_change_with_how_long_we_wait() -> None:
    part = Part("aws", ("python",), OpenPort(1))
    assert dataclasses.replace(part, deadline=1.0, grace=1.0).fingerprint() == part.fingerprint()
