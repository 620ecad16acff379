"""One sandbox for the whole session, in a temporary root, brought up as a person would and proven gone at the end.

What needs no more of it than AWS uses ``machine`` instead: a root whose state and record are in S3.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.sandbox import remains
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.lifecycle import Sandbox
from platformctl.sandbox.processes import SystemProcesses
from platformctl.toolchain import Toolchain
from tests.integration.terraform.machine import Machine
from tests.simulated_aws import SimulatedAws, running

PROGRAMS = ("kube-control-plane", "kwok", "registry")


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that is up. ``connection``: the document of connection.json."""

    root: Path
    sandbox: Sandbox
    connection: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs reach it."""
        return dict(self.connection["environment"])

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return Path(self.environment["KUBECONFIG"])


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """The programs of the sandbox, built when they are missing."""
    clock = SystemClock()
    host = ProcessHost(KnownSecrets(), clock, os.environ)
    tools = Toolchain(None, None, host.bind(cancel=Cancel(), on_line=None, on_child=None))
    tools.sync(PROGRAMS)
    return tools


def sandbox_of(root: Path, toolchain: Toolchain) -> Sandbox:
    """The sandbox of a root, as ``cli`` makes it."""
    return Sandbox(
        Layout.of(root),
        processes=SystemProcesses(),
        clock=SystemClock(),
        program=toolchain.find,
        environ=os.environ,
    )


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain) -> Iterator[RunningSandbox]:
    """The session's sandbox. Tests share it: they name what they create after themselves, and kill nothing in it."""
    root = tmp_path_factory.mktemp("root")
    (root / "platform.yaml").write_text("schemaVersion: 1\n", encoding="utf-8")
    one = sandbox_of(root, toolchain)
    try:
        one.up()
        yield RunningSandbox(root, one, json.loads(one.layout.connection.read_text(encoding="utf-8")))
    finally:
        one.down()
    assert remains.find(one.layout, {}, SystemProcesses()) == []


@pytest.fixture(scope="session")
def simulated_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedAws]:
    """A simulated AWS and nothing else. Tests share it: each has a bucket of its own."""
    with running(tmp_path_factory.mktemp("aws")) as one:
        yield one


@pytest.fixture
def machine(tmp_path: Path, simulated_aws: SimulatedAws) -> Iterator[Machine]:
    """A machine with one root and no bucket yet."""
    made = Machine(root=tmp_path / "root", aws=simulated_aws, bucket=f"state-{uuid.uuid4().hex[:12]}")
    yield made
    made.close()
