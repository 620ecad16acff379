"""The whole sandbox: real control plane, kwok, registry and the simulated AWS."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from kubernetes import client, config

from platformctl.cli import main
from platformctl.core.clock import SystemClock
from platformctl.sandbox import hosts, remains
from platformctl.sandbox import state as states
from platformctl.sandbox.lifecycle import Sandbox
from platformctl.sandbox.processes import SystemProcesses
from platformctl.toolchain import Toolchain
from tests.e2e.conftest import RunningSandbox, sandbox_of

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
MEMORY_OF_AWS = ("aws", "etcd", "registry")
CLOCK = SystemClock()
HOSTS = () if hosts.why_not() else (hosts.NAME,)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain) -> Iterator[Sandbox]:
    """A second sandbox beside the session's, for tests that break it."""
    one = sandbox_of(tmp_path_factory.mktemp("beside"), toolchain)
    try:
        one.up()
        yield one
    finally:
        one.down()
    assert remains.find(one.layout, {}, SystemProcesses()) == []


def pids(sandbox: Sandbox) -> dict[str, int]:
    return {name: record.child.pid for name, record in states.load(sandbox.layout.state).records.items()}


def kill(sandbox: Sandbox, name: str) -> None:
    child = states.load(sandbox.layout.state).records[name].child
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: not sandbox.processes.alive(child))


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = CLOCK.monotonic() + seconds
    while not condition():
        assert CLOCK.monotonic() < limit, "waited in vain"
        CLOCK.wait(0.1)


def api(kubeconfig: Path) -> Any:
    return config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]


def create_config_map(kubeconfig: Path, name: str) -> None:
    with api(kubeconfig) as connection:
        core: Any = client.CoreV1Api(connection)
        core.create_namespaced_config_map("default", {"metadata": {"name": name}})


def config_maps(kubeconfig: Path) -> set[str]:
    with api(kubeconfig) as connection:
        core: Any = client.CoreV1Api(connection)
        return {item.metadata.name for item in core.list_namespaced_config_map("default").items}


def test_every_part_is_healthy_and_takes_a_known_amount_of_memory(sandbox: RunningSandbox) -> None:
    statuses = sandbox.sandbox.status()
    assert {status.name: status.health for status in statuses} == dict.fromkeys(
        ("aws", "registry", *CONTROL_PLANE, *HOSTS), "healthy"
    )
    for status in statuses:
        assert status.memory is not None
        assert status.memory < 1024**3


def test_every_listener_of_every_part_is_on_loopback_and_on_a_port_of_its_own(sandbox: RunningSandbox) -> None:
    records = states.load(sandbox.sandbox.layout.state).records
    for name, processes in sandbox.sandbox.processes.marked(sandbox.sandbox.layout.directory).items():
        sockets = [one for child in processes for one in psutil.Process(child.pid).net_connections("inet")]
        listening = {one.laddr for one in sockets if one.status == psutil.CONN_LISTEN}
        # The hosts listen in a network of their own, none of it in ours.
        assert {address.ip for address in listening} == (set() if name in HOSTS else {"127.0.0.1"}), name
        assert {address.port for address in listening} == set(records[name].part.ports), name


def test_a_second_up_changes_nothing(sandbox: RunningSandbox) -> None:
    before = pids(sandbox.sandbox)
    started = sandbox.sandbox.up()
    assert not started.changed
    assert pids(sandbox.sandbox) == before


def test_the_commands_say_the_same(sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> Any:
        assert main.run(["-C", str(sandbox.root), "sandbox", *words, "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    up = said("up")
    assert up["changed"] is False
    assert {part["name"]: part["pid"] for part in up["parts"]} == pids(sandbox.sandbox)
    assert said("status")["healthy"] is True
    assert said("env")["environment"] == sandbox.environment
    assert said("logs", "aws")["lines"]


def test_a_deployment_becomes_ready_on_a_simulated_node(sandbox: RunningSandbox) -> None:
    labels = {"app": "becomes-ready"}
    container = {"name": "any", "image": "example.org/any:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    node = {"metadata": {"name": "becomes-ready", "annotations": {"kwok.x-k8s.io/node": "fake"}}}
    with api(sandbox.kubeconfig) as connection:
        core: Any = client.CoreV1Api(connection)
        apps: Any = client.AppsV1Api(connection)
        core.create_node(node)
        try:
            apps.create_namespaced_deployment("default", {"metadata": {"name": "becomes-ready"}, "spec": spec})
            until(lambda: apps.read_namespaced_deployment("becomes-ready", "default").status.ready_replicas == 3)
        finally:
            apps.delete_namespaced_deployment("becomes-ready", "default")
            core.delete_node("becomes-ready")


def test_a_certificate_of_another_authority_is_refused(sandbox: RunningSandbox, own: Sandbox, tmp_path: Path) -> None:
    foreign = (own.layout.kubeconfig).read_text()
    mixed = tmp_path / "kubeconfig"
    mixed.write_text(foreign.replace(_endpoint(own), _endpoint(sandbox.sandbox)))
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        config_maps(mixed)


def test_two_sandboxes_share_nothing(sandbox: RunningSandbox, own: Sandbox) -> None:
    ports = [set(states.load(one.layout.state).ports.values()) for one in (sandbox.sandbox, own)]
    assert not ports[0] & ports[1]
    create_config_map(own.layout.kubeconfig, "only-here")
    assert "only-here" not in config_maps(sandbox.kubeconfig)


@pytest.mark.parametrize("victim", CONTROL_PLANE)
def test_a_killed_part_of_the_control_plane_comes_back_with_what_was_kept(own: Sandbox, victim: str) -> None:
    create_config_map(own.layout.kubeconfig, f"before-{victim}")
    before = pids(own)
    kill(own, victim)
    assert victim in [status.name for status in own.status() if status.health == "dead"]
    started = own.up()
    # Controllers that have just started may give up while the API server cannot answer, and are started again then.
    possible = {victim, "kube-controller-manager"} if victim in {"etcd", "kube-apiserver"} else {victim}
    assert {victim} <= started.started.keys() <= possible
    assert set(started.started.values()) == {"it had died"}
    after = pids(own)
    assert {name for name in after if after[name] != before[name]} == started.started.keys()
    assert f"before-{victim}" in config_maps(own.layout.kubeconfig)
    assert all(status.healthy for status in own.status())


def test_a_killed_registry_comes_back_alone(own: Sandbox) -> None:
    kill(own, "registry")
    assert dict(own.up().started) == {"registry": "it had died"}


def test_a_killed_aws_takes_along_what_described_it_and_up_says_so(own: Sandbox) -> None:
    create_config_map(own.layout.kubeconfig, "of-the-old-world")
    key = own.layout.connection.read_text()
    kill(own, "aws")
    started = own.up()
    assert set(MEMORY_OF_AWS) <= set(started.started)
    assert "AWS lives in memory and was started anew" in started.remarks[0]
    assert "of-the-old-world" not in config_maps(own.layout.kubeconfig)
    assert own.layout.connection.read_text() != key
    assert all(status.healthy for status in own.status())


def test_everything_killed_at_once_comes_back(own: Sandbox) -> None:
    for pid in pids(own).values():
        os.kill(pid, signal.SIGKILL)
    own.up()
    assert all(status.healthy for status in own.status())


def test_down_leaves_nothing_and_up_comes_back_on_the_same_ports(own: Sandbox) -> None:
    before = states.load(own.layout.state).ports
    own.down()
    served = {f"{name} {port}": port for name, port in before.items()}
    assert remains.find(own.layout, served, own.processes) == []
    assert not own.layout.connection.exists()
    assert own.status() == []
    own.up()
    assert states.load(own.layout.state).ports == before


def test_an_existing_cluster_stands_in_for_the_control_plane(
    sandbox: RunningSandbox, tmp_path: Path, toolchain: Toolchain
) -> None:
    third = sandbox_of(tmp_path, toolchain)
    try:
        started = third.up(sandbox.kubeconfig)
        assert set(pids(third)) == {"aws", "registry", *HOSTS}
        assert any("does not check EKS tokens" in remark for remark in started.remarks)
        assert dataclasses.replace(third).up().changed is False, "remembered until down"
    finally:
        third.down()
    assert all(status.healthy for status in sandbox.sandbox.status()), "the cluster is not ours to stop"


def _endpoint(sandbox: Sandbox) -> str:
    return states.load(sandbox.layout.state).records["kube-apiserver"].part.endpoint
