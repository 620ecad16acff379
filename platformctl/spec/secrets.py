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
                value, hint = self._environ.get(reference.name, ""), f"export {reference.name}=..."
            case SecretSource.FILE:
                value, hint = _read(reference, self._environ), f"write it to {reference.name}"
            case _:
                return self._remote.resolve(reference)
        if not value:
            raise PreconditionError(f"the secret {reference} is not set", hint=hint)
        secret = Secret(value, str(reference))
        self._redactor.add(secret)
        return secret


def references(model: Model, location: Location = ()) -> Iterator[tuple[Location, SecretRef]]:
    """Every secret reference in a model, with its path."""
    for name in type(model).model_fields:
        yield from _inside(getattr(model, name), (*location, name))


def missing(model: Model, document: Document, environ: Mapping[str, str]) -> Iterator[Problem]:
    """References to variables that are not set and to files that cannot be used. AWS is not asked."""
    for location, reference in references(model):
        fault = ""
        if reference.source is SecretSource.ENV and not environ.get(reference.name):
            fault = f"the variable {reference.name} is not set"
        elif reference.source is SecretSource.FILE:
            fault = _file_fault(reference, environ)
        if fault:
            yield document.problem(location, f"{'.'.join(map(str, location))}: {fault}")


def exposed(model: Model, document: Document, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Files of secrets that others on this machine may read. A warning only: who mounts a secret chooses its mode."""
    for location, reference in references(model):
        if reference.source is not SecretSource.FILE:
            continue
        try:
            mode = _path(reference, environ).stat().st_mode
        except OSError:
            continue
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            message = f"the file {reference.name} can be read by others; chmod 600 it"
            yield document.problem(location, f"{'.'.join(map(str, location))}: {message}")


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


def _path(reference: SecretRef, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(home, reference.name[2:]) if reference.name.startswith("~/") and home else Path(reference.name)


def _file_fault(reference: SecretRef, environ: Mapping[str, str]) -> str:
    try:
        return "" if _read(reference, environ) else f"the file {reference.name} is empty"
    except PreconditionError as error:
        return error.message


def _read(reference: SecretRef, environ: Mapping[str, str]) -> str:
    """The file's text without the line end that editors put at its end. Raises PreconditionError."""
    path = _path(reference, environ)
    try:
        if not path.is_file():
            # A pipe would block for ever, a device never end.
            why = "is not a file" if path.exists() else "does not exist"
            raise PreconditionError(f"the secret {reference} {why}", hint=f"write it to {reference.name}")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise PreconditionError(f"the secret {reference} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PreconditionError(f"the secret {reference} is not text in UTF-8") from None
    if len(content) > LARGEST:
        raise PreconditionError(f"the secret {reference} is larger than {LARGEST // 1024} KiB")
    return text.removesuffix("\n").removesuffix("\r")
