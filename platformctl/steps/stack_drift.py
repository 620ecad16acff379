"""Which differences between a stack and its files are news, and which were declared to be none. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from platformctl.spec.environment import DriftNoise
from platformctl.steps.stack_guards import address_pattern
from platformctl.tools.terraform.normalise import NormalisedPlan
from platformctl.tools.terraform.refine import changed_paths


def without_noise(plan: NormalisedPlan, declared: Iterable[DriftNoise]) -> tuple[list[str], list[str]]:
    """What the plan would change: the names that are news, and those that ``declared`` covers, both sorted.

    Only an update can be noise: what is created, destroyed or replaced is always news.
    """
    rules = [(address_pattern(noise.address), noise.attributes) for noise in declared]
    news: list[str] = []
    noise: list[str] = []
    for address, change in plan.changes.items():
        covered = change["actions"] == ["update"] and any(
            pattern.fullmatch(address) and _covers(attributes, changed_paths(change)) for pattern, attributes in rules
        )
        (noise if covered else news).append(address)
    return sorted([*news, *(f"output.{name}" for name in plan.outputs)]), sorted(noise)


def _covers(attributes: tuple[str, ...], paths: list[str]) -> bool:
    """Whether every path is one of the attributes or lies below one; no attributes means all of them."""
    return not attributes or all(
        any(path == name or path.startswith((f"{name}.", f"{name}[")) for name in attributes) for path in paths
    )
