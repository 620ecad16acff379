"""What pydantic found, in words for the people who wrote the file: place, cause, and "did you mean"."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from platformctl.core.errors import Problem
from platformctl.spec.document import Document, Location

_KINDS = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
}


def problems(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Problem]:
    """One problem for each place; a value that fits none of several types is named once."""
    seen: set[tuple[Location, str]] = set()
    for detail in error.errors(include_url=False):
        location = _in_file(detail["loc"], document)
        message = _message(detail, location, document, model)
        if (location, message) not in seen:
            seen.add((location, message))
            yield document.problem(location, message)


def did_you_mean(word: str, known: Iterator[str] | list[str]) -> str:
    """``; did you mean 'x'?`` or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def dotted(location: Location) -> str:
    """A path as people write it: ``stacks.network.inputs``."""
    return ".".join(str(part) for part in location) or "the file"


def _in_file(location: tuple[str | int, ...], document: Document) -> Location:
    """pydantic's path without what it adds itself: the arms of unions, ``[key]`` of a mapping."""
    path: list[str | int] = []
    for part in location:
        if part == "[key]":
            break
        if document.origin((*path, part)) is not None or not path or part == location[-1]:
            path.append(part)
    while len(path) > 1 and document.origin(tuple(path)) is None and document.origin(tuple(path[:-1])) is None:
        path.pop()
    return tuple(path)


def _message(detail: ErrorDetails, location: Location, document: Document, model: type[BaseModel]) -> str:
    name, kind, context = dotted(location), detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = list(_keys(model, location[:-1]))
        return f"unknown key {location[-1]!r} in {dotted(location[:-1])}{did_you_mean(str(location[-1]), known)}"
    if kind in _KINDS:
        written = document.written(location)
        return f"{name} {_KINDS[kind]}" + (f"; quote it: {written!r}" if kind == "string_type" and written else "")
    value = detail["input"]
    given = f"{name}: {value!r}" if isinstance(value, str | int | float) else name
    sentences = {
        "missing": f"{name} is missing",
        "literal_error": f"{given} must be {context.get('expected')}",
        "value_error": f"{name}: {context.get('error')}",
        "string_pattern_mismatch": f"{given} does not look right: it must match {context.get('pattern')}",
        "greater_than_equal": f"{name} must be at least {context.get('ge')}",
        "less_than_equal": f"{name} must be at most {context.get('le')}",
    }
    return sentences.get(kind, f"{name}: {detail['msg']}")


def _keys(model: type[BaseModel], location: Location) -> Iterator[str]:
    """The keys that are known at a path of the model."""
    if not location:
        yield from model.model_fields
        return
    field = model.model_fields.get(str(location[0]))
    inner = next(_models(field.annotation), None) if field is not None else None
    if inner is not None and field is not None:
        # In a mapping or list of models, the next part is a key of the user's own.
        own = 2 if get_origin(field.annotation) in {dict, tuple} else 1
        yield from _keys(inner, location[own:])


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
