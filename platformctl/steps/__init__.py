"""Where tools meet the engine: one file per subject, each step a frozen dataclass of typed inputs with ``run``.

``CATALOGUE`` lists every kind; nothing registers itself.
"""

from __future__ import annotations

from platformctl.engine.step import Catalogue, Step
from platformctl.steps.accounts import AccountCheck
from platformctl.steps.stacks import StackApply, StackDestroy, StackPlan, StackVerify

_STEPS: tuple[type[Step], ...] = (AccountCheck, StackApply, StackDestroy, StackPlan, StackVerify)

CATALOGUE: Catalogue = {step.kind: step for step in _STEPS}
