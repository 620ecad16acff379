"""Terraform's state and its lock, read without starting Terraform. Never written here.

Format: state version 4, the only one since Terraform 0.12; lock info as the S3 backend stores it beside the state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from platformctl.core.errors import UnreadableOutput
from platformctl.core.secret import Secret

STATE_VERSION = 4


@dataclass(frozen=True)
class State:
    """What we read of a state. ``outputs`` are plain JSON values; ``secrets`` the sensitive ones, as JSON text.

    ``resources``: address -> attributes' text as stored, one entry per instance of a managed resource. The attributes
    may hold secrets: they are only ever searched.
    """

    serial: int = 0
    lineage: str = ""
    terraform: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def holds(self, identifier: str) -> bool:
        """Whether some resource has this id or ARN."""
        return any(identifier in {item.get("arn"), item.get("id")} for item in self.resources.values())


EMPTY = State()


def read_state(content: bytes | None, where: str) -> State:
    """The state in ``content``; an empty one when there is none. ``where`` names it in errors.

    Raises UnreadableOutput: no JSON, or another version than 4.
    """
    if not content:
        return EMPTY
    try:
        document = json.loads(content)
        version = document.get("version")
    except (ValueError, AttributeError) as error:
        raise UnreadableOutput(f"{where} is no Terraform state", hint="restore an older version of it") from error
    if version != STATE_VERSION:
        raise UnreadableOutput(
            f"{where} is a Terraform state of version {version}, not {STATE_VERSION}",
            hint="a newer Terraform wrote it; update platformctl",
        )
    outputs = document.get("outputs") or {}
    return State(
        serial=int(document.get("serial", 0)),
        lineage=str(document.get("lineage", "")),
        terraform=str(document.get("terraform_version", "")),
        outputs={name: item.get("value") for name, item in outputs.items() if not item.get("sensitive")},
        secrets={
            name: Secret(_text(item.get("value")), f"output {name} of {where}")
            for name, item in outputs.items()
            if item.get("sensitive")
        },
        resources=_resources(document),
    )


def _resources(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for resource in document.get("resources") or ():
        if resource.get("mode") != "managed":
            continue
        address = ".".join(filter(None, (resource.get("module"), resource["type"], resource["name"])))
        for instance in resource.get("instances") or ():
            key = instance.get("index_key")
            index = "" if key is None else f"[{json.dumps(key)}]"
            deposed = f" (deposed {instance['deposed']})" if instance.get("deposed") else ""
            found[address + index + deposed] = instance.get("attributes") or {}
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class LockInfo:
    """Who holds a state's lock. ``who`` is ``user@host``; ``created`` as Terraform writes it, RFC 3339."""

    id: str
    who: str
    operation: str
    created: str


def read_lock(content: bytes | None) -> LockInfo | None:
    """The lock in a ``.tflock`` object; None when there is none or it can't be read."""
    try:
        document = json.loads(content or b"null")
    except ValueError:
        return None
    if not isinstance(document, dict) or not document.get("ID"):
        return None
    return LockInfo(
        id=str(document["ID"]),
        who=str(document.get("Who", "")),
        operation=str(document.get("Operation", "")).removeprefix("OperationType"),
        created=str(document.get("Created", "")),
    )
