"""What a plan may never do, whoever approves it: the environment's guards. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from platformctl.core.errors import StepFailed
from platformctl.tools.terraform.normalise import NormalisedPlan

_LISTED = 10


def check_guards(
    stack: str, plan: NormalisedPlan, *, max_destroys: int | None, never_destroy: Iterable[str], teardown: bool
) -> None:
    """Raises StepFailed, naming the addresses.

    ``max_destroys``: of one stack's plan, replacements included; a teardown is asked for by name and may destroy all.
    ``never_destroy``: patterns in which ``*`` stands for any text; they hold for a teardown too.
    """
    patterns = [_pattern(text) for text in never_destroy]
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


def _pattern(text: str) -> re.Pattern[str]:
    """Only ``*`` is special: in a shell's pattern the brackets of ``subnet["a"]`` would be too."""
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _listed(addresses: Iterable[str]) -> str:
    names = list(addresses)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
