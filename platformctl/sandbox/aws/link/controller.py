"""Makes the API server hold what ``desired`` says: woken by each change of the simulation, and now and then anyway.

An API server that is not there yet, or goes away, is tried again with growing pauses; it is never an error of a call.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Protocol

from platformctl.core.clock import Clock
from platformctl.sandbox.aws.link import rbac
from platformctl.sandbox.aws.link.desired import Desired
from platformctl.sandbox.aws.link.nodes import OWNER_LABEL, node_patch
from platformctl.sandbox.aws.link.tenancy import Tenancy

log = logging.getLogger(__name__)

_RESYNC = 30.0
_RESYNC_WITH_SCOPES = 2.0  # a namespace may appear that a policy's pattern matches
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_TIMEOUT = 10.0


class Source(Protocol):
    """Where what is wanted comes from."""

    def desired(self) -> Desired:
        """What is wanted now."""
        ...


class Controller:
    """One thread. ``wake`` may be called from any other."""

    def __init__(self, kubeconfig: Path, source: Source, clock: Clock) -> None:
        self._kubeconfig = kubeconfig
        self._source = source
        self._clock = clock
        self._changed = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="eks-link", daemon=True)
        self._status: dict[str, Any] = {"connected": False, "cluster": "", "nodes": 0, "error": "not tried yet"}

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it after what it is doing."""
        self._stopped = True
        self._changed.set()
        self._thread.join(timeout=_TIMEOUT)

    def wake(self) -> None:
        """Something changed."""
        self._changed.set()

    def status(self) -> dict[str, Any]:
        """Whether the API server answers, and what was last made so."""
        return dict(self._status)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        plane = ApiServer(self._kubeconfig)
        while not self._stopped:
            self._changed.clear()
            try:
                wanted = self._source.desired()
                plane.make(wanted)
            except Exception as error:  # noqa: BLE001 - a thread that dies would leave the link silently dead
                self._say(f"{type(error).__name__}: {error}".splitlines()[0])
                self._clock.wait(pause, self._changed)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            self._status = {"connected": True, "cluster": wanted.cluster, "nodes": len(wanted.nodes), "error": ""}
            resync = _RESYNC_WITH_SCOPES if wanted.scopes else _RESYNC
            self._clock.wait(resync if wanted.wait is None else min(resync, wanted.wait), self._changed)

    def _say(self, error: str) -> None:
        if error != self._status["error"]:
            log.warning("the API server could not be brought up to date: %s", error)
        self._status = {**self._status, "connected": False, "error": error}


class ApiServer:
    """The calls to the real API server. Its client is made at first use: heavy, and the server may be late."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._core: Any = None
        self._rbac: Any = None
        self._tenancy: Any = None

    def make(self, wanted: Desired) -> None:
        """Raises whatever the client raises when the server is not there or refuses."""
        if self._core is None:
            from kubernetes import client, config

            connection = config.new_client_from_config(  # type: ignore[no-untyped-call]
                config_file=str(self._kubeconfig)
            )
            self._core, self._rbac = client.CoreV1Api(connection), client.RbacAuthorizationV1Api(connection)
            self._tenancy = Tenancy(connection)
        try:
            self._tenancy.settle(wanted.identity)
            self._make_rights(wanted)
            self._make_nodes(wanted)
        except Exception:
            self._core = None  # the kubeconfig may name another server by the next time
            raise

    def _make_nodes(self, wanted: Desired) -> None:
        listed = self._core.list_node(label_selector=OWNER_LABEL, _request_timeout=_TIMEOUT).items
        present = {node.metadata.name: node for node in listed}
        for name, manifest in wanted.nodes.items():
            if name not in present:
                self._core.create_node(manifest, _request_timeout=_TIMEOUT)
            else:
                self._change_node(present[name], manifest)
        # New machines are there before old ones leave, as in a rolling update.
        for name in present.keys() - wanted.nodes.keys():
            self._remove_node(name)

    def _change_node(self, node: Any, manifest: dict[str, Any]) -> None:
        from kubernetes.client.exceptions import ApiException

        taints = self._core.api_client.sanitize_for_serialization(node.spec.taints or [])
        patch = node_patch(node.metadata.annotations or {}, taints, manifest)
        if patch is None:
            return
        # Others add and remove taints too: what they did since we looked must not be undone.
        patch["metadata"]["resourceVersion"] = node.metadata.resource_version
        try:
            self._core.patch_node(node.metadata.name, patch, _request_timeout=_TIMEOUT)
        except ApiException as error:
            if error.status != 409:
                raise
            self._change_node(self._core.read_node(node.metadata.name, _request_timeout=_TIMEOUT), manifest)

    def _remove_node(self, name: str) -> None:
        # Pods of a machine that is gone would otherwise wait for the garbage collector, 40 s and more.
        pods = self._core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={name}", _request_timeout=_TIMEOUT)
        for pod in pods.items:
            _gone(
                self._core.delete_namespaced_pod,
                pod.metadata.name,
                pod.metadata.namespace,
                grace_period_seconds=0,
                _request_timeout=_TIMEOUT,
            )
        _gone(self._core.delete_node, name, _request_timeout=_TIMEOUT)

    def _make_rights(self, wanted: Desired) -> None:
        api = self._rbac
        roles = {item["metadata"]["name"]: item for item in rbac.cluster_roles()} if wanted.cluster else {}
        bindings = {item["metadata"]["name"]: item for item in rbac.cluster_bindings()} if wanted.cluster else {}
        _match(api.list_cluster_role, api.create_cluster_role, api.delete_cluster_role, roles)
        _match(
            api.list_cluster_role_binding, api.create_cluster_role_binding, api.delete_cluster_role_binding, bindings
        )
        listed = api.list_role_binding_for_all_namespaces(label_selector=rbac.SELECTOR, _request_timeout=_TIMEOUT)
        present = {(item.metadata.namespace, item.metadata.name) for item in listed.items}
        names = self._core.list_namespace(_request_timeout=_TIMEOUT).items if wanted.scopes else []
        scoped = rbac.role_bindings(wanted.scopes, [item.metadata.name for item in names])
        for place in scoped.keys() - present:
            api.create_namespaced_role_binding(place[0], scoped[place], _request_timeout=_TIMEOUT)
        for namespace, name in present - scoped.keys():
            _gone(api.delete_namespaced_role_binding, name, namespace, _request_timeout=_TIMEOUT)


def _match(list_all: Any, create: Any, delete: Any, wanted: dict[str, Any]) -> None:
    present = {item.metadata.name for item in list_all(label_selector=rbac.SELECTOR, _request_timeout=_TIMEOUT).items}
    for name in wanted.keys() - present:
        create(wanted[name], _request_timeout=_TIMEOUT)
    for name in present - wanted.keys():
        _gone(delete, name, _request_timeout=_TIMEOUT)


def _gone(delete: Any, *args: Any, **kwargs: Any) -> None:
    """Deletes; what is gone already is what was wanted."""
    from kubernetes.client.exceptions import ApiException

    try:
        delete(*args, **kwargs)
    except ApiException as error:
        if error.status != 404:
            raise
