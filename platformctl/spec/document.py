"""YAML text to plain values, with the line of every key. Refuses what makes a file mean more than it shows.

YAML 1.2: `yes` is a text. No anchors, no merge keys, no tags, no second document: people read an environment file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from platformctl.core.errors import Problem, SpecError

LARGEST = 1024 * 1024
DEEPEST = 30
_PREFIX = "tag:yaml.org,2002:"
_SCALARS = frozenset(_PREFIX + kind for kind in ("str", "int", "float", "bool", "null", "timestamp"))

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


def read_document(path: Path, shown: str) -> Document:
    """Reads a file. Raises SpecError with every problem; ``shown`` is how messages name the file."""
    return parse_document(_read(path, shown), shown)


def parse_document(text: str, shown: str) -> Document:
    """Parses text. Raises SpecError with every problem."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(error.problem or error.context or "not YAML").split())
        raise SpecError([Problem(shown, mark.line + 1 if mark else 1, f"not YAML: {said}")]) from None
    except (YAMLError, ValueError, RecursionError, AssertionError) as error:
        said = " ".join(str(error).split())[:200]
        raise SpecError([Problem(shown, 0, f"not YAML: {said or type(error).__name__}")]) from None
    if node is None:
        raise SpecError([Problem(shown, 0, "the file is empty")])
    reader = _Reader(shown)
    value = reader.value(node, (), 0)
    if not reader.problems and not isinstance(value, dict):
        reader.problems.append(Problem(shown, 1, "must be a mapping of keys to values"))
    if reader.problems:
        raise SpecError(reader.problems)
    return Document(shown, value, reader.lines, reader.texts)


def _read(path: Path, shown: str) -> str:
    try:
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
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError([Problem(shown, line, "is not text in UTF-8")]) from None
    if "\0" in text:
        raise SpecError([Problem(shown, text[: text.index("\0")].count("\n") + 1, "is a binary file")])
    return text


class _Reader:
    """Walks the node graph once, collecting values, lines and problems."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.problems: list[Problem] = []
        self.lines: dict[Location, int] = {}
        self.texts: dict[Location, str] = {}

    def value(self, node: Node, location: Location, depth: int) -> Any:
        self.lines.setdefault(location, node.start_mark.line + 1)
        if node.anchor is not None:
            # An alias shows the anchor's own node: visiting it again would also let a small file grow without end.
            return self._problem(node, "anchors and aliases are not allowed; write the value where it is used")
        if depth > DEEPEST:
            return self._problem(node, f"is nested deeper than {DEEPEST} levels")
        match node:
            case ScalarNode():
                return self._scalar(node, location)
            case SequenceNode() if node.tag == _PREFIX + "seq":
                return [self.value(item, (*location, index), depth + 1) for index, item in enumerate(node.value)]
            case MappingNode() if node.tag == _PREFIX + "map":
                return self._mapping(node, location, depth)
            case _:
                return self._problem(node, f"the tag {node.tag} is not allowed")

    def _mapping(self, node: MappingNode, location: Location, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, ScalarNode):
                self._problem(key, "a key must be a text, not a list or a mapping")
            elif key.tag == _PREFIX + "merge":
                self._problem(key, "merge keys (<<) are not allowed; write the values where they are used")
            elif key.anchor is not None:
                self._problem(key, "anchors and aliases are not allowed; write the value where it is used")
            elif key.tag != _PREFIX + "str":
                self._problem(key, f"a key must be a text: quote {key.value}")
            elif key.value in result:
                self._problem(key, f"the key {key.value!r} stands here a second time")
            else:
                self.lines[*location, key.value] = key.start_mark.line + 1
                result[key.value] = self.value(item, (*location, key.value), depth + 1)
        return result

    def _scalar(self, node: ScalarNode, location: Location) -> Any:
        text = str(node.value)
        match node.tag.removeprefix(_PREFIX) if node.tag in _SCALARS else "":
            case "str" | "timestamp":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float" as kind:
                self.texts[location] = text
                return self._number(node, text.replace("_", ""), kind)
            case _:
                return self._problem(node, f"the tag {node.tag} is not allowed")

    def _number(self, node: ScalarNode, text: str, kind: str) -> Any:
        try:
            number: int | float = int(text, 0 if text.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"} else 10)
        except ValueError:
            try:
                number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            except ValueError:
                return self._problem(node, f"{text} is not a number; quote it if it is a text")
        if isinstance(number, float) and not math.isfinite(number):
            return self._problem(node, f"{text} is not a number that can be stored; quote it if it is a text")
        return float(number) if kind == "float" else number

    def _problem(self, node: Node, message: str) -> None:
        self.problems.append(Problem(self.shown, node.start_mark.line + 1, message))
