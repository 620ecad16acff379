"""Which steps a stage has for an environment, what they are called and what they need."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from platformctl.core.errors import UsageError
from platformctl.engine.expand import ALONE, ItemGraph, expand, selected
from platformctl.engine.pipeline import Stage
from platformctl.engine.step import Step, StepContext, StepResult, option


@dataclass(frozen=True, kw_only=True)
class Plan(Step):
    """Plans."""

    kind = "plan"
    item: str = option("Which.", default="")

    def run(self, context: StepContext) -> StepResult:
        return StepResult()


@dataclass(frozen=True, kw_only=True)
class Check(Plan):
    """Checks."""

    kind = "check"


GRAPH: ItemGraph = {"network": (), "registry": (), "cluster": ("network",), "addons": ("cluster", "registry")}
ONE = Stage("plan", lambda item: (Plan(item=item),), each="stacks")
TWO = Stage("apply", lambda item: (Plan(item=item), Check(item=item)), each="stacks")


def edges(stage: Stage, graph: ItemGraph, items: frozenset[str] | None = None) -> dict[str, tuple[str, ...]]:
    return {step.name: step.needs for step in expand(stage, graph, frozenset(graph) if items is None else items)}


def test_one_step_for_each_item_with_the_items_needs_as_edges() -> None:
    assert edges(ONE, GRAPH) == {
        "plan/network": (),
        "plan/registry": (),
        "plan/cluster": ("plan/network",),
        "plan/addons": ("plan/cluster", "plan/registry"),
    }


def test_several_steps_of_one_item_run_in_order_and_carry_their_kind() -> None:
    assert edges(TWO, {"network": (), "cluster": ("network",)}) == {
        "apply/network/plan": (),
        "apply/network/check": ("apply/network/plan",),
        "apply/cluster/plan": ("apply/network/check",),
        "apply/cluster/check": ("apply/cluster/plan",),
    }


def test_reverse_turns_the_items_round_but_not_the_steps_of_one_item() -> None:
    stage = Stage("destroy", TWO.steps, each="stacks", reverse=True)
    assert edges(stage, {"network": (), "cluster": ("network",)}) == {
        "destroy/network/plan": ("destroy/cluster/check",),
        "destroy/network/check": ("destroy/network/plan",),
        "destroy/cluster/plan": (),
        "destroy/cluster/check": ("destroy/cluster/plan",),
    }


def test_a_stage_without_each_names_its_steps_by_kind_and_numbers_what_comes_twice() -> None:
    stage = Stage("verify", lambda _: (Plan(), Check(), Check()))
    assert edges(stage, ALONE) == {
        "verify/plan": (),
        "verify/check": ("verify/plan",),
        "verify/check-2": ("verify/check",),
    }


def test_a_left_out_item_passes_on_what_it_needs() -> None:
    chosen = frozenset({"network", "addons"})
    assert edges(ONE, GRAPH, chosen) == {"plan/network": (), "plan/addons": ("plan/network",)}


def test_an_item_without_steps_passes_on_what_it_needs() -> None:
    stage = Stage("plan", lambda item: () if item == "cluster" else (Plan(item=item),), each="stacks")
    assert edges(stage, GRAPH)["plan/addons"] == ("plan/registry", "plan/network")


def test_a_parameter_named_like_each_limits_the_items() -> None:
    assert selected(ONE, GRAPH, {"stacks": " network,cluster "}) == {"network", "cluster"}
    assert selected(ONE, GRAPH, {"stacks": ""}) == frozenset(GRAPH)
    assert selected(ONE, GRAPH, {"services": "orders"}) == frozenset(GRAPH)


def test_an_unknown_item_is_refused_with_did_you_mean() -> None:
    with pytest.raises(UsageError, match="stacks has no 'netwrok'") as caught:
        selected(ONE, GRAPH, {"stacks": "netwrok"})
    assert "did you mean 'network'?" in caught.value.hint
