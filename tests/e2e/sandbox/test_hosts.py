"""The sandbox's hosts: reached by SSH with checked keys, isolated, without a way out, gone when their hub is gone."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command, Completed
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.toolchain import Toolchain
from tests.e2e.conftest import RunningSandbox, sandbox_of

pytestmark = pytest.mark.root
REPOSITORY = Path(__file__).parents[3]
ANY_CODE = tuple(range(256))


def run(*argv: str, environment: dict[str, str] | None = None) -> Completed:
    """Runs a program to its end, whatever its exit code."""
    host = ProcessHost(KnownSecrets(), SystemClock(), os.environ)
    try:
        runner = host.bind(cancel=Cancel(), on_line=None, on_child=None)
        command = Command(argv, timeout=60, ok_codes=ANY_CODE, env=environment or {}, cwd=REPOSITORY)
        return runner.run(command)
    finally:
        host.close()


def ssh(root: Path, host: str, command: str, **changed: str) -> Completed:
    """Runs a command on a host as the inventory would. ``changed``: other options of ssh."""
    keys = root / ".platform" / "sandbox" / "hosts"
    options = {
        "ProxyCommand": f"{sys.executable} -m platformctl -C {root} sandbox connect %h",
        "UserKnownHostsFile": f"{keys / 'known_hosts'}",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        **changed,
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return run("ssh", "-F", "none", *words, "-i", f"{keys / 'id_ed25519'}", f"root@{host}", command)


def test_a_host_is_reached_by_ssh_and_is_its_own_machine(sandbox: RunningSandbox) -> None:
    answer = ssh(sandbox.root, "host-1", "hostname; touch /etc/written-by-a-host; ls -A /home; cat /etc/hosts")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("host-1\n127.0.0.1 localhost\n")
    assert not Path("/etc/written-by-a-host").exists()
    elsewhere = ssh(sandbox.root, "host-2", "hostname; ls /etc/written-by-a-host")
    assert elsewhere.stdout == "host-2\n"


def test_hosts_see_each_other_and_nothing_beyond(sandbox: RunningSandbox) -> None:
    probe = "exec 3<>/dev/tcp/10.201.0.12/22 && head -c 3 <&3; ip route; exec 3<>/dev/tcp/192.0.2.1/80"
    answer = ssh(sandbox.root, "host-1", f"bash -c '{probe}'")
    assert answer.stdout.startswith("SSH")
    assert "default" not in answer.stdout
    assert "Network is unreachable" in answer.stderr


def test_a_host_with_another_key_is_refused(sandbox: RunningSandbox, tmp_path: Path) -> None:
    other = tmp_path / "known_hosts"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDvrLYyUOvkq3mEGmnKvHqMKZkDyAjm1mkhNzFYdSDDD"
    other.write_text(f"host-1 {key}\n", encoding="ascii")
    answer = ssh(sandbox.root, "host-1", "true", UserKnownHostsFile=f"{other}")
    assert answer.returncode == 255
    assert "Host key verification failed" in answer.stderr


def test_a_host_that_there_is_none_of_is_told_with_those_there_are(sandbox: RunningSandbox) -> None:
    answer = run(sys.executable, "-m", "platformctl", "-C", f"{sandbox.root}", "sandbox", "connect", "host-9")
    assert answer.returncode == 4
    assert "error: the sandbox has no host 'host-9'\nhint: there are: host-1, host-2\n" in answer.stderr


def test_ansible_reaches_every_host_through_the_committed_inventory(sandbox: RunningSandbox) -> None:
    inventory = sandbox.root / "ansible" / "inventories" / "sandbox"
    shutil.copytree(REPOSITORY / "ansible" / "inventories" / "sandbox", inventory)
    answer = run(
        f"{Path(sys.executable).with_name('ansible')}", "--inventory", f"{inventory}", "all", "-m", "ping", "-o",
        environment={"ANSIBLE_CONFIG": f"{REPOSITORY / 'ansible' / 'ansible.cfg'}"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert [line.split(" | ")[1].split(" ")[0] for line in sorted(answer.stdout.splitlines())] == ["SUCCESS"] * 2


def test_a_hub_that_was_killed_takes_everything_along_and_up_brings_it_back(
    tmp_path: Path, toolchain: Toolchain
) -> None:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n", encoding="utf-8")
    one = sandbox_of(tmp_path, toolchain)
    try:
        one.up()
        assert ssh(tmp_path, "host-1", "touch /root/before").returncode == 0
        hub = one.hub()
        before = namespaces(hub)
        os.kill(hub, signal.SIGKILL)
        assert eventually_gone(before)
        assert one.up().started.keys() == {"hosts"}
        answer = ssh(tmp_path, "host-1", "ls -A /root")
        assert answer.stdout == ".ssh\n", "a new host knows nothing of the old one"
    finally:
        one.down()


def namespaces(pid: int) -> set[str]:
    """The network namespaces of a process and of all below it."""
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        found.add(os.readlink(f"/proc/{one}/ns/net"))  # noqa: PTH115 - not a path
        waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii").split())
    return found


def eventually_gone(networks: set[str]) -> bool:
    """Whether no process is left in any of these network namespaces, within a few seconds."""
    clock = SystemClock()
    for _ in range(100):
        if not networks & {_network(path) for path in Path("/proc").glob("[0-9]*")}:
            return True
        clock.wait(0.05)
    return False


def _network(process: Path) -> str:
    try:
        return os.readlink(process / "ns" / "net")  # noqa: PTH115 - not a path
    except OSError:
        return ""
