"""A copy of an environment file under another name: everything else stays as somebody wrote it, to the last space."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from platformctl.spec.document import Location


def copy_environment(text: str, name: str) -> str:
    """The text of an environment file with ``name`` as its name.

    Only the name's own characters are exchanged: writing the whole file anew would move comments and fold lines. Raises
    ValueError when the file has no name.
    """
    value = _value_of("name", iter(YAML(typ="safe", pure=True).parse(text)))
    return text[: value.start_mark.index] + name + text[value.end_mark.index :]


def mentions(value: Any, name: str, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """The texts in an environment's values that have ``name`` as a word of its own, each with its path."""
    match value:
        case str():
            if re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", value):
                yield location, value
        case dict():
            for key, item in value.items():
                yield from mentions(item, name, (*location, key))
        case list():
            for index, item in enumerate(value):
                yield from mentions(item, name, (*location, index))


def _value_of(key: str, events: Iterator[Event]) -> Event:
    """The event of the value that the outermost mapping has under ``key``."""
    depth, wanted, is_key = 0, False, False
    for event in events:
        if depth == 1 and wanted:
            return event
        if depth == 1 and not isinstance(event, MappingEndEvent):
            is_key = not is_key
            wanted = is_key and isinstance(event, ScalarEvent) and event.value == key
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            depth -= 1
    raise ValueError(f"there is no {key}")
