"""The normalised plan: what a gate's approval is bound to, made from ``terraform show -json PLAN``.

Resource changes that are no no-ops and output changes, by address: actions, values before and after, replace paths;
unknown values as ``{"$unknown": true}``, sensitive ones as ``{"$sensitive": HMAC}`` under a key of the run. Pure: the
raw document, which holds secrets in clear, goes in, nothing in clear comes out. Format: Terraform's "JSON Output
Format", major version 1.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from platformctl.core.canonical import canonical
from platformctl.core.errors import UnreadableOutput

SCHEMA_VERSION = 1
UNKNOWN: Final = {"$unknown": True}
UPSTREAM: Final = "terraform_data.upstream"
"""Stands in the working copy for what another stack does not give yet. Never applied, never part of a proposal."""

_SHORTEST_SECRET = 6
"""Shorter sensitive texts are masked where they are marked only: ``dev`` would be found everywhere."""

_NOTHING = frozenset({("no-op",), ("read",)})


@dataclass(frozen=True)
class NormalisedPlan:
    """One stack's plan.

    ``changes`` and ``outputs`` are JSON: address or output name -> what happens. ``settled`` holds the real values
    (masked alike) of what the plan leaves as it is, for ``refine``; it is no part of the proposal. ``upstream``: the
    plan stands on invented unknowns and must not be applied.
    """

    terraform: str = ""
    providers: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settled: Mapping[str, Any] = field(default_factory=dict)
    upstream: bool = False

    @property
    def empty(self) -> bool:
        """Nothing would change."""
        return not self.changes and not self.outputs

    @property
    def destroys(self) -> tuple[str, ...]:
        """The addresses of what would be destroyed, replaced ones included, sorted."""
        return tuple(sorted(address for address, change in self.changes.items() if "delete" in change["actions"]))

    @property
    def summary(self) -> str:
        """``+2 ~1 -0``: resources created, changed, destroyed (a replaced one is both), then what else there is."""
        count = Counter(action for change in self.changes.values() for action in change["actions"])
        others = {
            "moved": sum("previous_address" in change for change in self.changes.values()),
            "imported": sum("importing" in change for change in self.changes.values()),
            "forgotten": count["forget"],
            "output" if len(self.outputs) == 1 else "outputs": len(self.outputs),
        }
        text = f"+{count['create']} ~{count['update']} -{count['delete']}"
        return ", ".join([text, *(f"{number} {what}" for what, number in others.items() if number)])

    def to_json(self) -> dict[str, Any]:
        """The part that is proposed and approved."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "terraform": self.terraform,
            "providers": dict(self.providers),
            "changes": dict(self.changes),
            "outputs": dict(self.outputs),
        }


def normalise(document: str, key: bytes, providers: Mapping[str, str]) -> NormalisedPlan:
    """Reads ``show -json``'s output. ``providers``: source address -> version, from the lock file.

    Raises UnreadableOutput when it is no plan of a format we know.
    """
    plan = _read(document)
    mask = _Mask(key, frozenset(_secrets(plan)))
    managed = [item for item in plan.get("resource_changes", ()) if item.get("mode") == "managed"]
    ours = [item for item in managed if item["address"] != UPSTREAM]
    settled = {_name(item): mask.after(item["change"]) for item in ours if _settled(item)}
    outputs = plan.get("output_changes") or {}
    settled |= {f"output.{name}": mask.after(change) for name, change in outputs.items() if _does_nothing(change)}
    return NormalisedPlan(
        terraform=str(plan.get("terraform_version", "")),
        providers=dict(providers),
        changes={_name(item): _resource(item, mask) for item in ours if not _settled(item)},
        outputs={name: _change(change, mask) for name, change in outputs.items() if not _does_nothing(change)},
        settled=settled,
        upstream=len(ours) != len(managed),
    )


def _read(document: str) -> dict[str, Any]:
    try:
        plan = json.loads(document)
    except ValueError:
        plan = None
    version = str(plan.get("format_version", "")) if isinstance(plan, dict) else ""
    if not isinstance(plan, dict) or version.split(".")[0] != "1":
        raise UnreadableOutput(
            f"terraform show answered format {version or 'unknown'}, not 1",
            hint="platformctl tools list shows versions",
        )
    if plan.get("errored"):
        raise UnreadableOutput("terraform saved a plan that is only a part, because planning failed")
    return plan


def _name(item: Mapping[str, Any]) -> str:
    """The address; an object left over from a replacement has its own."""
    return f"{item['address']} (deposed {item['deposed']})" if item.get("deposed") else str(item["address"])


def _does_nothing(change: Mapping[str, Any]) -> bool:
    return tuple(change["actions"]) in _NOTHING


def _settled(item: Mapping[str, Any]) -> bool:
    """Moves and imports change no object by themselves, but they change the state: they are shown and approved."""
    return _does_nothing(item["change"]) and not item["change"].get("importing") and not item.get("previous_address")


def _resource(item: Mapping[str, Any], mask: _Mask) -> dict[str, Any]:
    change = _change(item["change"], mask)
    if item.get("previous_address"):
        change["previous_address"] = item["previous_address"]
    if item["change"].get("replace_paths"):
        change["replace_paths"] = item["change"]["replace_paths"]
    if item["change"].get("importing"):
        change["importing"] = item["change"]["importing"].get("id", "")
    if item.get("action_reason"):
        change["reason"] = item["action_reason"]
    return change


def _change(change: Mapping[str, Any], mask: _Mask) -> dict[str, Any]:
    """Both sides, so that people see what changes; ``refine`` compares only what shall be."""
    actions = list(change["actions"])
    sides: dict[str, Any] = {}
    if change.get("before") is not None:
        sides["before"] = mask.before(change)
    if actions not in (["delete"], ["forget"]):
        sides["after"] = mask.after(change)
    return {"actions": actions, **sides}


class _Mask:
    """Replaces what must not be seen (sensitive) or is not known yet, at the paths that the plan marks."""

    def __init__(self, key: bytes, secrets: frozenset[str]) -> None:
        self._key = key
        self._secrets = secrets

    def before(self, change: Mapping[str, Any]) -> Any:
        return self._value(change.get("before"), None, change.get("before_sensitive"))

    def after(self, change: Mapping[str, Any]) -> Any:
        return self._value(change.get("after"), change.get("after_unknown"), change.get("after_sensitive"))

    def _value(self, value: Any, unknown: Any, sensitive: Any) -> Any:
        if unknown is True:
            return UNKNOWN
        if isinstance(value, dict) or _marks(_dict(unknown)):
            return self._object(value or {}, _dict(unknown), sensitive)
        if isinstance(value, list):
            unknowns, secrets = _list(unknown, len(value)), _list(sensitive, len(value))
            return [self._value(*triple) for triple in zip(value, unknowns, secrets, strict=True)]
        if sensitive is True or (isinstance(value, str) and any(secret in value for secret in self._secrets)):
            return {"$sensitive": self._hmac(value)}
        return value

    def _object(self, value: dict[str, Any], unknown: dict[str, Any], sensitive: Any) -> dict[str, Any]:
        names = {*value, *(name for name, mark in unknown.items() if _marks(mark))}
        return {
            self._key_name(name, sensitive): self._value(
                value.get(name), unknown.get(name), True if sensitive is True else _dict(sensitive).get(name)
            )
            for name in sorted(names)
        }

    def _key_name(self, name: str, sensitive: Any) -> str:
        """Keys of a sensitive map may be secret too; a real key that looks like a marker must not be taken for one."""
        if sensitive is True:
            return self._hmac(name)[:16]
        return f"${name}" if name.startswith("$") else name

    def _hmac(self, value: Any) -> str:
        return hmac.new(self._key, canonical(value), hashlib.sha256).hexdigest()


def _secrets(plan: Mapping[str, Any]) -> Iterator[str]:
    """Every sensitive text of the plan. Providers copy values to attributes that nobody marked (``terraform_data`` its
    input to its output), so a text that holds one of these is masked wherever it stands."""
    for item in (*(plan.get("resource_changes") or ()), *(plan.get("resource_drift") or ())):
        yield from _change_secrets(item["change"])
    for change in (plan.get("output_changes") or {}).values():
        yield from _change_secrets(change)
    declared = plan.get("configuration", {}).get("root_module", {}).get("variables") or {}
    for name, variable in (plan.get("variables") or {}).items():
        if declared.get(name, {}).get("sensitive"):
            yield from _marked_texts(variable.get("value"), mark=True)


def _change_secrets(change: Mapping[str, Any]) -> Iterator[str]:
    for side in ("before", "after"):
        yield from _marked_texts(change.get(side), mark=change.get(f"{side}_sensitive"))


def _marked_texts(value: Any, *, mark: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _marked_texts(item, mark=mark if mark is True else _dict(mark).get(name))
    elif isinstance(value, list):
        for item, below in zip(value, _list(mark, len(value)), strict=True):
            yield from _marked_texts(item, mark=below)
    elif mark is True and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value


def _marks(mark: Any) -> bool:
    """Whether anything below is marked."""
    if isinstance(mark, dict):
        return any(_marks(item) for item in mark.values())
    if isinstance(mark, list):
        return any(_marks(item) for item in mark)
    return bool(mark)


def _dict(mark: Any) -> dict[str, Any]:
    return mark if isinstance(mark, dict) else {}


def _list(mark: Any, length: int) -> list[Any]:
    if mark is True:
        return [True] * length
    found = mark if isinstance(mark, list) else []
    return [*found, *[None] * length][:length]
