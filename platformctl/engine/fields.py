"""What a step asks for: its fields with type, default and description, and strings turned into typed values.

Command-line flags, the reference pages and Groovy help are made from here. Nothing here knows any particular step.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from platformctl.core.clock import Duration
from platformctl.core.errors import UsageError
from platformctl.core.secret import SecretRef, SecretSource
from platformctl.engine.step import Step

Parse = Callable[[str], Any]

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Field:
    """One input of a step.

    ``flag``: its name on the command line, without dashes. ``type_name``: for people: ``text``, ``number``,
    ``true|false``, ``path``, ``duration``, ``secret``, ``list``, ``key=value list`` or an enumeration's values.
    ``default``: None when there is none or when it is None; ``required`` tells which.
    """

    name: str
    flag: str
    type_name: str
    required: bool
    default: Any
    description: str
    example: str
    _parse: Parse

    def parse(self, text: str) -> Any:
        """The typed value. Raises UsageError that names the flag and the type it wants."""
        try:
            return self._parse(text)
        except ValueError as error:
            example = f", for example --{self.flag} {self.example}" if self.example else ""
            raise UsageError(
                f"--{self.flag} {text}: {error}", hint=f"--{self.flag} takes {self.type_name}{example}"
            ) from error

    def show(self, value: Any) -> str:
        """The text that ``parse`` would turn into ``value``; empty for None."""
        match value:
            case None:
                return ""
            case bool():
                return str(value).lower()
            case Enum():
                return str(value.value)
            case tuple():
                return ",".join(value)
            case Mapping():
                return ",".join(f"{key}={item}" for key, item in value.items())
            case _:
                return str(value)


def step_fields(step_type: type[Step]) -> tuple[Field, ...]:
    """The step's inputs in the order of their declaration.

    Raises TypeError for a type that steps may not have (nested or unknown ones) and for a field without a description:
    both are bugs of the step, held by a conformance test.
    """
    hints = typing.get_type_hints(step_type)
    return tuple(_field(step_type, declared, hints[declared.name]) for declared in dataclasses.fields(step_type))


def build_step(step_type: type[Step], values: Mapping[str, str]) -> Step:
    """A step from strings by field name. Raises UsageError for unknown, missing or unreadable ones."""
    known = {field.name: field for field in step_fields(step_type)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"{step_type.kind} has no field {unknown[0]!r}", hint=f"it has: {', '.join(known) or 'none'}")
    missing = [field.flag for field in known.values() if field.required and field.name not in values]
    if missing:
        flags = ", ".join(f"--{flag}" for flag in missing)
        raise UsageError(f"{step_type.kind} needs {flags}", hint=f"platformctl steps show {step_type.kind}")
    return step_type(**{name: known[name].parse(text) for name, text in values.items()})


def _field(step_type: type[Step], declared: dataclasses.Field[Any], hint: Any) -> Field:
    where = f"{step_type.__name__}.{declared.name}"
    description = declared.metadata.get("description", "")
    if not description:
        raise TypeError(f"{where} has no description; declare it with option(...)")
    default = declared.default
    if declared.default_factory is not MISSING:
        default = declared.default_factory()
    type_name, parse = _reading(where, hint)
    return Field(
        name=declared.name,
        flag=declared.name.replace("_", "-"),
        type_name=type_name,
        required=default is MISSING,
        default=None if default is MISSING else default,
        description=description,
        example=str(declared.metadata.get("example", "")),
        _parse=parse,
    )


def _reading(where: str, hint: Any) -> tuple[str, Parse]:
    """The name of a type for people, and how its values are read. ``T | None`` reads as T."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        inner = [argument for argument in typing.get_args(hint) if argument is not types.NoneType]
        if len(inner) == 1:
            return _reading(where, inner[0])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "|".join(str(member.value) for member in hint), _choice(hint)
    readings: dict[Any, tuple[str, Parse]] = {
        str: ("text", str),
        int: ("number", _number),
        bool: ("true|false", _truth),
        Path: ("path", Path),
        Duration: ("duration", Duration.parse),
        SecretRef: ("secret", secret_reference),
        tuple[str, ...]: ("list", _list),
        Mapping[str, str]: ("key=value list", _mapping),
    }
    if hint not in readings:
        raise TypeError(f"{where}: a step's field may not be {hint}")
    return readings[hint]


def secret_reference(text: str) -> SecretRef:
    """Reads ``env:NAME``, ``file:PATH``, ``aws_secret:NAME#KEY`` or ``ssm:NAME``. Raises ValueError."""
    source, colon, rest = text.partition(":")
    name, _, key = rest.partition("#")
    if not colon or not name or source not in set(SecretSource):
        raise ValueError(f"not a reference to a secret; write {', '.join(f'{known}:NAME' for known in SecretSource)}")
    return SecretRef(SecretSource(source), name, key)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("not a whole number") from None


def _truth(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("neither true nor false")


def _choice(enumeration: type[Enum]) -> Parse:
    by_value = {str(member.value): member for member in enumeration}

    def parse(text: str) -> Enum:
        if text not in by_value:
            raise ValueError(f"not one of {', '.join(by_value)}")
        return by_value[text]

    return parse


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _mapping(text: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for item in _list(text):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise ValueError(f"{item!r} is not KEY=VALUE")
        if key in pairs:
            raise ValueError(f"{key!r} is given twice")
        pairs[key] = value
    return pairs
