"""What becomes of ``terraform show -json``: no-ops go, unknowns and secrets are marked, nothing secret is left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from platformctl.core.errors import UnreadableOutput
from platformctl.tools.terraform.normalise import UNKNOWN, NormalisedPlan, normalise
from platformctl.tools.terraform.refine import refine

KEY = b"k" * 32


def shown(*resources: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any) -> str:
    changes = [{"mode": "managed", "type": "t", "name": "n", **resource} for resource in resources]
    document = {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes}
    return json.dumps({**document, "output_changes": outputs or {}, **more})


def resource(address: str, actions: list[str], **change: Any) -> dict[str, Any]:
    return {"address": address, "change": {"actions": actions, "before": None, **change}}


def read(text: str, key: bytes = KEY) -> NormalisedPlan:
    return normalise(text, key, {})


def test_no_ops_and_reads_are_no_changes_but_their_values_are_known() -> None:
    plan = read(
        shown(
            resource("a", ["no-op"], after={"id": "1"}),
            {**resource("data.b", ["read"], after_unknown=True), "mode": "data"},
            outputs={"o": {"actions": ["no-op"], "after": 7}},
        )
    )
    assert plan.empty
    assert plan.settled == {"a": {"id": "1"}, "output.o": 7}


def test_unknown_values_are_marked_where_they_are() -> None:
    after = {"name": "x", "subnets": [None, "c"]}
    unknown = {"id": True, "subnets": [True, False], "block": [{"id": True}], "tags": {}}
    plan = read(shown(resource("a", ["create"], after={**after, "block": [{"port": 1}]}, after_unknown=unknown)))
    assert plan.changes["a"]["after"] == {
        "name": "x",
        "id": UNKNOWN,
        "subnets": [UNKNOWN, "c"],
        "block": [{"port": 1, "id": UNKNOWN}],
    }


def test_a_real_key_that_looks_like_a_marker_is_not_taken_for_one() -> None:
    plan = read(shown(resource("a", ["create"], after={"$unknown": True})))
    assert plan.changes["a"]["after"] != UNKNOWN
    assert refine(plan.to_json(), read(shown(resource("a", ["create"], after={"$unknown": False}))))


def test_secrets_are_compared_by_a_keyed_digest() -> None:
    first = shown(resource("a", ["create"], after={"password": "hunter2"}, after_sensitive={"password": True}))
    other = shown(resource("a", ["create"], after={"password": "hunter3"}, after_sensitive={"password": True}))
    assert refine(read(first).to_json(), read(first)) == ()
    assert refine(read(first).to_json(), read(other)) != ()
    assert refine(read(first, b"other").to_json(), read(first)) != ()


@given(some.sampled_from(["before", "after"]), some.booleans(), some.booleans())
def test_a_canary_never_survives(side: str, whole: bool, nested: bool) -> None:
    canary = "canary-3c1d"
    value: Any = {canary: [canary, {"deep": canary}]} if nested else canary
    mark: Any = True if whole else {"secret": True}
    actions = ["delete"] if side == "before" else ["update"]
    change = {side: {"secret": value}, f"{side}_sensitive": mark}
    outputs = {"o": {"actions": ["create"], "after": value, "after_sensitive": True, "after_unknown": False}}
    plan = read(
        shown(
            resource("a", actions, **change),
            resource("b", ["no-op"], after={"secret": value}, after_sensitive=mark),
            outputs=outputs,
            variables={"token": {"value": canary}},
        )
    )
    assert canary not in json.dumps(plan.to_json()) + json.dumps(plan.settled)


def test_a_copy_that_nobody_marked_is_masked_too() -> None:
    after = {"input": {"password": "hunter2"}, "output": {"text": "it is hunter2!"}, "name": "x"}
    plan = read(shown(resource("a", ["create"], after=after, after_sensitive={"input": {"password": True}})))
    assert "hunter2" not in json.dumps(plan.to_json())
    assert plan.changes["a"]["after"]["name"] == "x"


def test_a_secret_that_is_partly_unknown_binds_the_part_that_is_known() -> None:
    marks = {"after_sensitive": {"login": True}}
    approved = shown(
        resource("a", ["create"], after={"login": {"user": "u"}}, after_unknown={"login": {"password": True}}, **marks)
    )
    for user, differs in (("u", False), ("v", True)):
        after = {"login": {"user": user, "password": "p"}}
        assert (
            bool(refine(read(approved).to_json(), read(shown(resource("a", ["create"], after=after, **marks)))))
            is differs
        )


def test_moves_imports_and_left_over_objects_are_shown() -> None:
    plan = read(
        shown(
            {**resource("b", ["no-op"], after={}), "previous_address": "a"},
            resource("c", ["no-op"], after={}, importing={"id": "i-1"}),
            {**resource("d", ["delete"], before={"id": "old"}), "deposed": "00000001"},
        )
    )
    assert sorted(plan.changes) == ["b", "c", "d (deposed 00000001)"]
    assert plan.summary == "+0 ~0 -1, 1 moved, 1 imported"


def test_what_stands_for_another_stack_is_no_change_but_is_remembered() -> None:
    plan = read(shown(resource("terraform_data.upstream", ["create"], after={})))
    assert plan.empty
    assert plan.upstream


def test_replacements_count_as_created_and_destroyed() -> None:
    plan = read(shown(resource("a", ["delete", "create"], after={}, replace_paths=[["name"]])))
    assert (plan.summary, plan.destroys) == ("+1 ~0 -1", ("a",))
    assert plan.changes["a"]["replace_paths"] == [["name"]]


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": "2.0"}', "Terraform will perform", shown(errored=True)])
def test_what_is_no_whole_plan_is_refused(text: str) -> None:
    with pytest.raises(UnreadableOutput):
        read(text)
