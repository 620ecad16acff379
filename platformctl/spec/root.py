"""The root: the folder of ``platform.yaml``, what all its environments share, and which platformctl it wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from platformctl import __version__
from platformctl.core.errors import PreconditionError, SpecError
from platformctl.spec import faults
from platformctl.spec.document import Document, read_document
from platformctl.spec.values import Model

FILE = "platform.yaml"
SCHEMA_VERSION = 1


class RootFile(Model):
    """What ``platform.yaml`` holds."""

    schemaVersion: int = Field(description="The format's version, 1.")  # noqa: N815 - the file's key
    platformctl: str = Field("", description="Versions of platformctl that may work here, such as >=0.1,<0.3.")
    defaults: dict[str, Any] = Field(default_factory=dict, description="What every environment shares.")


@dataclass(frozen=True)
class Root:
    """A root. ``defaults`` stand below every environment file; ``document`` has their lines."""

    path: Path
    wants_version: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    document: Document | None = None


def find_root(start: Path) -> Root:
    """The root at or above ``start``.

    Raises PreconditionError when there is none or it wants another version of platformctl, SpecError when it is faulty.
    """
    begin = start.resolve()
    for folder in (begin, *begin.parents):
        if (folder / FILE).is_file():
            return read_root(folder)
    raise PreconditionError(
        f"there is no {FILE} in {begin} or above", hint="go to a platform's root, or make one: platformctl init DIR"
    )


def read_root(folder: Path) -> Root:
    """The root of that very folder."""
    document = read_document(folder / FILE, FILE)
    try:
        content = RootFile.model_validate(document.value)
    except ValidationError as error:
        raise SpecError(faults.problems(error, document, RootFile)) from None
    if content.schemaVersion != SCHEMA_VERSION:
        message = f"schemaVersion {content.schemaVersion} is not known; this platformctl reads {SCHEMA_VERSION}"
        raise SpecError([document.problem(("schemaVersion",), message)])
    _check_version(content.platformctl, document)
    return Root(folder, content.platformctl, content.defaults, document)


def _check_version(wanted: str, document: Document) -> None:
    if not wanted:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        accepted = SpecifierSet(wanted).contains(__version__, prereleases=True)
    except InvalidSpecifier:
        message = f"platformctl: {wanted!r} is not a version range such as >=0.1,<0.3"
        raise SpecError([document.problem(("platformctl",), message)]) from None
    if not accepted:
        raise PreconditionError(
            f"{FILE} wants platformctl {wanted}, this is {__version__}", hint=f"pip install 'platformctl{wanted}'"
        )
