"""What one part of an environment says about another: needs and their outputs, cycles, accounts, files that must exist.

Works on plain values, which may be of any shape: what has the wrong one is told by the models, and the rest is still
checked, so that one reading names every fault. Answers problems; nothing is raised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from platformctl.core.errors import Problem, SpecError
from platformctl.spec.document import Document, Location, read_document
from platformctl.spec.faults import did_you_mean, dotted
from platformctl.spec.stacks import LOCAL_SOURCE

_BLOCK = re.compile(r'^\s*(output|variable)\s+"?([\w-]+)"?\s*\{', re.MULTILINE)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_LOCAL = re.compile(LOCAL_SOURCE)
"""Anything else is Terraform's to fetch; its outputs and variables are not known here."""
_MOST_CYCLES, _MOST_NAMES = 10, 8
_FREE = frozenset({"inputs", "values", "tags", "arguments"})
"""Mappings whose keys are the user's own."""


class Interface(NamedTuple):
    """The names of a root module's variables and outputs."""

    variables: frozenset[str]
    outputs: frozenset[str]


class References:
    """The checks of one environment. ``roots``: where stacks and add-ons are looked for, the user's root first."""

    def __init__(self, document: Document, roots: tuple[Path, ...]) -> None:
        self._document = document
        self._roots = roots
        self._interfaces: dict[str, Interface | None] = {}
        self.problems: list[Problem] = []
        """Problems of the add-ons' own files, known once ``check`` has run."""

    def check(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        yield from self._stacks()
        yield from self._cluster(("cluster",))
        yield from self._cluster(("argocd", "cluster"))
        yield from self._addons()
        yield from self._services()
        yield from self._files()
        yield from self._accounts_of_secrets((), self._document.value)
        for each, graph in (("stacks", self._stack_needs), ("services", self._service_needs)):
            yield from self._cycles(each, graph)
        yield from self._cycles("addons", self.addon_needs)
        yield from self.problems

    @cached_property
    def addon_needs(self) -> dict[str, tuple[str, ...]]:
        """What each add-on needs, of those that this environment has, by its own file."""
        found: dict[str, tuple[str, ...]] = {}
        names = [name for _, name in self._addon_names()]
        for name in names:
            relative = f"helm/addons/{name}.yaml"
            path = self._find(relative)
            needs: Any = []
            if path is not None:
                try:
                    needs = read_document(path, relative).at("needs")
                except SpecError as error:
                    self.problems.extend(error.problems)
            found[name] = tuple(need for need in _texts(needs) if need in names)
        return found

    def _addon_names(self) -> Iterator[tuple[int, str]]:
        items = self._document.at("addons")
        for index, item in enumerate(items if isinstance(items, list) else ()):
            name = item.get("name") if isinstance(item, dict) else item
            if isinstance(name, str):
                yield index, name

    @property
    def _stack_needs(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(need.partition(".")[0] for need in _texts(self._document.mapping("stacks", name, "needs")))
            for name in self._document.mapping("stacks")
        }

    @property
    def _service_needs(self) -> dict[str, tuple[str, ...]]:
        services = self._document.mapping("services")
        return {name: tuple(_texts(self._document.at("services", name, "needs"))) for name in services}

    def _stacks(self) -> Iterator[Problem]:
        for name in self._document.mapping("stacks"):
            here: Location = ("stacks", name)
            source = self._document.at(*here, "source")
            yield from self._account((*here, "account"))
            if isinstance(source, str) and _LOCAL.fullmatch(source):
                if self._find(f"terraform/stacks/{source}") is None:
                    hint = did_you_mean(source, self._names("terraform/stacks"))
                    yield self._at((*here, "source"), f"there is no terraform/stacks/{source}{hint}")
                yield from self._variables(here, source)
            yield from self._needs((*here, "needs"))
            yield from self._numbers((*here, "inputs"), self._document.at(*here, "inputs"))

    def _variables(self, here: Location, source: str) -> Iterator[Problem]:
        """Inputs that the stack does not have: Terraform would only warn, and the value would go nowhere."""
        interface = self._interface(source)
        given: dict[str, str] = {}
        for part in ("inputs", "needs", "secrets"):
            for key in self._document.mapping(*here, part):
                if key in given:
                    yield self._at((*here, part, key), f"{key} stands in both {given[key]} and {part} of {here[-1]}")
                given.setdefault(key, part)
                if interface is not None and key not in interface.variables:
                    hint = _near(key, interface.variables)
                    yield self._at((*here, part, key), f"terraform/stacks/{source} has no variable {key!r}{hint}")

    def _numbers(self, location: Location, value: Any, *, version: bool = False) -> Iterator[Problem]:
        """Texts that lost digits because they look like numbers: 1.30 was read as 1.3, 012 as 12."""
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self._numbers((*location, key), item, version=version or "version" in key.lower())
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._numbers((*location, index), item, version=version)
        elif (version and isinstance(value, float)) or _LEADING_ZERO.fullmatch(self._document.written(location)):
            written = self._document.written(location)
            message = f"{dotted(location)}: {written} is read as the number {value}; quote it: '{written}'"
            yield self._at(location, message)

    def _cluster(self, location: Location) -> Iterator[Problem]:
        name = self._document.at(*location, "name")
        if isinstance(name, str) and "." in name:
            yield from self._reference((*location, "name"), name)
        yield from self._account((*location, "account"))

    def _needs(self, location: Location) -> Iterator[Problem]:
        for key, reference in self._document.mapping(*location).items():
            if isinstance(reference, str) and "." in reference:
                yield from self._reference((*location, key), reference)

    def _reference(self, location: Location, reference: str) -> Iterator[Problem]:
        name, _, rest = reference.partition(".")
        output = rest.partition(".")[0]
        stacks = self._document.mapping("stacks")
        if name not in stacks:
            yield self._at(location, f"{reference}: there is no stack {name!r}{did_you_mean(name, list(stacks))}")
            return
        source = self._document.at("stacks", name, "source")
        interface = self._interface(source) if isinstance(source, str) else None
        if interface is not None and output not in interface.outputs:
            hint = _near(output, interface.outputs)
            yield self._at(location, f"{reference}: the stack {name} has no output {output!r}{hint}")

    def _account(self, location: Location) -> Iterator[Problem]:
        name = self._document.at(*location)
        accounts = self._document.mapping("cloud", "accounts")
        if isinstance(name, str) and name not in accounts:
            yield self._at(location, f"cloud.accounts has no {name!r}{did_you_mean(name, list(accounts))}")

    def _accounts_of_secrets(self, location: Location, value: Any) -> Iterator[Problem]:
        if isinstance(value, dict):
            if value.keys() & {"aws_secret", "ssm"} and "account" in value:
                yield from self._account((*location, "account"))
                return
            for key, item in value.items():
                if key not in _FREE:
                    yield from self._accounts_of_secrets((*location, key), item)

    def _addons(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for index, name in self._addon_names():
            if name in seen:
                yield self._at(("addons", index), f"the add-on {name} stands here a second time")
            seen.add(name)
            if self._find(f"helm/addons/{name}.yaml") is None:
                hint = did_you_mean(name, [known.removesuffix(".yaml") for known in self._names("helm/addons")])
                yield self._at(("addons", index), f"there is no helm/addons/{name}.yaml{hint}")
            yield from self._needs(("addons", index, "needs"))
            yield from self._numbers(("addons", index, "values"), self._document.at("addons", index, "values"))

    def _services(self) -> Iterator[Problem]:
        services = self._document.mapping("services")
        for name, needs in self._service_needs.items():
            for index, need in enumerate(needs):
                if need not in services:
                    hint = did_you_mean(need, list(services))
                    yield self._at(("services", name, "needs", index), f"there is no service {need!r}{hint}")
            repository = self._document.at("services", name, "repository")
            # An address has a slash, an output's name has none.
            if isinstance(repository, str) and "/" not in repository and "." in repository:
                yield from self._reference(("services", name, "repository"), repository)

    def _files(self) -> Iterator[Problem]:
        places: list[tuple[Location, str]] = [
            (("hosts", "inventory"), "inventory"),
            (("signing", "public_key"), "file"),
        ]
        places += [(("services", name, "source"), "folder") for name in self._document.mapping("services")]
        for location, kind in places:
            path = self._document.at(*location)
            if isinstance(path, str) and self._find(path) is None:
                yield self._at(location, f"there is no {kind} {path}")

    def _cycles(self, each: str, needs: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
        """Every cycle, found one by one: the edge that closes a cycle is taken out and the rest looked at again."""
        graph = {name: [need for need in dict.fromkeys(wanted) if need in needs] for name, wanted in needs.items()}
        for _ in range(_MOST_CYCLES):
            try:
                TopologicalSorter(graph).prepare()
            except CycleError as error:
                # graphlib names the path from needed to needing; people read it the other way round.
                path = list(reversed(error.args[1]))
                start = path.index(min(path[:-1], key=list(graph).index))
                path = [*path[start:-1], *path[: start + 1]]
                yield self._at((each, path[0]), f"needs go in a circle: {' -> '.join(path)}")
                graph[path[-2]].remove(path[-1])
            else:
                return

    def _interface(self, source: str) -> Interface | None:
        """What a source folder declares; None when it is not ours or not there."""
        if source not in self._interfaces:
            folder = self._find(f"terraform/stacks/{source}") if _LOCAL.fullmatch(source) else None
            self._interfaces[source] = read_interface(folder) if folder is not None else None
        return self._interfaces[source]

    def _find(self, relative: str) -> Path | None:
        return next((root / relative for root in self._roots if _exists(root / relative)), None)

    def _names(self, relative: str) -> list[str]:
        return [path.name for root in self._roots for path in sorted((root / relative).glob("*"))]

    def _at(self, location: Location, message: str) -> Problem:
        return self._document.problem(location, message)


def read_interface(folder: Path) -> Interface:
    """The variables and outputs of a root module's files.

    A full HCL parser would take longer than all other checks of the file; a block inside a comment is the one thing
    that this reader sees and Terraform does not.
    """
    found: dict[str, set[str]] = {"variable": set(), "output": set()}
    for path in sorted(folder.glob("*.tf")):
        for kind, name in _BLOCK.findall(path.read_text(encoding="utf-8", errors="replace")):
            found[kind].add(name)
    for path in sorted(folder.glob("*.tf.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # Terraform names that fault better than we could
        for kind, names in found.items():
            blocks = content.get(kind) if isinstance(content, dict) else None
            names.update(blocks if isinstance(blocks, dict) else ())
    return Interface(frozenset(found["variable"]), frozenset(found["output"]))


@cache
def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for the file system
        return False


def _near(word: str, known: frozenset[str]) -> str:
    """What may have been meant; all there are where nothing is near."""
    names = sorted(known)
    more = ", ..." if len(names) > _MOST_NAMES else ""
    return did_you_mean(word, names) or f"; it has {', '.join(names[:_MOST_NAMES]) or 'none'}{more}"


def _texts(value: Any) -> list[str]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, str)]
