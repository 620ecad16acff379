"""Brings an environment's stacks to what its file says: plan, ask, apply what was approved, verify."""

from platformctl.engine.pipeline import Gate, Parameter, Pipeline, Stage
from platformctl.engine.step import Step
from platformctl.steps.accounts import AccountCheck
from platformctl.steps.stacks import StackApply, StackPlan, StackVerify


def _validate(_item: str) -> tuple[Step, ...]:
    return (AccountCheck(),)


def _plan(stack: str) -> tuple[Step, ...]:
    return (StackPlan(stack=stack),)


def _apply(stack: str) -> tuple[Step, ...]:
    return (StackApply(stack=stack),)


def _verify(stack: str) -> tuple[Step, ...]:
    return (StackVerify(stack=stack),)


PIPELINE = Pipeline(
    name="provision",
    description="Bring an environment's stacks to what its file says.",
    parameters=(Parameter("stacks", "Only these stacks, separated by commas; all when not given."),),
    stages=(
        Stage("validate", _validate),
        Stage("plan", _plan, each="stacks"),
        Stage("apply", _apply, each="stacks", lease=True, gate=Gate("Apply these changes?")),
        Stage("verify", _verify, each="stacks"),
    ),
)
