"""What one part of an environment says about another: needs and their outputs, cycles, accounts, files that must exist.

Everything here works on a validated environment and answers problems; nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from platformctl.core.errors import Problem, SpecError
from platformctl.spec.document import Document, Location, read_document
from platformctl.spec.environment import Environment, stack_needs
from platformctl.spec.faults import did_you_mean

_OUTPUT_BLOCK = re.compile(r'^\s*output\s+"([^"\n]+)"\s*\{', re.MULTILINE)
_LOCAL_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Anything else (``git::``, ``./``, a registry's address) is Terraform's to resolve; its outputs are not known here."""
_REFERENCE = re.compile(r"[a-z][a-z0-9-]*\.[A-Za-z_][A-Za-z0-9_-]*(\..+)?")


class References:
    """The checks of one environment. ``roots``: where stacks and add-ons are looked for, the user's root first."""

    def __init__(self, environment: Environment, document: Document, roots: tuple[Path, ...]) -> None:
        self._environment = environment
        self._document = document
        self._roots = roots
        self._outputs: dict[str, frozenset[str] | None] = {}

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        yield from self._stacks()
        yield from self._outputs_used()
        yield from self._addons()
        yield from self._services()
        yield from self._cycles(
            "stacks", {name: stack_needs(stack) for name, stack in self._environment.stacks.items()}
        )
        yield from self._hosts()
        yield from self._tags()

    @cached_property
    def addon_needs(self) -> dict[str, tuple[str, ...]]:
        """What each add-on needs, of those that this environment has."""
        found = {}
        for name in self._environment.addons:
            path = self._find(f"helm/addons/{name}.yaml")
            needs = read_document(path, f"helm/addons/{name}.yaml").value.get("needs", []) if path else []
            found[name] = tuple(need for need in needs if need in self._environment.addons)
        return found

    def _stacks(self) -> Iterator[Problem]:
        accounts = self._environment.cloud.accounts
        for name, stack in self._environment.stacks.items():
            here: Location = ("stacks", name)
            if stack.account is not None and stack.account not in accounts:
                hint = did_you_mean(stack.account, list(accounts))
                yield self._at((*here, "account"), f"cloud.accounts has no {stack.account!r}{hint}")
            if self._of(stack.source) is None and _LOCAL_SOURCE.fullmatch(stack.source):
                hint = did_you_mean(stack.source, self._names("terraform/stacks"))
                yield self._at((*here, "source"), f"there is no terraform/stacks/{stack.source}{hint}")
            for key in stack.inputs.keys() & stack.needs.keys():
                yield self._at((*here, "needs", key), f"{key} stands in both inputs and needs of {name}")
            yield from self._versions((*here, "inputs"), stack.inputs)

    def _versions(self, location: Location, inputs: Mapping[str, object]) -> Iterator[Problem]:
        for key, value in inputs.items():
            if isinstance(value, float) and "version" in key:
                written = self._document.written((*location, key))
                yield self._at((*location, key), f"{key}: {written} is read as a number; quote it: {written!r}")

    def _outputs_used(self) -> Iterator[Problem]:
        for name, stack in self._environment.stacks.items():
            for key, reference in stack.needs.items():
                yield from self._reference(("stacks", name, "needs", key), reference)
        cluster = self._environment.cluster
        if cluster is not None and cluster.name is not None and "." in cluster.name:
            yield from self._reference(("cluster", "name"), cluster.name)
        for name, service in self._environment.services.items():
            if "/" not in service.repository and _REFERENCE.fullmatch(service.repository):
                yield from self._reference(("services", name, "repository"), service.repository)

    def _reference(self, location: Location, reference: str) -> Iterator[Problem]:
        name, _, rest = reference.partition(".")
        output = rest.partition(".")[0]
        stacks = self._environment.stacks
        if name not in stacks:
            yield self._at(location, f"{reference}: there is no stack {name!r}{did_you_mean(name, list(stacks))}")
            return
        known = self._of(stacks[name].source)
        if known is not None and output not in known:
            hint = did_you_mean(output, list(known)) or f"; it has {', '.join(sorted(known)) or 'none'}"
            yield self._at(location, f"{reference}: the stack {name} has no output {output!r}{hint}")

    def _addons(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for index, name in enumerate(self._environment.addons):
            if name in seen:
                yield self._at(("addons", index), f"the add-on {name} stands here a second time")
            seen.add(name)
            if self._find(f"helm/addons/{name}.yaml") is None:
                hint = did_you_mean(name, [known.removesuffix(".yaml") for known in self._names("helm/addons")])
                yield self._at(("addons", index), f"there is no helm/addons/{name}.yaml{hint}")
        try:
            yield from self._cycles("addons", self.addon_needs)
        except SpecError as error:
            yield from error.problems

    def _services(self) -> Iterator[Problem]:
        services = self._environment.services
        for name, service in services.items():
            for index, need in enumerate(service.needs):
                if need not in services:
                    hint = did_you_mean(need, list(services))
                    yield self._at(("services", name, "needs", index), f"there is no service {need!r}{hint}")
            if self._find(service.source) is None:
                yield self._at(("services", name, "source"), f"there is no folder {service.source}")
        yield from self._cycles("services", {name: service.needs for name, service in services.items()})

    def _cycles(self, each: str, needs: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
        known = {name: [need for need in wanted if need in needs] for name, wanted in needs.items()}
        try:
            TopologicalSorter(known).prepare()
        except CycleError as error:
            # graphlib names the path from needed to needing; people read it the other way round.
            path = list(reversed(error.args[1]))
            yield self._at((each, path[0]), f"needs go in a circle: {' -> '.join(path)}")

    def _hosts(self) -> Iterator[Problem]:
        hosts = self._environment.hosts
        if hosts is not None and self._find(hosts.inventory) is None:
            yield self._at(("hosts", "inventory"), f"there is no inventory {hosts.inventory}")

    def _tags(self) -> Iterator[Problem]:
        for key in self._environment.required_tags:
            if not self._environment.tags.get(key):
                yield self._at(("tags",), f"the tag {key!r} is required and not set")

    def _of(self, source: str) -> frozenset[str] | None:
        """The outputs of a source folder; None when it is not ours or not there."""
        if source not in self._outputs:
            folder = self._find(f"terraform/stacks/{source}") if _LOCAL_SOURCE.fullmatch(source) else None
            self._outputs[source] = read_outputs(folder) if folder is not None else None
        return self._outputs[source]

    def _find(self, relative: str) -> Path | None:
        return next((root / relative for root in self._roots if (root / relative).exists()), None)

    def _names(self, relative: str) -> list[str]:
        return [path.name for root in self._roots for path in sorted((root / relative).glob("*"))]

    def _at(self, location: Location, message: str) -> Problem:
        return self._document.problem(location, message)


def read_outputs(folder: Path) -> frozenset[str]:
    """The names of a root module's output blocks. A full HCL parser would take longer than all the rest of the file's
    checks; an output inside a comment block is the one thing that this reader sees and Terraform does not."""
    return frozenset(
        name
        for path in sorted(folder.glob("*.tf"))
        for name in _OUTPUT_BLOCK.findall(path.read_text(encoding="utf-8", errors="replace"))
    )
