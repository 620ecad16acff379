"""The environment: what shall exist, immutable and validated. The loader makes it; everybody reads it."""

from __future__ import annotations

import difflib
import zoneinfo
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from platformctl.core import canonical
from platformctl.core.clock import Duration
from platformctl.spec.cloud import Account, Cloud, Mirror, Proxy, State
from platformctl.spec.delivery import (
    Addon,
    AddonItem,
    ArgoCD,
    ArgoServer,
    Build,
    Cluster,
    Gitops,
    Hosts,
    PullRequests,
    Service,
    Signing,
)
from platformctl.spec.people import Approvers, IdentityProvider, Kakao, Notify, Slack, Webhook
from platformctl.spec.stacks import DriftNoise, Guards, Stack
from platformctl.spec.values import DurationField, EnvironmentName, Model, Name, Shape

__all__ = [
    "Account", "Addon", "Approvers", "ArgoCD", "ArgoServer", "Build", "Cloud", "Cluster", "Deadlines", "DriftNoise",
    "Environment", "Gitops", "Guards", "Hosts", "IdentityProvider", "Kakao", "Mirror", "Notify", "Proxy",
    "PullRequests", "Retention", "Service", "Signing", "Slack", "Stack", "State", "Webhook",
]  # fmt: skip

# AWS' rules for tags, https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html; what
# platformctl adds itself begins with its name, and two of AWS' fifty places are kept for that.
TagKey = Annotated[
    str,
    Shape(
        r"(?!aws:|platformctl/)[\w .:/=+@-]+", "a tag's key: letters, digits and .:/=+@-, not aws: or platformctl/", 128
    ),
]
TagValue = Annotated[str, Shape(r"[\w .:/=+@-]*", "a tag's value: letters, digits, spaces and .:/=+@-", 256)]


def _zone(name: str) -> str:
    # Asking for the one zone, and not for the list of all: that walks a folder of six hundred files.
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(zoneinfo.available_timezones()), n=1, cutoff=0.75)
        meant = f"; did you mean {near[0]!r}?" if near else ", such as Asia/Seoul"
        raise ValueError(f"must be a time zone of the IANA database{meant}") from None
    return name


class Deadlines(Model):
    """How long things may take, where the defaults do not fit."""

    stages: dict[Name, DurationField] = Field(default_factory=dict, description="By the stage's name.")
    steps: dict[Name, DurationField] = Field(default_factory=dict, description="By the step's kind.")


class Retention(Model):
    """How long run records are kept."""

    runs: DurationField = Field(Duration(90 * 86_400.0), description="Records older than this are deleted.")
    keep: Annotated[int, Field(ge=1)] = Field(20, description="So many of the newest are kept, however old.")


class Environment(Model):
    """What shall exist, read from one YAML file."""

    apiVersion: Literal["platform/v1"] = Field(description="The format's version.")  # noqa: N815 - the file's key
    kind: Literal["Environment"] = Field(description="Always Environment.")
    name: EnvironmentName = Field(description="The environment's name, which is its file's name too.")
    cloud: Cloud = Field(description="The cloud and how we come in.")
    state: State | None = Field(None, description="The state bucket; without one, state is on this machine only.")
    protected: bool = Field(False, description="Nothing is approved automatically, destroying asks for addresses.")
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="For people's times; records are UTC.")
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=48)] = Field(
        default_factory=dict, description="On every resource."
    )
    required_tags: tuple[TagKey, ...] = Field((), strict=False, description="Keys that tags must have.")
    name_prefix: Annotated[str, Shape(r"[a-z][a-z0-9-]*", "lower-case letters, digits and dashes", 12)] | None = Field(
        None, description="Put before the name of every resource that has one."
    )
    stacks: dict[Name, Stack] = Field(default_factory=dict, description="Terraform root modules.")
    cluster: Cluster | None = Field(None, description="How everything after Terraform reaches Kubernetes.")
    addons: tuple[AddonItem, ...] = Field(
        (), strict=False, description="Names of files in helm/addons, or mappings with more than the name."
    )
    hosts: Hosts | None = Field(None, description="Machines that Ansible configures.")
    services: dict[Name, Service] = Field(default_factory=dict, description="Applications.")
    gitops: Gitops | None = Field(None, description="The manifest repository.")
    argocd: ArgoCD = Field(ArgoCD(), description="Where the Applications are, and when a delivery counts.")
    signing: Signing | None = Field(None, description="Who vouches for images.")
    guards: Guards = Field(Guards(), description="Bounds that a plan must keep before anybody is asked.")
    approvers: Approvers = Field(Approvers(), description="Who may answer a gate.")
    notify: Notify = Field(Notify(), description="Who is told what happened.")
    deadlines: Deadlines = Field(Deadlines(), description="How long things may take.")
    retention: Retention = Field(Retention(), description="How long run records are kept.")
    proxy: Proxy | None = Field(None, description="The way out of a closed network.")
    mirror: Mirror | None = Field(None, description="Where everything from outside is fetched instead.")

    _addon_needs: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    def graph(self, each: Literal["stacks", "addons", "services"]) -> dict[str, tuple[str, ...]]:
        """The items of a kind and, of each, the items it needs; in an order in which needs come first."""
        match each:
            case "stacks":
                needs = {name: stack_needs(stack) for name, stack in self.stacks.items()}
            case "services":
                needs = {name: service.needs for name, service in self.services.items()}
            case "addons":
                needs = {name: self._addon_needs.get(name, ()) for name in (addon.name for addon in self.addons)}
        order = TopologicalSorter(needs).static_order()
        return {name: needs[name] for name in order if name in needs}

    def know_addons(self, needs: Mapping[str, tuple[str, ...]]) -> None:
        """What the add-ons' own files say they need; the loader tells it, once."""
        self._addon_needs = dict(needs)

    def document(self) -> dict[str, Any]:
        """The environment as plain values, defaults included; secrets as their references."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """``sha256:`` of the environment as it is understood, the root's defaults included."""
        return canonical.digest(self.document())


def stack_needs(stack: Stack) -> tuple[str, ...]:
    """The stacks that a stack needs, each once."""
    return tuple(dict.fromkeys(reference.partition(".")[0] for reference in stack.needs.values()))
