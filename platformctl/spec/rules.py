"""What keys of one environment demand of each other, beyond what each may be by itself: one function for each rule.

Works on plain values of any shape, as ``references`` does. A new rule of this kind goes here, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from platformctl.core.errors import Problem
from platformctl.spec.document import Document, Location

Finding = tuple[Location, str]
Rule = Callable[[Document], Iterator[Finding]]

_OF_AWS = ("region", "account", "profile", "plan_role", "apply_role", "external_id", "web_identity_token", "accounts")


def check(document: Document) -> Iterator[Problem]:
    """Every rule's problems."""
    for rule in RULES:
        for location, message in rule(document):
            yield document.problem(location, message)


def _provider(document: Document) -> Iterator[Finding]:
    cloud = document.mapping("cloud")
    if "cloud" not in document.value or not isinstance(document.at("cloud"), dict):
        return
    provider = cloud.get("provider", "aws")
    if provider == "aws":
        for key in ("region", "account"):
            if key not in cloud:
                yield ("cloud", key), f"cloud.{key} is missing: provider aws needs it"
    elif provider == "none":
        for key in (*_OF_AWS, "sandbox", "permissions_boundary"):
            # What the root gives all its environments may stand unused in one of them.
            if cloud.get(key) and document.origin(("cloud", key)) != _by_root(document, ("cloud", key)):
                yield ("cloud", key), f"cloud.{key} has no meaning for provider none"
        if document.at("state") and document.origin(("state",)) != _by_root(document, ("state",)):
            yield ("state",), "state is a bucket in the environment's account: provider none has neither"


def _by_root(document: Document, location: Location) -> tuple[str, int] | None:
    """Where the root's defaults say a path; None when they don't."""
    lowest = document
    while lowest.below is not None:
        lowest = lowest.below
    return lowest.origin(location) if lowest is not document else None


def _roles(document: Document) -> Iterator[Finding]:
    """Two roles or none: with one alone, planning or applying would silently be the caller."""
    places: list[Location] = [("cloud",)]
    places += [("cloud", "accounts", name) for name in document.mapping("cloud", "accounts")]
    for place in places:
        keys = document.mapping(*place)
        path = ".".join(map(str, place))
        for one, other in (("plan_role", "apply_role"), ("apply_role", "plan_role")):
            if keys.get(one) and not keys.get(other):
                yield (*place, one), f"{path}.{one} stands alone: {other} must be given too"
        for key in ("external_id", "web_identity_token"):
            if keys.get(key) and not (keys.get("plan_role") or keys.get("apply_role")):
                yield (*place, key), f"{path}.{key} goes with plan_role and apply_role, and there are none"


def _tags(document: Document) -> Iterator[Finding]:
    required = document.at("required_tags")
    for key in required if isinstance(required, list) else ():
        if isinstance(key, str) and not document.at("tags", key):
            yield ("tags",), f"the tag {key!r} is required and not set"


def _approvers(document: Document) -> Iterator[Finding]:
    approvers = document.mapping("approvers")
    users, groups, quorum = (approvers.get(key) for key in ("users", "groups", "quorum"))
    if document.at("protected") is True and not users and not groups:
        yield ("protected",), "a protected environment says who approves: approvers needs users or groups"
    if isinstance(users, list) and not groups and isinstance(quorum, int) and len(users) < quorum:
        yield (
            ("approvers", "quorum"),
            f"approvers.quorum is {quorum}, and there are only {len(users)} users and no groups",
        )


def _clusters(document: Document) -> Iterator[Finding]:
    for place in (("cluster",), ("argocd", "cluster")):
        if not isinstance(document.at(*place), dict):
            continue
        cluster, path = document.mapping(*place), ".".join(place)
        wanted, others = ("name", ("kubeconfig", "context"))
        if cluster.get("kind") == "kubeconfig":
            wanted, others = ("kubeconfig", ("name", "account"))
        if not cluster.get(wanted):
            yield (*place, wanted), f"{path}.{wanted} is missing: kind {cluster.get('kind', 'eks')} needs it"
        for key in others:
            if cluster.get(key):
                yield (*place, key), f"{path}.{key} has no meaning for kind {cluster.get('kind', 'eks')}"
    if document.at("addons") and document.at("cluster") is None:
        yield ("addons",), "addons go into a cluster: cluster is missing"


def _services(document: Document) -> Iterator[Finding]:
    services = document.mapping("services")
    for name in services:
        here = ("services", name)
        if not isinstance(document.at(*here), dict):
            continue
        given = [key for key in ("application", "application_set") if document.at(*here, key)]
        if len(given) != 1:
            both = "not both" if given else "and none is given"
            yield here, f"services.{name} is run by one of application and application_set, {both}"
        repository = document.at(*here, "repository")
        if isinstance(repository, str) and "/" not in repository and "." not in repository:
            message = "must be an address such as registry.example.org/orders, or `stack.output`"
            yield (*here, "repository"), f"services.{name}.repository {message}"
    if services and document.at("gitops") is None:
        yield ("services",), "services are delivered through the manifest repository: gitops is missing"


def _notify(document: Document) -> Iterator[Finding]:
    if document.at("notify", "kakao") is not None and document.at("notify", "encryption_key") is None:
        message = "notify.kakao keeps a token beside the run records: notify.encryption_key must be given too"
        yield ("notify", "kakao"), message


RULES: tuple[Rule, ...] = (_provider, _roles, _tags, _approvers, _clusters, _services, _notify)
