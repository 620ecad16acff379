"""YAML text to plain values, with the line of every key. Refuses what makes a file mean more than it shows.

No anchors, no merge keys, no tags, no second document: people read an environment file. Plain scalars follow the core
schema of YAML 1.2.2, section 10.3.2, so `yes` is a text. What the values mean is not known here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from platformctl.core.errors import Problem, SpecError

LARGEST = 1024 * 1024
DEEPEST = 30
_LONGEST_NUMBER = 30
_NULL = frozenset({"null", "Null", "NULL", "~", ""})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_NO_TEXT = "it has to be YAML, as text in UTF-8"
_NO_ANCHORS = "anchors and aliases are not allowed; write the value where it is used"
_Content = ScalarEvent | SequenceStartEvent | MappingStartEvent

Location = tuple[str | int, ...]


@dataclass
class Document:
    """A file's content: ``value`` in plain types, ``lines`` from the path of each key or item to its line (from 1)."""

    file: str
    value: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)
    texts: dict[Location, str] = field(default_factory=dict)
    """Numbers as they were written: ``1.30`` is not ``1.3`` when a version is meant."""

    below: Document | None = None
    """What stands under this file (the root's defaults): a path that only it has is placed there."""

    def at(self, *location: str | int) -> Any:
        """The value at a path; None when there is none."""
        value: Any = self.value
        for part in location:
            if isinstance(value, dict) and isinstance(part, str):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def mapping(self, *location: str | int) -> dict[str, Any]:
        """The mapping at a path; empty when there is none or something else."""
        value = self.at(*location)
        return value if isinstance(value, dict) else {}

    def origin(self, location: Location) -> tuple[str, int] | None:
        """File and line that say a path's value; None when no file does."""
        if location in self.lines:
            return self.file, self.lines[location]
        return self.below.origin(location) if self.below is not None else None

    def problem(self, location: Location, message: str) -> Problem:
        """A problem at a path, or at the nearest thing around it."""
        while location and self.origin(location) is None:
            location = location[:-1]
        file, line = self.origin(location) or (self.file, 1)
        return Problem(file, line, message)

    def written(self, location: Location) -> str:
        """A number as it was written, empty for anything else."""
        found = self.texts.get(location, "")
        return found or (self.below.written(location) if self.below is not None else "")


def read_document(path: Path, shown: str, *, collect: list[Problem] | None = None) -> Document:
    """Reads a file; ``shown`` is how messages name it. Raises as ``parse_document`` does."""
    return parse_document(_read(path, shown), shown, collect=collect)


def parse_document(text: str, shown: str, *, collect: list[Problem] | None = None) -> Document:
    """Parses text. Raises SpecError with every problem.

    Where ``collect`` is given, problems that leave the rest readable (a key that stands twice, an anchor) are put there
    instead, so that they can be told together with what is wrong about the values.
    """
    reader = _Reader(shown)
    value: Any = None
    try:
        value = reader.document(iter(YAML(typ="safe", pure=True).parse(text)))
    except _Unreadable:
        pass
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reader.problems.append(Problem(shown, line, f"not YAML: {_character(error.character)} stands in it"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(error.problem or error.context or "not YAML").split())
        reader.problems.append(Problem(shown, mark.line + 1 if mark else 1, f"not YAML: {said}"))
    except (YAMLError, ValueError, IndexError, AttributeError, AssertionError) as error:
        # The parser answers some broken texts with errors of its own making.
        said = " ".join(str(error).split())[:200]
        reader.problems.append(Problem(shown, 0, f"not YAML: {said or type(error).__name__}"))
    else:
        if value is None and not reader.problems:
            reader.problems.append(Problem(shown, 0, "the file is empty"))
        elif not isinstance(value, dict):
            reader.problems.append(Problem(shown, 1, "must be a mapping of keys to values"))
        elif collect is not None:
            collect.extend(reader.problems)
            return Document(shown, value, reader.lines, reader.texts)
    if reader.problems:
        raise SpecError(reader.problems)
    return Document(shown, value, reader.lines, reader.texts)


def _read(path: Path, shown: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise SpecError([Problem(shown, 0, "is not a file")])
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise SpecError([Problem(shown, 0, "no such file")]) from None
    except OSError as error:
        raise SpecError([Problem(shown, 0, f"cannot be read: {error.strerror}")]) from None
    if len(content) > LARGEST:
        raise SpecError([Problem(shown, 0, "is larger than 1 MiB")], hint="an environment file is written by people")
    if not content.strip():
        raise SpecError([Problem(shown, 0, "the file is empty")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError([Problem(shown, line, "is not text in UTF-8")], hint=_NO_TEXT) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise SpecError([Problem(shown, line, "is a binary file")], hint=_NO_TEXT)
    return text


def _character(found: str | int) -> str:
    return f"the character U+{found if isinstance(found, int) else ord(found):04X}"


class _Unreadable(Exception):
    """Reading stops here; the problem has been noted."""


class _Reader:
    """Follows the parser's events once, collecting values, lines and problems.

    Events and not nodes: an alias is never followed, so a small file can't grow, and nesting is bounded as it is read.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.problems: list[Problem] = []
        self.lines: dict[Location, int] = {}
        self.texts: dict[Location, str] = {}

    def document(self, events: Iterator[Event]) -> Any:
        """The value of the one document; None when there is none."""
        value: Any = None
        seen = False
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if event.version or event.tags:
                    self._problem(event, "directives (%YAML, %TAG) are not allowed")
                if seen:
                    self._problem(event, "a second document is not allowed; one environment, one file")
                    raise _Unreadable
                seen = True
            elif isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
                self.lines[()] = event.start_mark.line + 1
                value = self._value(event, events, (), 0)
            elif isinstance(event, StreamStartEvent):
                continue
        return value

    def _value(self, event: Event, events: Iterator[Event], location: Location, depth: int) -> Any:
        if isinstance(event, AliasEvent) or not isinstance(event, _Content):
            return self._problem(event, _NO_ANCHORS)
        if event.anchor is not None:
            self._problem(event, _NO_ANCHORS)
        if event.tag is not None:
            self._problem(event, f"the tag {event.tag} is not allowed")
        if isinstance(event, ScalarEvent):
            return self._scalar(event, location)
        if depth >= DEEPEST:
            self._problem(event, f"is nested deeper than {DEEPEST} levels")
            raise _Unreadable
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, location, depth)
        return self._mapping(events, location, depth)

    def _sequence(self, events: Iterator[Event], location: Location, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            place = (*location, len(items))
            self.lines[place] = event.start_mark.line + 1
            items.append(self._value(event, events, place, depth + 1))
        return items

    def _mapping(self, events: Iterator[Event], location: Location, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._key(event, events, entries, depth)
            place = location if key is None else (*location, key)
            if key is not None:
                self.lines[place] = event.start_mark.line + 1
            value = self._value(next(events), events, place, depth + 1)
            if key is not None:
                entries[key] = value
        return entries

    def _key(self, event: Event, events: Iterator[Event], entries: dict[str, Any], depth: int) -> str | None:
        """A key; None, its problem noted, when it may not stand there."""
        fault = _key_fault(event, entries)
        if fault:
            self._problem(event, fault)
            if not isinstance(event, ScalarEvent):
                self._value(event, events, (), depth + 1)
            return None
        return str(event.value) if isinstance(event, ScalarEvent) else None

    def _scalar(self, event: ScalarEvent, location: Location) -> Any:
        text = str(event.value)
        if not text.isascii() and _SURROGATE.search(text):
            return self._problem(event, "holds half a character (a surrogate)")
        if not _plain(event):
            return text
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            self.texts[location] = text
            return self._number(event, text)
        return text

    def _number(self, event: Event, text: str) -> Any:
        if len(text) > _LONGEST_NUMBER:
            return self._problem(event, f"{text[:10]}... is too long for a number; quote it if it is a text")
        if _INTEGER.fullmatch(text):
            return int(text, 0 if text[:2] in {"0x", "0o"} else 10)
        number = math.nan if _NOT_FINITE.fullmatch(text) else float(text)
        if not math.isfinite(number):
            return self._problem(event, f"{text} is not a number that can be stored; quote it if it is a text")
        return number

    def _problem(self, event: Event, message: str) -> Any:
        """Notes a problem; the None it answers stands in the value's place."""
        self.problems.append(Problem(self.shown, event.start_mark.line + 1, message))
        return None


def _key_fault(event: Event, entries: dict[str, Any]) -> str:
    """Why a key may not stand there; empty when it may. What a list or an alias is wrong in is told as its value is."""
    if not isinstance(event, ScalarEvent):
        return "a key must be a text, not a list or a mapping"
    if event.anchor is not None:
        return _NO_ANCHORS
    if event.tag is not None:
        return f"the tag {event.tag} is not allowed"
    text = str(event.value)
    if _plain(event):
        if text == "<<":
            return "merge keys (<<) are not allowed; write the values where they are used"
        if text in _NULL or text in _BOOLEANS or _FLOAT.fullmatch(text) or _INTEGER.fullmatch(text):
            return f"a key must be a text: quote {text or 'it'}"
    return f"the key {text!r} stands here a second time" if text in entries else ""


def _plain(event: ScalarEvent) -> bool:
    return event.style is None and event.tag is None
