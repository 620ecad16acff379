"""Resolves references to secrets in this machine's environment variables and files; AWS' sources are handed on."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from platformctl.core.errors import PreconditionError, Problem
from platformctl.core.secret import Redactor, Secret, SecretRef, SecretResolver, SecretSource
from platformctl.spec.document import Document, Location
from platformctl.spec.values import Model

LARGEST = 64 * 1024


class LocalSecretResolver:
    """Resolves ``env`` and ``file``; asks ``remote`` for the others. Every value is told to ``redactor`` first."""

    def __init__(self, redactor: Redactor, remote: SecretResolver, environ: Mapping[str, str]) -> None:
        self._redactor = redactor
        self._remote = remote
        self._environ = environ

    def resolve(self, reference: SecretRef) -> Secret:
        """Raises PreconditionError, naming the reference and never the value, when there is none."""
        match reference.source:
            case SecretSource.ENV:
                value = self._environ.get(reference.name, "")
            case SecretSource.FILE:
                value = _read(reference)
            case _:
                return self._remote.resolve(reference)
        if not value:
            raise PreconditionError(f"the secret {reference} is not set", hint=_hint(reference))
        secret = Secret(value, str(reference))
        self._redactor.add(secret)
        return secret


def references(model: Model, location: Location = ()) -> Iterator[tuple[Location, SecretRef]]:
    """Every secret reference in a model, with its path."""
    for name in type(model).model_fields:
        yield from _inside(getattr(model, name), (*location, name))


def missing(model: Model, document: Document, environ: Mapping[str, str]) -> Iterator[Problem]:
    """References to variables that are not set and files that are not there, or that others may read."""
    for location, reference in references(model):
        fault = ""
        if reference.source is SecretSource.ENV and not environ.get(reference.name):
            fault = f"the variable {reference.name} is not set"
        elif reference.source is SecretSource.FILE:
            fault = _file_fault(Path(reference.name))
        if fault:
            yield document.problem(location, f"{'.'.join(map(str, location))}: {fault}")


def _inside(value: object, location: Location) -> Iterator[tuple[Location, SecretRef]]:
    match value:
        case SecretRef():
            yield location, value
        case Model():
            yield from references(value, location)
        case dict():
            for key, item in value.items():
                yield from _inside(item, (*location, key))
        case tuple() | list():
            for index, item in enumerate(value):
                yield from _inside(item, (*location, index))


def _file_fault(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"the file {path} cannot be read: {error.strerror}"
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"the file {path} can be read by others; chmod 600 it"
    return ""


def _read(reference: SecretRef) -> str:
    try:
        with Path(reference.name).open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise PreconditionError(f"the secret {reference} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PreconditionError(f"the secret {reference} is not text in UTF-8") from None
    if len(content) > LARGEST:
        raise PreconditionError(f"the secret {reference} is larger than {LARGEST // 1024} KiB")
    return text.rstrip("\r\n")


def _hint(reference: SecretRef) -> str:
    return f"export {reference.name}=..." if reference.source is SecretSource.ENV else f"write it to {reference.name}"
