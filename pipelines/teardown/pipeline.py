"""Destroys an environment's stacks, the last first, after the plan of it was approved and the name repeated."""

from platformctl.engine.pipeline import Gate, Parameter, Pipeline, Stage
from platformctl.engine.step import Step
from platformctl.steps.accounts import AccountCheck
from platformctl.steps.stacks import StackDestroy, StackPlan


def _validate(_item: str) -> tuple[Step, ...]:
    return (AccountCheck(),)


def _plan(stack: str) -> tuple[Step, ...]:
    return (StackPlan(stack=stack, destroy=True),)


def _destroy(stack: str) -> tuple[Step, ...]:
    return (StackDestroy(stack=stack),)


PIPELINE = Pipeline(
    name="teardown",
    description="Destroy an environment's stacks, in the reverse order of their needs.",
    parameters=(
        Parameter("confirm", "The environment's name, once more.", default=None),
        Parameter("stacks", "Only these stacks, separated by commas; all when not given."),
    ),
    stages=(
        Stage("validate", _validate),
        Stage("plan", _plan, each="stacks", reverse=True),
        Stage(
            "destroy",
            _destroy,
            each="stacks",
            reverse=True,
            lease=True,
            gate=Gate("Destroy all of this?", confirm="confirm"),
        ),
    ),
)
