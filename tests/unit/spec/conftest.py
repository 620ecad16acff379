"""A root for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.spec.sample_roots import sample_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sample_root(tmp_path)
