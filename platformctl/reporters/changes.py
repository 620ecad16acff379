"""Proposals as people read them: per stack what is added, changed, replaced and removed, attribute by attribute.

Reads the normalised plans that steps leave as ``proposal`` artifacts: ``changes`` (address -> actions, before, after,
replace_paths, ...) and ``outputs``, unknown values as ``{"$unknown": true}``, masked ones as ``{"$sensitive": ...}``. A
reporter knows no tool: what else a proposal holds is left out, and no shape breaks the report.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

LONGEST_VALUE = 2_000
MOST_ATTRIBUTES = 200


class Action(StrEnum):
    """What happens to a resource; the order is the order of danger."""

    DELETE = "delete"
    REPLACE = "replace"
    UPDATE = "update"
    CREATE = "create"
    IMPORT = "import"
    MOVE = "move"
    FORGET = "forget"
    OTHER = "other"


class ValueKind(StrEnum):
    """What a value is: shown, not there, not part of the proposal, not known before apply, or a secret."""

    SHOWN = "shown"
    ABSENT = "absent"
    UNTOLD = "untold"
    UNKNOWN = "unknown"
    MASKED = "masked"


@dataclass(frozen=True)
class Value:
    """One side of a change. ``text`` is empty unless it is shown."""

    kind: ValueKind
    text: str = ""


@dataclass(frozen=True)
class AttributeChange:
    """``path`` is written as Terraform writes it: ``ingress[0].from_port``. ``replaces``: it forces a replacement."""

    path: str
    before: Value
    after: Value
    replaces: bool = False


@dataclass(frozen=True)
class ResourceChange:
    """One resource (or output). ``left_out``: attributes beyond MOST_ATTRIBUTES. ``notes``: why, and from where."""

    address: str
    action: Action
    attributes: tuple[AttributeChange, ...]
    notes: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Proposal:
    """What one step proposes. ``unreadable`` says why nothing could be shown, empty otherwise."""

    name: str
    resources: tuple[ResourceChange, ...] = ()
    outputs: tuple[ResourceChange, ...] = ()
    unreadable: str = ""

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many resources per action."""
        return Counter(resource.action for resource in self.resources)


def read(path: Path, name: str) -> Proposal:
    """The proposal in a file, shown under ``name``."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Proposal(name, unreadable=f"{type(error).__name__}: {error}")
    if not isinstance(document, Mapping):
        return Proposal(name, unreadable="not a JSON object")
    return Proposal(
        name=name,
        resources=tuple(sorted(_changes(document.get("changes")), key=_by_danger)),
        outputs=tuple(sorted(_changes(document.get("outputs")), key=_by_danger)),
    )


def _by_danger(change: ResourceChange) -> tuple[int, str]:
    return list(Action).index(change.action), change.address


def _changes(entries: Any) -> Iterator[ResourceChange]:
    for address, entry in entries.items() if isinstance(entries, Mapping) else ():
        action = _action(entry) if isinstance(entry, Mapping) else None
        if action is not None:
            attributes = tuple(_attributes(entry))
            shown = attributes[:MOST_ATTRIBUTES]
            yield ResourceChange(str(address), action, shown, tuple(_notes(entry)), len(attributes) - len(shown))


def _action(entry: Mapping[str, Any]) -> Action | None:
    actions = entry.get("actions")
    words = {str(word) for word in actions} if isinstance(actions, list) else set()
    if {"create", "delete"} <= words:
        return Action.REPLACE
    if words <= {"no-op", "read"}:
        return Action.IMPORT if "importing" in entry else Action.MOVE if "previous_address" in entry else None
    return next((action for action in Action if action.value in words), Action.OTHER)


def _notes(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.get("previous_address"):
        yield f"moved from {entry['previous_address']}"
    if entry.get("importing"):
        yield f"imported from {entry['importing']}"
    if entry.get("reason"):
        yield str(entry["reason"]).replace("_", " ")


def _attributes(entry: Mapping[str, Any]) -> Iterator[AttributeChange]:
    before, after = dict(_leaves(entry.get("before"))), dict(_leaves(entry.get("after")))
    replacing = [_written(path) for path in entry.get("replace_paths") or () if isinstance(path, list)]
    absent = Value(ValueKind.ABSENT)
    # An update that tells only what it leads to: what was there is not known here, which is not the same as nothing.
    missing = absent if "before" in entry or entry.get("actions") == ["create"] else Value(ValueKind.UNTOLD)
    for path in sorted({*before, *after}):
        old, new = before.get(path, missing), after.get(path, absent)
        # Two masks that are equal are equal secrets: the mask is keyed by the run, not random.
        if old != new:
            yield AttributeChange(path, _shown(old), _shown(new), any(path.startswith(root) for root in replacing))


def _shown(value: Value) -> Value:
    return Value(ValueKind.MASKED) if value.kind is ValueKind.MASKED else value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every scalar below a value, with its path; empty collections count as scalars."""
    if isinstance(value, Mapping) and value:
        if "$sensitive" in value:
            yield path, Value(ValueKind.MASKED, str(value["$sensitive"]))
        elif "$unknown" in value:
            yield path, Value(ValueKind.UNKNOWN)
        else:
            for key, item in value.items():
                # A real key that begins with "$" is written with two of them.
                name = str(key).removeprefix("$")
                yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    elif value is not None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield path, Value(ValueKind.SHOWN, _cut(text))


def _cut(text: str) -> str:
    left = len(text) - LONGEST_VALUE
    return text if left <= 0 else f"{text[:LONGEST_VALUE]}… ({left} more characters)"


def _written(path: list[Any]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
