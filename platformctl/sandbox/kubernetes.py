"""Kubernetes: a real control plane, and kwok in the place of kubelets. Flags and files only.

etcd runs with ``--unsafe-no-fsync``: what it keeps describes an AWS that lives in memory, so a machine that goes down
loses both anyway, and a killed etcd loses nothing, the page cache being the kernel's. Starts get 2 to 3 times faster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformctl.sandbox.certificates import Certificates
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import HttpAnswer, Part, ProgramFinder
from platformctl.sandbox.ports import LOOPBACK
from platformctl.sandbox.state import write_private

CONTROL_PLANE = "kube-control-plane"
KWOK = "kwok"
PORTS = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
SERVICE_RANGE = "10.96.0.0/16"

Flags = Mapping[str, str | int | bool | Path]


def endpoint(ports: Mapping[str, int]) -> str:
    """The API server's URL."""
    return f"https://{LOOPBACK}:{ports['kube-apiserver']}"


def write_settings(
    layout: Layout, ports: Mapping[str, int], certificates: Certificates, *, authentication: str
) -> None:
    """Writes the kubeconfigs and what the programs read. ``authentication``: URL of the webhook that checks tokens."""
    for client in ("kube-controller-manager", "kube-scheduler", "kwok"):
        write_private(_kubeconfig(layout, client), certificates.kubeconfig(client, endpoint(ports)))
    write_private(layout.kubeconfig, certificates.kubeconfig("admin", endpoint(ports)))
    # A kubeconfig is also the form of a webhook's address: the "cluster" is the service that is asked.
    webhook = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "authenticator", "cluster": {"server": authentication}}],
        "users": [{"name": "kube-apiserver"}],
        "contexts": [{"name": "webhook", "context": {"cluster": "authenticator", "user": "kube-apiserver"}}],
        "current-context": "webhook",
    }
    write_private(layout.settings / "authentication.json", json.dumps(webhook, indent=1))
    options = {
        "manageAllNodes": False,
        "manageNodesWithAnnotationSelector": "kwok.x-k8s.io/node=fake",
        "serverAddress": f"{LOOPBACK}:{ports['kwok']}",
        # Leases instead of a status update per node and heartbeat: what kubelets do.
        "nodeLeaseDurationSeconds": 40,
    }
    kwok = {"apiVersion": "config.kwok.x-k8s.io/v1alpha1", "kind": "KwokConfiguration", "options": options}
    write_private(layout.settings / "kwok.json", json.dumps(kwok, indent=1))


def parts(
    layout: Layout, ports: Mapping[str, int], certificates: Certificates, program: ProgramFinder
) -> tuple[Part, ...]:
    """The control plane and kwok. Raises PreconditionError when a program is missing."""
    plane = _ControlPlane(layout, ports, certificates, str(program(CONTROL_PLANE)))
    manager: Flags = {
        "use-service-account-credentials": True,
        "root-ca-file": certificates.authority,
        "service-account-private-key-file": certificates.service_account_key,
    }
    return (
        plane.etcd(),
        plane.apiserver(),
        plane.controller("kube-controller-manager", manager, certificates.service_account_key),
        plane.controller("kube-scheduler", {}),
        plane.kwok(str(program(KWOK))),
    )


@dataclass(frozen=True)
class _ControlPlane:
    layout: Layout
    ports: Mapping[str, int]
    certificates: Certificates
    binary: str

    def etcd(self) -> Part:
        client, peer = f"https://{LOOPBACK}:{self.ports['etcd']}", f"https://{LOOPBACK}:{self.ports['etcd-peer']}"
        certificate, key = self.certificates.server
        flags: Flags = {
            "name": "sandbox",
            "data-dir": self.layout.kept("etcd"),
            "unsafe-no-fsync": True,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "cert-file": certificate,
            "key-file": key,
            "client-cert-auth": True,
            "trusted-ca-file": self.certificates.authority,
            # It cannot do without a port for peers, so that one is kept as closed as the other.
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"sandbox={peer}",
            "peer-cert-file": certificate,
            "peer-key-file": key,
            "peer-client-cert-auth": True,
            "peer-trusted-ca-file": self.certificates.authority,
            "log-level": "warn",
        }
        return Part(
            name="etcd",
            argv=_argv(self.binary, "etcd", flags),
            readiness=_answers(f"{client}/health", self.certificates, "etcd-client"),
            ports=(self.ports["etcd"], self.ports["etcd-peer"]),
            endpoint=client,
            directory=self.layout.kept("etcd"),
            empties_with=("aws",),
            settings=(self.certificates.authority, certificate),
        )

    def apiserver(self) -> Part:
        certificate, key = self.certificates.server
        etcd_certificate, etcd_key = self.certificates.pair("etcd-client")
        webhook = self.layout.settings / "authentication.json"
        flags: Flags = {
            "bind-address": LOOPBACK,
            "secure-port": self.ports["kube-apiserver"],
            # Nothing but loopback reaches it, and an Endpoints object must not hold a loopback address: none is kept.
            "advertise-address": LOOPBACK,
            "endpoint-reconciler-type": "none",
            "tls-cert-file": certificate,
            "tls-private-key-file": key,
            "client-ca-file": self.certificates.authority,
            "etcd-servers": f"https://{LOOPBACK}:{self.ports['etcd']}",
            "etcd-cafile": self.certificates.authority,
            "etcd-certfile": etcd_certificate,
            "etcd-keyfile": etcd_key,
            "authorization-mode": "Node,RBAC",
            "allow-privileged": True,
            "service-cluster-ip-range": SERVICE_RANGE,
            "profiling": False,
            **self._authentication(webhook),
        }
        return Part(
            name="kube-apiserver",
            argv=_argv(self.binary, "kube-apiserver", flags),
            readiness=_answers(f"{endpoint(self.ports)}/readyz", self.certificates, "admin"),
            ports=(self.ports["kube-apiserver"],),
            endpoint=endpoint(self.ports),
            needs=("etcd",),
            settings=(
                self.certificates.authority,
                certificate,
                etcd_certificate,
                self.certificates.service_account_key,
                webhook,
            ),
        )

    def _authentication(self, webhook: Path) -> Flags:
        key = self.certificates.service_account_key
        return {
            "authentication-token-webhook-config-file": webhook,
            "authentication-token-webhook-version": "v1",
            # The default of 2 minutes would keep a deleted access entry working for as long.
            "authentication-token-webhook-cache-ttl": "5s",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
        }

    def controller(self, name: str, flags: Flags, *settings: Path) -> Part:
        """What controller-manager and scheduler share: served on loopback, one of each, so no election."""
        certificate, key = self.certificates.server
        kubeconfig = _kubeconfig(self.layout, name)
        shared: Flags = {
            "bind-address": LOOPBACK,
            "secure-port": self.ports[name],
            "tls-cert-file": certificate,
            "tls-private-key-file": key,
            "kubeconfig": kubeconfig,
            "leader-elect": False,
            "profiling": False,
        }
        return Part(
            name=name,
            argv=_argv(self.binary, name, {**shared, **flags}),
            readiness=_answers(f"https://{LOOPBACK}:{self.ports[name]}/healthz", self.certificates),
            ports=(self.ports[name],),
            needs=("kube-apiserver",),
            settings=(*settings, self.certificates.authority, certificate, kubeconfig),
        )

    def kwok(self, binary: str) -> Part:
        kubeconfig, settings = _kubeconfig(self.layout, "kwok"), self.layout.settings / "kwok.json"
        return Part(
            name="kwok",
            argv=(binary, f"--kubeconfig={kubeconfig}", f"--config={settings}"),
            readiness=HttpAnswer(f"http://{LOOPBACK}:{self.ports['kwok']}/healthz"),
            ports=(self.ports["kwok"],),
            needs=("kube-apiserver",),
            settings=(kubeconfig, settings),
        )


def _argv(binary: str, program: str, flags: Flags) -> tuple[str, ...]:
    written = (str(value).lower() if isinstance(value, bool) else str(value) for value in flags.values())
    return (binary, program, *(f"--{flag}={value}" for flag, value in zip(flags, written, strict=True)))


def _answers(url: str, certificates: Certificates, client: str = "") -> HttpAnswer:
    certificate, key = map(str, certificates.pair(client)) if client else ("", "")
    return HttpAnswer(url, ca=str(certificates.authority), certificate=certificate, key=key)


def _kubeconfig(layout: Layout, client: str) -> Path:
    return layout.settings / f"{client}.kubeconfig"
