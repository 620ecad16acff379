"""One cluster after the other in one control plane: what a deleted cluster held must not greet the next one.

A ConfigMap marks since when which cluster has the plane. When another one, or none, is wanted, every object younger
than the mark goes, but for those that carry KEEP. What was there before stays, and so does what is made while no
cluster has the plane.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

log = logging.getLogger(__name__)

KEEP = "sandbox.platformctl/keep"
_MARK = "/api/v1/namespaces/kube-system/configmaps/sandbox-eks-cluster"
_TIMEOUT = 30.0
# Kept by controllers for what they describe, or gone by themselves.
_NOT_OURS = frozenset({"events", "leases", "endpoints", "endpointslices", "nodes", "componentstatuses", "apiservices"})
_LISTS = 500

Object = dict[str, Any]


class Tenancy:
    """``client``: a kubernetes ApiClient; only its connections are used, since any kind of object may be met."""

    def __init__(self, client: Any) -> None:
        self._pool = client.rest_client.pool_manager
        self._host = str(client.configuration.host)

    def settle(self, identity: str) -> None:
        """Makes the plane belong to the cluster, empty for none; clears away what another one left.

        Raises urllib3's errors when the API server is not there.
        """
        mark = self._get(_MARK)
        if mark is not None and mark["data"]["cluster"] == identity:
            return
        if mark is not None:
            self._clear(mark["metadata"]["creationTimestamp"])
            self._call("DELETE", _MARK)
        if identity:
            document = {"metadata": {"name": _MARK.rpartition("/")[2]}, "data": {"cluster": identity}}
            self._call("POST", _MARK.rpartition("/")[0], document)

    def _clear(self, since: str) -> None:
        # Times have whole seconds: what is as old as the mark counts as older, the plane's own objects among it.
        young = [
            (path, item)
            for path, item in self._everything()
            if item["metadata"].get("creationTimestamp", "") > since and not _stays(path, item["metadata"])
        ]
        log.info("clearing %d objects that the last cluster left", len(young))
        for path, item in young:
            if item["metadata"].get("finalizers"):
                # Whoever would answer to them was a workload of that cluster.
                self._call("PATCH", path, {"metadata": {"finalizers": None}})
            self._call("DELETE", path, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})

    def _everything(self) -> Iterator[tuple[str, Object]]:
        """The path of each object that can be deleted, and the object."""
        for version in self._versions():
            for kind in (self._get(version) or {}).get("resources", []):
                if {"list", "delete"} <= set(kind["verbs"]) and kind["name"] not in _NOT_OURS:
                    yield from self._objects(version, kind)

    def _versions(self) -> Iterator[str]:
        yield "/api/v1"
        for group in (self._get("/apis") or {}).get("groups", []):
            yield f"/apis/{group['preferredVersion']['groupVersion']}"

    def _objects(self, version: str, kind: Object) -> Iterator[tuple[str, Object]]:
        more = ""
        while True:
            listed = self._get(f"{version}/{kind['name']}?limit={_LISTS}{more}") or {}
            for item in listed.get("items", []):
                place = f"/namespaces/{item['metadata']['namespace']}" if kind["namespaced"] else ""
                yield f"{version}{place}/{kind['name']}/{item['metadata']['name']}", item
            if not listed.get("metadata", {}).get("continue"):
                return
            more = f"&continue={listed['metadata']['continue']}"

    def _get(self, path: str) -> Object | None:
        answer = self._call("GET", path)
        return None if answer is None else dict(answer)

    def _call(self, method: str, path: str, document: Object | None = None) -> Object | None:
        """None for an object that is not there, or no longer."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        body = None if document is None else json.dumps(document)
        answer = self._pool.request(
            method, f"{self._host}{path}", body=body, headers={"Content-Type": kind}, timeout=_TIMEOUT
        )
        if answer.status in {404, 405, 409}:
            return None
        if answer.status >= 400:
            raise OSError(f"{method} {path} answers {answer.status}")
        return dict(json.loads(answer.data))


def _stays(path: str, metadata: Object) -> bool:
    labels = metadata.get("labels") or {}
    if KEEP in labels or "kubernetes.io/bootstrapping" in labels:
        return True
    # Made by the control plane, at its start or when a controller first asks: deleted, they would be missed for long.
    of_controllers = path.startswith("/api/v1/namespaces/kube-system/serviceaccounts/") and not labels
    return of_controllers or str(metadata["name"]).startswith(("system:", "system-"))
