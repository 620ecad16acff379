"""Reads an environment: its file over the root's defaults, validated as a whole, every problem at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from platformctl.core.errors import PreconditionError, SpecError
from platformctl.spec import faults
from platformctl.spec.document import Document, Location, read_document
from platformctl.spec.environment import Environment
from platformctl.spec.references import References
from platformctl.spec.root import FILE, Root, read_root

FOLDER = Path("pipelines") / "environments"


@dataclass(frozen=True)
class Loaded:
    """An environment with the document it was read from."""

    environment: Environment
    document: Document
    path: Path

    def explain(self) -> Iterator[tuple[Location, Any, str]]:
        """Each value with its path and where it comes from: ``dev.yaml:12``, ``platform.yaml:7`` or ``default``."""
        for location, value in _leaves(self.environment.document(), ()):
            origin = self._origin(location)
            yield location, value, f"{origin[0]}:{origin[1]}" if origin else "default"

    def _origin(self, location: Location) -> tuple[str, int] | None:
        # A value that validation completed (a duration, a reference) stands where its nearest written parent does.
        origin = self.document.origin(location)
        if origin is None and len(location) > 1 and isinstance(self._written(location[:-1]), str):
            return self.document.origin(location[:-1])
        return origin

    def _written(self, location: Location) -> Any:
        value: Any = self.document.value
        for part in location:
            value = value.get(part) if isinstance(value, dict) else None
        return value


def environment_names(root: Path) -> list[str]:
    """The names of the environments of a root, sorted."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))


def environment_path(root: Path, name_or_path: str) -> Path:
    """The file of an environment named, or given as a path. Raises PreconditionError when there is none."""
    given = Path(name_or_path)
    if given.suffix in {".yaml", ".yml"} or "/" in name_or_path:
        if not given.is_file():
            raise PreconditionError(f"{name_or_path}: no such file")
        return given
    path = root / FOLDER / f"{name_or_path}.yaml"
    if not path.is_file():
        names = environment_names(root)
        near = difflib.get_close_matches(name_or_path, names, n=1)
        raise PreconditionError(
            f"there is no environment {name_or_path!r} in {root / FOLDER}",
            hint=f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}",
        )
    return path


def load_environment(path: Path, root: Path, *, content: tuple[Path, ...] = ()) -> Environment:
    """The environment of a file. ``root``: the folder of ``platform.yaml``, where there may be none yet; ``content``:
    further places of stacks and add-ons. Raises SpecError with every problem."""
    return load(path, root, content=content).environment


def load(path: Path, root: Path, *, content: tuple[Path, ...] = ()) -> Loaded:
    """The same, with its document."""
    outer = read_root(root) if (root / FILE).is_file() else Root(root)
    document = _over(read_document(path, shown(path, root)), outer)
    try:
        environment = Environment.model_validate(document.value)
    except ValidationError as error:
        raise SpecError(faults.problems(error, document, Environment)) from None
    references = References(environment, document, (root, *content))
    found = list(references.problems())
    if environment.name != path.stem:
        message = f"name: {environment.name!r} must be the file's name, {path.stem!r}"
        found.append(document.problem(("name",), message))
    if found:
        raise SpecError(found)
    if environment.addons:
        environment = environment.model_copy()
        environment.know_addons(references.addon_needs)
    return Loaded(environment, document, path)


def shown(path: Path, root: Path) -> str:
    """A file as messages name it: relative to the root where it is inside."""
    try:
        return str(path.resolve().relative_to(root.resolve()))
    except ValueError:
        return str(path)


def _over(document: Document, root: Root) -> Document:
    if root.document is None or not root.defaults:
        return document
    inner = root.document
    below = Document(
        inner.file,
        root.defaults,
        {path[1:]: line for path, line in inner.lines.items() if path[:1] == ("defaults",)},
        {path[1:]: text for path, text in inner.texts.items() if path[:1] == ("defaults",)},
    )
    return replace(document, value=_merged(root.defaults, document.value), below=below)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: mappings key by key, everything else as a whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _leaves(value: Any, location: Location) -> Iterator[tuple[Location, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*location, key))
    else:
        yield location, value
