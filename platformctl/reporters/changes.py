"""Proposals as people read them: per stack what is added, changed, replaced and removed, attribute by attribute.

Reads the normalised plans that steps leave as ``proposal`` artifacts. Reporters know no tool, so the shape is read by
its keys and anything else is shown as far as it is understood; masked values are shown as masked, never guessed.
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
    FORGET = "forget"
    READ = "read"
    OTHER = "other"


class ValueKind(StrEnum):
    """What a value is: shown, not there, not known before apply, or a secret that only shows that it is one."""

    SHOWN = "shown"
    ABSENT = "absent"
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
    """One resource (or output). ``left_out``: attributes beyond MOST_ATTRIBUTES."""

    address: str
    action: Action
    attributes: tuple[AttributeChange, ...]
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
    """The proposal in a file; ``name`` is shown when the file does not say its stack's."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Proposal(name, unreadable=f"{type(error).__name__}: {error}")
    if not isinstance(document, Mapping):
        return Proposal(name, unreadable="not a JSON object")
    return Proposal(
        name=str(document.get("stack") or name),
        resources=tuple(sorted(_changes(document.get("resources"), "address"), key=_by_danger)),
        outputs=tuple(sorted(_changes(document.get("outputs"), "name"), key=_by_danger)),
    )


def _by_danger(change: ResourceChange) -> tuple[int, str]:
    return list(Action).index(change.action), change.address


def _changes(entries: Any, key: str) -> Iterator[ResourceChange]:
    if isinstance(entries, Mapping):
        entries = [{**entry, key: name} for name, entry in entries.items() if isinstance(entry, Mapping)]
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, Mapping):
            continue
        action = _action(entry.get("actions"))
        if action is not None:
            attributes = tuple(_attributes(entry))
            shown = attributes[:MOST_ATTRIBUTES]
            yield ResourceChange(str(entry.get(key, "")), action, shown, len(attributes) - len(shown))


def _action(actions: Any) -> Action | None:
    words = {str(word) for word in actions} if isinstance(actions, list | tuple) else {str(actions)}
    if words <= {"no-op"}:
        return None
    if {"create", "delete"} <= words:
        return Action.REPLACE
    known = [action for action in Action if action.value in words]
    return known[0] if known else Action.OTHER


def _attributes(entry: Mapping[str, Any]) -> Iterator[AttributeChange]:
    before = dict(_leaves(entry.get("before")))
    after = dict(_leaves(entry.get("after")))
    after |= {path: Value(ValueKind.UNKNOWN) for path, mark in _leaves(entry.get("unknown")) if mark.text == "true"}
    replacing = {_written(path) for path in entry.get("replace_paths") or () if isinstance(path, list)}
    absent = Value(ValueKind.ABSENT)
    for path in sorted({*before, *after}):
        old, new = before.get(path, absent), after.get(path, absent)
        # Two masks that are equal are equal secrets: the mask is keyed by the run, not random.
        if old != new:
            yield AttributeChange(path, _shown(old), _shown(new), any(path.startswith(root) for root in replacing))


def _shown(value: Value) -> Value:
    return Value(ValueKind.MASKED) if value.kind is ValueKind.MASKED else value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every scalar below a value, with its path; empty collections count as scalars."""
    if _masked(value):
        yield path, Value(ValueKind.MASKED, json.dumps(value, sort_keys=True))
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    elif value is not None:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield path, Value(ValueKind.SHOWN, _cut(text))


def _masked(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith("hmac:")
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value))) in {"$sensitive", "$hmac"}


def _cut(text: str) -> str:
    left = len(text) - LONGEST_VALUE
    return text if left <= 0 else f"{text[:LONGEST_VALUE]}… ({left} more characters)"


def _written(path: list[Any]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
