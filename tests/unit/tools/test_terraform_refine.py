"""Promise 1, as a table: what a fresh plan may differ in from the approved one, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from platformctl.tools.terraform.normalise import UNKNOWN, NormalisedPlan
from platformctl.tools.terraform.refine import TAINTED, refine

CREATE, UPDATE, DELETE, REPLACE = ["create"], ["update"], ["delete"], ["delete", "create"]


def plan(
    changes: dict[str, Any] | None = None,
    outputs: dict[str, Any] | None = None,
    settled: dict[str, Any] | None = None,
    **more: Any,
) -> NormalisedPlan:
    return NormalisedPlan(
        terraform=more.pop("terraform", "1.11.4"),
        providers=more.pop("providers", {"aws": "5.100.0"}),
        changes=changes or {},
        outputs=outputs or {},
        settled=settled or {},
        **more,
    )


def create(**after: Any) -> dict[str, Any]:
    return {"actions": CREATE, "after": after}


def named(approved: NormalisedPlan, fresh: NormalisedPlan) -> list[str]:
    return [str(difference) for difference in refine(approved.to_json(), fresh)]


APPROVED = plan({"a": create(name="x", id=UNKNOWN)}, {"id": {"actions": CREATE, "after": UNKNOWN}})


@pytest.mark.parametrize(
    ("approved", "fresh"),
    [
        pytest.param(APPROVED, APPROVED, id="the same plan"),
        pytest.param(
            plan({"a": create(name="x", vpc=UNKNOWN)}),
            plan({"a": create(name="x", vpc="vpc-1")}),
            id="an unknown became known",
        ),
        pytest.param(
            plan({"a": create(tags=UNKNOWN)}), plan({"a": create(tags={"a": [1, 2]})}), id="an unknown became a tree"
        ),
        pytest.param(
            plan({"a": create(name="x", id=UNKNOWN)}),
            plan(settled={"a": {"name": "x", "id": "i-1"}}),
            id="applied already, as approved",
        ),
        pytest.param(plan({"a": {"actions": DELETE, "before": {"id": "i"}}}), plan(), id="destroyed already"),
        pytest.param(
            plan({"a": {"actions": REPLACE, "after": {"name": "x", "id": UNKNOWN}}}),
            plan(settled={"a": {"name": "x", "id": "new"}}),
            id="replaced already",
        ),
        pytest.param(
            plan({"a": create(name="x", id=UNKNOWN)}),
            plan({"a": {"actions": REPLACE, "before": {}, "after": {"name": "x", "id": UNKNOWN}, "reason": TAINTED}}),
            id="a creation broke off and left a tainted object",
        ),
        pytest.param(
            plan({"a": {"actions": REPLACE, "before": {}, "after": {"name": "x"}}}),
            plan({"a": create(name="x")}),
            id="a replacement broke off when the old object was gone",
        ),
        pytest.param(
            plan({"a": {"actions": ["create", "delete"], "before": {"id": "old"}, "after": {"name": "x"}}}),
            plan({"a (deposed 00000001)": {"actions": DELETE, "before": {"id": "old"}}}, settled={"a": {"name": "x"}}),
            id="a replacement broke off when the new object was made and the old one still there",
        ),
        pytest.param(
            plan(outputs={"id": {"actions": CREATE, "after": UNKNOWN}}),
            plan(outputs={"id": {"actions": UPDATE, "after": "i-2"}}),
            id="an output that a half-done apply has set already",
        ),
        pytest.param(
            plan(outputs={"id": {"actions": CREATE, "after": "x"}}),
            plan(settled={"output.id": "x"}),
            id="an output is set already",
        ),
        pytest.param(
            plan({"a": create(groups=["const", UNKNOWN])}),
            plan({"a": create(groups=["aaa", "const"])}),
            id="a set's unknown element became known and sorts first",
        ),
        pytest.param(
            plan({"a": create(rule=[{"to": 1, "id": UNKNOWN}, {"to": 2, "id": "b"}])}),
            plan({"a": create(rule=[{"to": 2, "id": "b"}, {"to": 1, "id": "a"}])}),
            id="a set of objects in another order",
        ),
    ],
)
def test_what_refines(approved: NormalisedPlan, fresh: NormalisedPlan) -> None:
    assert named(approved, fresh) == []


@pytest.mark.parametrize(
    ("approved", "fresh", "said"),
    [
        pytest.param(plan(), plan({"b": create()}), "b: create was not approved", id="an address more"),
        pytest.param(
            plan({"a": {"actions": UPDATE, "after": {}}}),
            plan({"a": {"actions": REPLACE, "after": {}}}),
            "a: update was approved, delete and create is planned now",
            id="another action",
        ),
        pytest.param(
            plan({"a": create(name="x")}),
            plan({"a": {"actions": REPLACE, "before": {}, "after": {"name": "x"}, "reason": "replace_by_request"}}),
            "a: create was approved, delete and create is planned now",
            id="a replacement that is no tainted left-over",
        ),
        pytest.param(
            plan({"a": {"actions": ["create", "delete"], "before": {"id": "old"}, "after": {"name": "x"}}}),
            plan({"a (deposed 00000001)": {"actions": DELETE, "before": {"id": "no"}}}, settled={"a": {"name": "x"}}),
            "a (deposed 00000001): delete was not approved",
            id="a left-over that is not the approved one",
        ),
        pytest.param(
            plan({"a": create(size=1)}),
            plan({"a": create(size=2)}),
            "a: size differ from what was approved",
            id="another value",
        ),
        pytest.param(
            plan({"a": create(tags={"k": ["v"]})}),
            plan({"a": create(tags={"k": ["w"]})}),
            "a: tags.k[0] differ from what was approved",
            id="another value deep inside",
        ),
        pytest.param(
            plan({"a": create(on=True)}),
            plan({"a": create(on=1)}),
            "a: on differ from what was approved",
            id="true is not 1",
        ),
        pytest.param(
            plan({"a": create(name="x")}),
            plan({"a": create(name=UNKNOWN)}),
            "a: name differ from what was approved",
            id="a known value became unknown",
        ),
        pytest.param(
            plan({"a": create(names=["a", UNKNOWN])}),
            plan({"a": create(names=["b", "a"])}),
            "a: names[0] differ from what was approved",
            id="a list in another order is no set: it is not sorted",
        ),
        pytest.param(
            plan({"a": create(name="x")}),
            plan(settled={"a": {"name": "y"}}),
            "a: create was approved, but its real name differ from that",
            id="made by somebody else, otherwise",
        ),
        pytest.param(
            plan({"a": create(name="x")}),
            plan(),
            "a: create was approved, but it is in neither the plan nor the state",
            id="dropped from the files",
        ),
        pytest.param(
            plan({"a": {"actions": DELETE, "before": {}}}),
            plan(settled={"a": {}}),
            "a: delete was approved, but it would stay",
            id="a deletion that would not happen",
        ),
        pytest.param(
            plan({"a": create(password={"$sensitive": "11"})}),
            plan({"a": create(password={"$sensitive": "22"})}),
            "a: password differ from what was approved",
            id="another secret",
        ),
        pytest.param(
            plan(outputs={"url": {"actions": UPDATE, "after": "x"}}),
            plan(outputs={"url": {"actions": DELETE, "before": "w"}}),
            "output.url: update was approved, delete is planned now",
            id="an output would go",
        ),
        pytest.param(
            plan(),
            plan(providers={"aws": "5.101.0"}),
            "aws: was approved with version 5.100.0, now 5.101.0",
            id="another provider",
        ),
        pytest.param(
            plan(),
            plan(upstream=True),
            "terraform_data.upstream: the plan stands on outputs that do not exist yet",
            id="invented unknowns",
        ),
        pytest.param(
            plan({"b": {"actions": CREATE, "after": {}, "previous_address": "a"}}),
            plan({"b": create()}),
            "b: create was approved, create is planned now",
            id="no longer the same move",
        ),
    ],
)
def test_what_does_not_refine_is_named(approved: NormalisedPlan, fresh: NormalisedPlan, said: str) -> None:
    assert named(approved, fresh) == [said]


def test_an_approval_of_another_schema_approves_nothing() -> None:
    assert refine({**APPROVED.to_json(), "schemaVersion": 0}, APPROVED)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@some.composite
def partly_unknown(draw: some.DrawFn, value: Any) -> Any:
    """The same value with some parts of it unknown."""
    if draw(some.integers(0, 3)) == 0:
        return UNKNOWN
    if isinstance(value, dict):
        return {name: draw(partly_unknown(item)) for name, item in value.items()}
    if isinstance(value, list):
        return [draw(partly_unknown(item)) for item in value]
    return value


@given(JSON, some.data())
def test_making_unknown_values_known_always_refines(value: Any, data: some.DataObject) -> None:
    approved = plan({"a": create(value=data.draw(partly_unknown(value)))})
    assert named(approved, plan({"a": create(value=value)})) == []
    assert named(approved, plan(settled={"a": {"value": value}})) == []


@given(JSON, JSON)
def test_without_unknowns_only_equal_values_refine(was: Any, now: Any) -> None:
    same = repr(was) == repr(now) or (was == now and "True" not in repr((was, now)) and "False" not in repr((was, now)))
    refined = named(plan({"a": create(value=was)}), plan({"a": create(value=now)})) == []
    if refined != same:
        assert _json_equal(was, now) is refined


def _json_equal(was: Any, now: Any) -> bool:
    if isinstance(was, dict) and isinstance(now, dict):
        # An attribute that is null and one that is not there are the same to Terraform.
        return all(_json_equal(was.get(name), now.get(name)) for name in was.keys() | now.keys())
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(_json_equal(a, b) for a, b in zip(was, now, strict=True))
    return bool(was == now) and isinstance(was, bool) is isinstance(now, bool)
