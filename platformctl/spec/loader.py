"""Reads an environment: its file over the root's defaults, validated as a whole, every problem at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import platformctl
from platformctl.core.errors import PreconditionError, Problem, SpecError, UsageError
from platformctl.spec import faults, rules
from platformctl.spec.document import Document, Location, read_document
from platformctl.spec.environment import Environment
from platformctl.spec.references import References
from platformctl.spec.root import FILE, Root, read_root

COMMAND_LINE = "command line"
OVERRIDABLE = ("cloud.profile", "proxy.ca_bundle", "proxy.http", "proxy.https", "timezone")
"""What differs from one machine to the next and changes nothing that was reviewed."""
FOLDER = Path("pipelines") / "environments"


_HINT = "docs/reference/environment.md explains every key; `platformctl env new NAME --from OTHER` copies a good file"


@dataclass(frozen=True)
class Loaded:
    """An environment with the document it was read from."""

    environment: Environment
    document: Document
    path: Path

    @property
    def shown(self) -> str:
        """The file as messages name it."""
        document = self.document
        while document.file == COMMAND_LINE and document.below is not None:
            document = document.below
        return document.file

    def explain(self) -> Iterator[tuple[Location, Any, str]]:
        """Each value with its path and where it comes from: ``dev.yaml:12``, ``platform.yaml:7`` or ``default``."""
        for location, value in _leaves(self.environment.document(), ()):
            origin = self._origin(location)
            yield location, value, place(origin)

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


def place(origin: tuple[str, int] | None) -> str:
    """``dev.yaml:12``, ``command line`` or ``default``."""
    return "default" if origin is None else f"{origin[0]}:{origin[1]}" if origin[1] else origin[0]


def environment_names(root: Path) -> list[str]:
    """The names of the environments of a root, sorted."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml") if path.is_file())


def environment_path(root: Path, name_or_path: str) -> Path:
    """The file of an environment named, or given as a path. Raises PreconditionError when there is none."""
    given = Path(name_or_path)
    if given.suffix in {".yaml", ".yml"} or "/" in name_or_path:
        if not given.is_file():
            raise PreconditionError(
                f"{name_or_path}: no such file", hint="`platformctl env list` shows the environments of this root"
            )
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


def load_environment(
    path: Path, root: Path, *, content: tuple[Path, ...] | None = None, overrides: Mapping[str, str] | None = None
) -> Environment:
    """The environment of a file. Raises SpecError with every problem.

    ``root``: the folder of ``platform.yaml``, where there may be none yet. ``content``: further places of stacks and
    add-ons, by default what platformctl brings. ``overrides``: the command line's word on keys of OVERRIDABLE.
    """
    return load(path, root, content=content, overrides=overrides).environment


def load(
    path: Path, root: Path, *, content: tuple[Path, ...] | None = None, overrides: Mapping[str, str] | None = None
) -> Loaded:
    """The same, with its document."""
    outer = read_root(root) if (root / FILE).is_file() else Root(root)
    try:
        return _load(path, outer, (root, *(brought() if content is None else content)), overrides)
    except SpecError as error:
        error.hint = error.hint or _HINT
        raise


def _load(path: Path, outer: Root, content: tuple[Path, ...], overrides: Mapping[str, str] | None) -> Loaded:
    root = outer.path
    found: list[Problem] = []
    document = _over(read_document(path, shown(path, root), collect=found), outer)
    name = document.problem(("name",), f"name: {document.at('name')!r} must be the file's name, {path.stem!r}")
    if overrides:
        document = _overridden(document, overrides)
    environment = None
    try:
        environment = Environment.model_validate(document.value)
    except ValidationError as error:
        found.extend(faults.problems(error, document, Environment))
    references = References(document, content)
    found.extend(rules.check(document))
    found.extend(references.check())
    if isinstance(document.at("name"), str) and document.at("name") != path.stem:
        found.append(name)
    if found or environment is None:
        raise SpecError(dict.fromkeys(found))
    environment.know_addons(references.addon_needs)
    return Loaded(environment, document, path)


def brought() -> tuple[Path, ...]:
    """Where the stacks, charts and add-ons are that platformctl brings: in the wheel, or beside the package."""
    package = Path(platformctl.__file__).resolve().parent
    return tuple(folder for folder in (package / "_content", package.parent) if (folder / "terraform").is_dir())[:1]


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


def _overridden(document: Document, overrides: Mapping[str, str]) -> Document:
    """The command line on top: only what says how this machine comes in, never what shall exist or who decides."""
    unknown = [key for key in overrides if key not in OVERRIDABLE]
    if unknown:
        raise UsageError(
            f"{unknown[0]} can't be set on the command line{faults.did_you_mean(unknown[0], list(OVERRIDABLE))}",
            hint=f"these can: {', '.join(OVERRIDABLE)}; the rest is changed in the file, by review",
        )
    above: dict[str, Any] = {}
    lines: dict[Location, int] = {}
    for key, text in overrides.items():
        *outer, last = key.split(".")
        inner = above
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = text
        lines[tuple(key.split("."))] = 0
    return Document(COMMAND_LINE, _merged(document.value, above), lines, below=document)


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
