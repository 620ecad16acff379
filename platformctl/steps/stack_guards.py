"""What a plan may never do, whoever approves it: the environment's guards. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from platformctl.core.errors import StepFailed
from platformctl.spec.environment import Environment
from platformctl.tools.terraform.normalise import NormalisedPlan

_LISTED = 10


def check_guards(environment: Environment, stack: str, plan: NormalisedPlan, *, teardown: bool) -> None:
    """Raises StepFailed, naming the addresses.

    ``max_destroys`` counts one stack's plan, replacements included; a teardown is asked for by name and may destroy
    all. ``never_destroy`` and a stack's ``protected`` hold for a teardown too.
    """
    max_destroys = environment.guards.max_destroys
    if environment.stacks[stack].protected and plan.destroys:
        raise StepFailed(
            f"the plan of {stack}, which is protected, would destroy {_listed(plan.destroys)}",
            hint=f"change the stack so that they stay, or take `protected` off stacks.{stack} by review",
        )
    patterns = [address_pattern(text) for text in environment.guards.never_destroy]
    forbidden = [address for address in plan.destroys if any(pattern.fullmatch(address) for pattern in patterns)]
    if forbidden:
        raise StepFailed(
            f"the plan of {stack} would destroy what guards.never_destroy protects: {_listed(forbidden)}",
            hint="change the stack so that they stay, or take them out of guards.never_destroy by review",
        )
    if not teardown and max_destroys is not None and len(plan.destroys) > max_destroys:
        raise StepFailed(
            f"the plan of {stack} would destroy {len(plan.destroys)} resources, guards.max_destroys allows "
            f"{max_destroys}: {_listed(plan.destroys)}",
            hint="make the change in smaller steps, or raise guards.max_destroys by review",
        )


def address_pattern(text: str) -> re.Pattern[str]:
    """Addresses as the environment file writes them: ``*`` stands for any text. Nothing else is special: in a shell's
    pattern the brackets of ``subnet["a"]`` would be too."""
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _listed(addresses: Iterable[str]) -> str:
    names = list(addresses)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
