"""What the programs of the sandbox are told: their flags and files."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.errors import PlatformError
from platformctl.sandbox import account, certificates, kubernetes, registry
from platformctl.sandbox.account import Cluster
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import Part

PORTS = {name: 21_000 + n for n, name in enumerate((*account.PORTS, *registry.PORTS, *kubernetes.PORTS))}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout.of(tmp_path_factory.mktemp("root"))
    layout.make()
    return layout


@pytest.fixture(scope="module")
def cluster(layout: Layout) -> Cluster:
    return Cluster("https://127.0.0.1:6443", layout.certificates / "ca.crt", layout.kubeconfig, own=True)


@pytest.fixture(scope="module")
def parts(layout: Layout, cluster: Cluster) -> dict[str, Part]:
    pki = certificates.ensure(layout.certificates, datetime(2026, 11, 21, tzinfo=UTC))
    kubernetes.write_settings(layout, PORTS, pki, authentication="http://127.0.0.1:1/_sandbox/authenticate")
    registry.write_settings(layout, PORTS)
    account.write_settings(layout, PORTS, cluster)
    every = (
        account.part(layout, PORTS, cluster),
        registry.part(layout, PORTS, Path),
        *kubernetes.parts(layout, PORTS, pki, Path),
    )
    return {part.name: part for part in every}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_port_belongs_to_exactly_one_part(parts: dict[str, Part]) -> None:
    assert sorted(port for part in parts.values() for port in part.ports) == sorted(PORTS.values())


def test_every_address_to_listen_on_is_loopback(parts: dict[str, Part]) -> None:
    listening = [
        word for part in parts.values() for word in part.argv if word.startswith(("--listen", "--bind-address"))
    ]
    assert len(listening) == 5
    assert all("127.0.0.1" in word for word in listening)


def test_every_file_the_parts_read_exists_before_they_start(parts: dict[str, Part]) -> None:
    assert [path for part in parts.values() for path in part.settings if not path.is_file()] == []


def test_files_with_keys_are_readable_for_their_owner_only(parts: dict[str, Part], layout: Layout) -> None:
    files = [*layout.settings.iterdir(), layout.kubeconfig]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_no_key_stands_in_an_argv(parts: dict[str, Part]) -> None:
    assert not [word for part in parts.values() for word in part.argv if "PRIVATE" in word]


def test_the_api_server_asks_the_simulated_aws_about_tokens(parts: dict[str, Part], layout: Layout) -> None:
    argv = parts["kube-apiserver"].argv
    webhook = layout.settings / "authentication.json"
    assert f"--authentication-token-webhook-config-file={webhook}" in argv
    assert {"--authentication-token-webhook-version=v1", "--authentication-token-webhook-cache-ttl=5s"} <= set(argv)
    assert read(webhook)["clusters"][0]["cluster"]["server"] == "http://127.0.0.1:1/_sandbox/authenticate"


def test_the_simulated_aws_is_told_where_the_cluster_and_the_registry_are(
    parts: dict[str, Part], layout: Layout, cluster: Cluster
) -> None:
    settings = read(layout.settings / "aws.json")
    assert settings["kubernetes"] == {
        "endpoint": "https://127.0.0.1:6443",
        "ca_file": str(cluster.authority),
        "kubeconfig": str(cluster.kubeconfig),
        "nodes": True,
    }
    assert settings["registry_upstream"] == parts["registry"].endpoint


def test_parts_need_only_parts_there_are(parts: dict[str, Part]) -> None:
    assert {need for part in parts.values() for need in (*part.needs, *part.empties_with)} <= parts.keys()


def test_the_connection_holds_what_a_command_needs_and_keeps_proxies_away_from_loopback(
    parts: dict[str, Part], layout: Layout, cluster: Cluster
) -> None:
    layout.kept("aws").mkdir(exist_ok=True)
    (layout.kept("aws") / "credentials.json").write_text('{"access_key_id": "AKIA", "secret_access_key": "s"}')
    account.write_connection(layout, PORTS, cluster, parts, {"NO_PROXY": "example.org"})
    environment = read(layout.connection)["environment"]
    assert environment["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{PORTS['aws']}"
    assert environment["AWS_ACCESS_KEY_ID"] == "AKIA"
    assert environment["KUBECONFIG"] == str(layout.kubeconfig)
    assert environment["NO_PROXY"] == "example.org,127.0.0.1,localhost"


@pytest.mark.parametrize("content", ["", "{}", "[]"])
def test_an_access_key_that_cannot_be_read_is_told(layout: Layout, cluster: Cluster, content: str) -> None:
    layout.kept("aws").mkdir(exist_ok=True)
    (layout.kept("aws") / "credentials.json").write_text(content)
    with pytest.raises(PlatformError, match="no usable access key"):
        account.write_connection(layout, PORTS, cluster, {}, {})
