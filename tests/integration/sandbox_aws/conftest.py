"""One simulated AWS for these tests. They share it: each names what it makes after itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulated_aws import SimulatedAws, running


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedAws]:
    """Without a registry and without Kubernetes."""
    with running(tmp_path_factory.mktemp("aws")) as one:
        yield one
