"""Promise 1: does a fresh plan refine the approved one? Pure; the answer is a list of what speaks against it.

A fresh plan refines an approved one when it has the same addresses, actions and known values; what was unknown may
have become any value; an address may be missing only when its real state already equals the approved result. An action
that an earlier apply began and did not end may be planned as what is left of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from platformctl.tools.terraform.normalise import SCHEMA_VERSION, UNKNOWN, NormalisedPlan

TAINTED = "replace_because_tainted"
"""Terraform's reason for a replacement whose old object is what a broken-off creation left."""

_ABSENT = object()
_LISTED = 3


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that was not approved: where, and what is different. Never holds a sensitive value."""

    address: str
    reason: str

    def __str__(self) -> str:
        return f"{self.address}: {self.reason}"


def refine(approved: Mapping[str, Any], fresh: NormalisedPlan) -> tuple[Difference, ...]:
    """Everything in ``fresh`` that ``approved`` (``NormalisedPlan.to_json``) does not cover; empty when it refines."""
    if approved.get("schemaVersion") != SCHEMA_VERSION:
        return (Difference("(plan)", f"the approved plan has schema {approved.get('schemaVersion')}; plan again"),)
    found = [*_versions(approved, fresh), *_upstream(fresh)]
    found += _compare(approved.get("changes", {}), fresh.changes, fresh.settled, prefix="", same=_resource_differs)
    found += _compare(approved.get("outputs", {}), fresh.outputs, fresh.settled, prefix="output.", same=_output_differs)
    return tuple(sorted(found))


def _versions(approved: Mapping[str, Any], fresh: NormalisedPlan) -> list[Difference]:
    """Another provider may do other things under the same plan."""
    was = {"terraform": approved.get("terraform", ""), **approved.get("providers", {})}
    now = {"terraform": fresh.terraform, **fresh.providers}
    return [
        Difference(name, f"was approved with version {was.get(name, 'none')}, now {now.get(name, 'none')}")
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    ]


def _upstream(fresh: NormalisedPlan) -> list[Difference]:
    if not fresh.upstream:
        return []
    return [Difference("terraform_data.upstream", "the plan stands on outputs that do not exist yet")]


def _compare(
    approved: Mapping[str, Any], fresh: Mapping[str, Any], settled: Mapping[str, Any], *, prefix: str, same: Any
) -> list[Difference]:
    found = [
        Difference(prefix + name, f"{_actions(fresh[name])} was not approved")
        for name in fresh.keys() - approved.keys()
        if not _left_over(name, fresh[name], approved)
    ]
    for name, was in approved.items():
        real = settled.get(prefix + name, _ABSENT)
        reason = same(was, fresh[name]) if name in fresh else _not_there_yet(was, real)
        if reason:
            found.append(Difference(prefix + name, reason))
    return found


def _resource_differs(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    same = all(was.get(part) == now.get(part) for part in ("actions", "previous_address", "importing"))
    if not same and not _rest_of(was, now):
        return f"{_actions(was)} was approved, {_actions(now)} is planned now"
    return _values_differ(was, now)


def _rest_of(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the actions are what is left of the approved ones after an apply broke off in the middle of them: an
    approved creation left a tainted object, which must go first; of an approved replacement only the creation is left.
    """
    approved, left = sorted(was["actions"]), sorted(now["actions"])
    if approved == ["create"]:
        return left == ["create", "delete"] and now.get("reason") == TAINTED
    return approved == ["create", "delete"] and left == ["create"]


def _left_over(name: str, now: Mapping[str, Any], approved: Mapping[str, Any]) -> bool:
    """Whether it is the old object of an approved replacement that made the new one first, and then broke off."""
    address, deposed, _ = name.partition(" (deposed ")
    was = approved.get(address)
    if not deposed or was is None or now["actions"] != ["delete"] or "delete" not in was["actions"]:
        return False
    return not _differing(was.get("before"), now.get("before"))


def _output_differs(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """An apply that stopped half-way may have set an output already, so setting and changing it are the same."""
    if ("delete" in was["actions"]) != ("delete" in now["actions"]):
        return f"{_actions(was)} was approved, {_actions(now)} is planned now"
    return _values_differ(was, now)


def _values_differ(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What shall be must be as approved. What is may differ: a deletion stays one, and an update to the same values is
    the same update."""
    paths = _differing(was.get("after"), now.get("after"))
    return f"{_listed(paths)} differ from what was approved" if paths else ""


def _not_there_yet(was: Mapping[str, Any], real: Any) -> str:
    """Why a missing address is not simply done already."""
    if "after" not in was:
        return "" if real is _ABSENT else f"{_actions(was)} was approved, but it would stay"
    if real is _ABSENT:
        return f"{_actions(was)} was approved, but it is in neither the plan nor the state"
    paths = _differing(was["after"], real)
    return f"{_actions(was)} was approved, but its real {_listed(paths)} differ from that" if paths else ""


def changed_paths(change: Mapping[str, Any]) -> list[str]:
    """The paths at which an update's values differ from those before."""
    return _differing(change.get("before"), change.get("after"))


def _differing(was: Any, now: Any, path: str = "") -> list[str]:
    """The paths at which ``now`` is not what was approved, or an approved unknown made known."""
    if was == UNKNOWN:
        return []
    if isinstance(was, dict) and isinstance(now, dict) and "$sensitive" not in was and now != UNKNOWN:
        names = sorted(was.keys() | now.keys())
        return [
            found
            for name in names
            for found in _differing(was.get(name), now.get(name), f"{path}.{name}" if path else name)
        ]
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        found = [item for index in range(len(was)) for item in _differing(was[index], now[index], f"{path}[{index}]")]
        return [] if found and _same_set(was, now) else found
    # In Python True equals 1, in JSON it does not.
    return [] if was == now and isinstance(was, bool) is isinstance(now, bool) else [path or "value"]


def _same_set(was: list[Any], now: list[Any]) -> bool:
    """Whether both may be one set. A plan shows sets as lists, sorted with unknown elements last, so an element moves
    when an unknown one becomes known. Only lists that look like that are given the benefit of the doubt."""
    known = [item for item in was if not _holds_unknown(item)]
    if len(known) == len(was) or not _looks_like_a_set(was, known, now):
        return False
    rest = list(now)
    for item in known:
        if item not in rest:
            return False
        rest.remove(item)
    return all(_takes(rest, item) for item in was if _holds_unknown(item))


def _looks_like_a_set(was: list[Any], known: list[Any], now: list[Any]) -> bool:
    if any(now.count(item) > 1 for item in now):
        return False
    if all(isinstance(item, str) for item in now):
        return was[: len(known)] == known == sorted(known) and now == sorted(now)
    return all(isinstance(item, dict) for item in now)


def _takes(rest: list[Any], item: Any) -> bool:
    """Takes one element out of ``rest`` that ``item`` may have become."""
    for candidate in rest:
        if not _differing(item, candidate):
            rest.remove(candidate)
            return True
    return False


def _holds_unknown(value: Any) -> bool:
    if value == UNKNOWN:
        return True
    if isinstance(value, dict):
        return any(_holds_unknown(item) for item in value.values())
    return isinstance(value, list) and any(_holds_unknown(item) for item in value)


def _actions(change: Mapping[str, Any]) -> str:
    return " and ".join(change["actions"])


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
    return ", ".join(paths[:_LISTED]) + more
