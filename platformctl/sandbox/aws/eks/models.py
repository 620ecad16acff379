"""The state of the simulated EKS in one account and region, and the rules that hold for all of it.

Operations live in the modules of their resources and change these values under ``Backend.lock``.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import moto.eks.urls
from moto.core.base_backend import BaseBackend
from moto.core.resource_tagging import TaggableResourcesMixin, TaggedResource

from platformctl.core.clock import Clock, SystemClock
from platformctl.sandbox.aws.eks import errors
from platformctl.sandbox.aws.eks.lifecycle import Delays, Schedule
from platformctl.sandbox.aws.eks.network import Subnet

Document = dict[str, Any]
"""A resource or an answer in the API's own words; times are aware datetimes."""
Request = Mapping[str, Any]
"""A request's members in the API's own words, and ``callerArn``: the user or role who asks."""


@dataclass(frozen=True)
class Instance:
    """One machine of a node group; in Kubernetes it is one node. ``name`` is its private DNS name."""

    id: str
    name: str
    address: str
    zone: str
    version: str


@dataclass
class Nodegroup:
    """A node group: what the API says of it, where its machines stand, and the machines."""

    document: Document
    subnets: tuple[Subnet, ...]
    instances: list[Instance] = field(default_factory=list)
    launched: int = 0


@dataclass
class AccessEntry:
    """Who may enter a cluster. ``policies``: ARN of the policy to AssociatedAccessPolicy documents."""

    document: Document
    policies: dict[str, Document] = field(default_factory=dict)


@dataclass
class Cluster:
    """A cluster and all that belongs to it, by name (access entries by principal's ARN, the rest by id)."""

    document: Document
    nodegroups: dict[str, Nodegroup] = field(default_factory=dict)
    addons: dict[str, Document] = field(default_factory=dict)
    entries: dict[str, AccessEntry] = field(default_factory=dict)
    identities: dict[str, Document] = field(default_factory=dict)
    updates: dict[str, Document] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return str(self.document["name"])


@dataclass
class Simulation:
    """What all backends share. ``endpoint`` and ``certificate_authority`` (PEM) are the real API server's; an empty
    endpoint means there is none. ``changed`` is called, under the lock, after whatever the link should look at."""

    clock: Clock = field(default_factory=SystemClock)
    delays: Delays = field(default_factory=Delays)
    endpoint: str = ""
    certificate_authority: str = ""
    changed: Callable[[], None] = lambda: None


class Backend(BaseBackend, TaggableResourcesMixin):
    """One account's EKS in one region. moto makes these; ``simulation`` is set before it does."""

    SERVICE_NAMESPACE: ClassVar[str] = "eks"
    _url_module: ClassVar[Any] = moto.eks.urls
    simulation: ClassVar[Simulation] = Simulation()

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = threading.RLock()
        self.clusters: dict[str, Cluster] = {}
        self.schedule = Schedule(self.simulation.clock)

    def arn(self, *parts: str) -> str:
        """``arn:aws:eks:<region>:<account>:<part>/<part>...``"""
        return f"arn:{self.partition}:eks:{self.region_name}:{self.account_id}:{'/'.join(parts)}"

    def settle(self) -> None:
        """Lets everything happen that is due."""
        with self.lock:
            if self.schedule.settle():
                self.simulation.changed()

    def after(self, seconds: float, effect: Callable[[], None]) -> None:
        """Plans an effect, and lets the link know that there is something to wait for."""
        self.schedule.after(seconds, effect)
        self.simulation.changed()

    def cluster(self, name: str) -> Cluster:
        """Raises ResourceNotFoundException."""
        if name not in self.clusters:
            raise errors.not_found(f"No cluster found for name: {name}.")
        return self.clusters[name]

    def active_cluster(self, name: str) -> Cluster:
        """A cluster that can be worked on now. Raises ResourceNotFoundException, ResourceInUseException."""
        cluster = self.cluster(name)
        status = cluster.document["status"]
        if status == "CREATING":
            raise errors.invalid_request(f"Cluster '{name}' is not in ACTIVE status")
        if status != "ACTIVE":
            raise errors.in_use(f"Cannot change cluster {name}: it currently has status {status}")
        return cluster

    def begin_update(
        self, cluster: Cluster, subject: Document, kind: str, params: Mapping[str, str], effect: Callable[[], None]
    ) -> Document:
        """An Update that succeeds, with its effect, after its delay; the subject is UPDATING until then."""
        update: Document = {
            "id": str(uuid.uuid4()),
            "status": "InProgress",
            "type": kind,
            "params": [{"type": name, "value": value} for name, value in params.items()],
            "createdAt": self.simulation.clock.now(),
            "errors": [],
        }
        cluster.updates[update["id"]] = update
        subject["status"] = "UPDATING"

        def finish() -> None:
            if subject["status"] != "UPDATING":
                update["status"] = "Cancelled"  # it is being deleted
                return
            effect()
            subject["status"], update["status"] = "ACTIVE", "Successful"

        self.after(self.simulation.delays.update, finish)
        return update

    def activate(self, subject: Document, seconds: float) -> None:
        """CREATING now, ACTIVE after ``seconds``, unless it is being deleted by then."""
        subject["status"] = "CREATING"

        def finish() -> None:
            if subject["status"] == "CREATING":
                subject["status"] = "ACTIVE"

        self.after(seconds, finish)

    def remove(self, subject: Document, effect: Callable[[], None]) -> None:
        """DELETING now, gone after the delay."""
        subject["status"] = "DELETING"
        self.after(self.simulation.delays.delete, effect)

    def tagged(self) -> Iterator[tuple[str, str, Document]]:
        """Every resource that can carry tags: its ARN, its type and its document, whose ``tags`` may be changed."""
        for cluster in self.clusters.values():
            yield cluster.document["arn"], "eks:cluster", cluster.document
            for group in cluster.nodegroups.values():
                yield group.document["nodegroupArn"], "eks:nodegroup", group.document
            for addon in cluster.addons.values():
                yield addon["addonArn"], "eks:addon", addon
            for entry in cluster.entries.values():
                yield entry.document["accessEntryArn"], "eks:access-entry", entry.document
            for identity in cluster.identities.values():
                yield identity["associationArn"], "eks:podidentityassociation", identity

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """For the Resource Groups Tagging API."""
        with self.lock:
            found = [TaggedResource(arn, dict(document["tags"]), kind) for arn, kind, document in self.tagged()]
        return iter(found)

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags themselves, to be read or changed. Raises NotFoundException."""
        for found, _, document in self.tagged():
            if found == arn:
                tags: dict[str, str] = document["tags"]
                return tags
        raise errors.tags_not_found(arn)

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        """Adds or replaces tags; also for the Tagging API."""
        with self.lock:
            self.tags_of(arn).update(tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        """Removes tags; keys that are not there are no error."""
        with self.lock:
            tags = self.tags_of(arn)
            for key in tag_keys:
                tags.pop(key, None)


def page(names: list[str], request: Request) -> tuple[list[str], str | None]:
    """One page of sorted names and the token of the next one."""
    ordered = sorted(names)
    start = int(request.get("nextToken") or 0)
    end = start + int(request.get("maxResults") or 100)
    return ordered[start:end], (str(end) if end < len(ordered) else None)
