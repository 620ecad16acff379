"""Failure injection: rules that make calls fail, as AWS and the network fail, and the client tests use.

Rules only say what happens to which call; the gateway and the registry front do it.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

ALWAYS = -1


class Kind(StrEnum):
    """What happens to a call that a rule matches."""

    ERROR = "error"  # an AWS error with ``code`` and ``status``
    THROTTLE = "throttle"  # the service's own words for too many requests
    RESET = "reset"  # the connection is reset in the middle of an answer
    DELAY = "delay"  # the call works, ``seconds`` later


class Phase(StrEnum):
    """Whether the call has done its work by the time it fails; only for ``reset`` and ``error``."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Rule:
    """The next ``times`` calls of an operation fail (ALWAYS: every one); then the rule is spent and lets calls through.

    ``service``: signing name (``eks``, ``ec2``, ``s3``; ``registry`` for the registry front). ``operation``: as in the
    API (``CreateCluster``), ``*`` for any; the registry's are ``GET manifests``, ``PUT blobs`` and so on.
    ``contains``: text that must stand in path, query or body, such as a resource's name or an object's key.
    """

    service: str
    operation: str = "*"
    kind: Kind = Kind.ERROR
    times: int = 1
    code: str = "InternalFailure"
    status: int = 500
    message: str = "injected by the sandbox"
    seconds: float = 0.0
    contains: str = ""
    phase: Phase = Phase.BEFORE

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Rule:
        """Raises ValueError, naming what is wrong."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(document.keys() - known):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        if "service" not in document:
            raise ValueError("service is missing")
        values = dict(document)
        values["kind"] = Kind(values.get("kind", Kind.ERROR))
        values["phase"] = Phase(values.get("phase", Phase.BEFORE))
        rule = cls(**values)
        if rule.times < 1 and rule.times != ALWAYS:
            raise ValueError(f"times is {rule.times}; give a positive number, or {ALWAYS} for always")
        if not 100 <= rule.status <= 599:
            raise ValueError(f"status is {rule.status}; give an HTTP status")
        return rule

    def matches(self, service: str, operation: str, text: str) -> bool:
        """``text`` is the request's path, query and body in one."""
        return service == self.service and self.operation in {"*", operation} and self.contains in text


class FaultBook:
    """The rules in force and how often each has struck. Thread-safe."""

    def __init__(self, rules: Iterable[Mapping[str, Any]] = ()) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._hits: list[int] = []
        self.replace(rules)

    def replace(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """Puts these rules in place of all others. Raises ValueError and changes nothing when one is wrong."""
        parsed = [Rule.from_json(rule) for rule in rules]
        with self._lock:
            self._rules, self._hits = parsed, [0] * len(parsed)

    def concerns(self, service: str) -> bool:
        """Whether any rule could strike; keeps the normal path cheap."""
        return any(rule.service == service for rule in self._rules)

    def strike(self, service: str, operation: str, text: str) -> Rule | None:
        """The first unspent rule that matches this call, its counter moved on; None lets the call through."""
        with self._lock:
            for index, rule in enumerate(self._rules):
                spent = rule.times != ALWAYS and self._hits[index] >= rule.times
                if not spent and rule.matches(service, operation, text):
                    self._hits[index] += 1
                    return rule
        return None

    def to_json(self) -> list[dict[str, Any]]:
        """The rules, each with its ``hits``."""
        with self._lock:
            return [{**asdict(rule), "hits": hits} for rule, hits in zip(self._rules, self._hits, strict=True)]


class Faults:
    """The client of tests: ``with Faults(endpoint) as faults: faults.put(Rule("eks", "CreateCluster", times=2))``."""

    def __init__(self, endpoint: str) -> None:
        self._address = urlsplit(endpoint).netloc

    def put(self, *rules: Rule) -> None:
        """Replaces all rules. Raises ValueError, with the sandbox's words, when it refuses one."""
        self._call("PUT", [asdict(rule) for rule in rules])

    def clear(self) -> None:
        """Removes all rules."""
        self._call("DELETE")

    def hits(self) -> list[int]:
        """How often each rule has struck, in the order they were given."""
        return [rule["hits"] for rule in self._call("GET")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def _call(self, method: str, document: object = None) -> Any:
        # http.client and not urllib: a proxy of the environment must not be asked for loopback.
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            connection.request(method, "/_sandbox/faults", None if document is None else json.dumps(document))
            answer = connection.getresponse()
            content = json.load(answer)
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(content["error"])
        return content
