"""The OCI registry: the distribution project's, plain and open on loopback. ECR's rules are put in front by ``aws``."""

from __future__ import annotations

import json
from collections.abc import Mapping

from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import HttpAnswer, Part, ProgramFinder
from platformctl.sandbox.ports import LOOPBACK
from platformctl.sandbox.state import write_private

REGISTRY = "registry"
PORTS = ("registry",)


def endpoint(ports: Mapping[str, int]) -> str:
    """Its own URL, without ECR's rules."""
    return f"http://{LOOPBACK}:{ports['registry']}"


def write_settings(layout: Layout, ports: Mapping[str, int]) -> None:
    """Writes its configuration (https://distribution.github.io/distribution/about/configuration/), JSON being YAML."""
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(layout.kept("registry"))},
            "delete": {"enabled": True},
            # The purge of old uploads starts with a scan; the directory lives as long as AWS's memory anyway.
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        # Relative, because clients come through the front, which listens elsewhere.
        "http": {"addr": f"{LOOPBACK}:{ports['registry']}", "relativeurls": True, "secret": "one process, no cluster"},
    }
    write_private(layout.settings / "registry.json", json.dumps(settings, indent=1))


def part(layout: Layout, ports: Mapping[str, int], program: ProgramFinder) -> Part:
    """The registry. Raises PreconditionError when the program is missing."""
    settings = layout.settings / "registry.json"
    return Part(
        name="registry",
        argv=(str(program(REGISTRY)), "serve", str(settings)),
        environment={"OTEL_TRACES_EXPORTER": "none"},  # it would look for a collector on loopback
        readiness=HttpAnswer(f"{endpoint(ports)}/v2/"),
        ports=(ports["registry"],),
        endpoint=endpoint(ports),
        directory=layout.kept("registry"),
        empties_with=("aws",),
        settings=(settings,),
    )
