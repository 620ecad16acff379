"""Steps on Terraform stacks: plan, apply what was approved, verify, destroy what was approved.

Each works on one stack; a stage with ``each="stacks"`` runs one per stack in the order of their needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from platformctl.core.clock import Duration
from platformctl.core.errors import StepFailed
from platformctl.engine.step import Artifact, ArtifactKind, Cost, RetryPolicy, Step, StepContext, StepResult, option
from platformctl.steps.stack_apply import apply_approved, nothing_there, proposal, proposal_name, refuse_unknown
from platformctl.steps.stack_drift import without_noise
from platformctl.steps.stack_guards import check_guards
from platformctl.steps.stack_site import Role, Site
from platformctl.steps.stack_terraform import gather_inputs, opened, run_key
from platformctl.tools.terraform.normalise import NormalisedPlan

_PROVIDER = Cost(cores=0.6, memory=700)
"""Terraform with the AWS provider was measured at 610 MB, and waits for the cloud a good part of its time."""
_PLANNING = RetryPolicy(attempts=3, first=Duration(2.0))


@dataclass(frozen=True, kw_only=True)
class StackPlan(Step):
    """Plans a stack and proposes the change; inputs that other stacks do not give yet are unknown in the plan."""

    kind: ClassVar[str] = "stack-plan"
    retry: ClassVar[RetryPolicy] = _PLANNING
    cost: ClassVar[Cost] = _PROVIDER

    stack: str = option("Name of the stack in the environment file.", example="network")
    destroy: bool = option("Plan to destroy the stack instead of applying it.", default=False)

    def run(self, context: StepContext) -> StepResult:
        """Leaves the proposal ``stacks/<name>.json``. Raises StepFailed when the environment's guards forbid it."""
        site = Site.of(context, self.stack)
        key = run_key(context)
        if self.destroy and nothing_there(site):
            return self._result(context, NormalisedPlan(), (), key)
        inputs = gather_inputs(context, site, foresee=not self.destroy)
        if self.destroy:
            refuse_unknown(site, inputs)
        with opened(context, site, Role.PLAN, inputs) as stack:
            plan = stack.plan(context, destroy=self.destroy)
        check_guards(site.environment, self.stack, plan, teardown=self.destroy)
        return self._result(context, plan, inputs.unknown, key)

    def _result(self, context: StepContext, plan: NormalisedPlan, unknown: tuple[str, ...], key: bytes) -> StepResult:
        document = proposal(plan, stack=self.stack, destroy=self.destroy, unknown=unknown, key=key)
        name = proposal_name(self.stack)
        path = context.artifact_path(name, ArtifactKind.PROPOSAL)
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return StepResult(
            changed=not plan.empty,
            artifacts=(Artifact(name, path, ArtifactKind.PROPOSAL),),
            summary=plan.summary if not plan.empty else "no changes",
        )


@dataclass(frozen=True, kw_only=True)
class StackApply(Step):
    """Applies a stack's approved plan, after a fresh plan with the real inputs has been shown to refine it."""

    kind: ClassVar[str] = "stack-apply"
    deadline: ClassVar[Duration] = Duration(3 * 3600.0)
    cost: ClassVar[Cost] = _PROVIDER

    stack: str = option("Name of the stack in the environment file.", example="network")

    def run(self, context: StepContext) -> StepResult:
        """Outputs are the stack's own, without the sensitive ones. Raises StepFailed for what was not approved."""
        return apply_approved(context, self.stack, destroy=False)


@dataclass(frozen=True, kw_only=True)
class StackVerify(Step):
    """Plans a stack again and expects nothing to do."""

    kind: ClassVar[str] = "stack-verify"
    retry: ClassVar[RetryPolicy] = _PLANNING
    cost: ClassVar[Cost] = _PROVIDER

    stack: str = option("Name of the stack in the environment file.", example="network")

    def run(self, context: StepContext) -> StepResult:
        """Raises StepFailed, naming the addresses, when the plan is not empty."""
        if context.dry_run:
            return StepResult(summary="nothing was applied, so there is nothing to verify")
        site = Site.of(context, self.stack)
        inputs = gather_inputs(context, site, foresee=False)
        refuse_unknown(site, inputs)
        with opened(context, site, Role.PLAN, inputs) as stack:
            plan = stack.plan(context, destroy=False)
        news, noise = without_noise(plan, site.stack.drift_noise)
        if news:
            raise StepFailed(
                f"the stack {self.stack} is not as its files say: {plan.summary}: {', '.join(news[:10])}",
                hint="something changes it besides platformctl, or its provider never settles; look at the plan, and "
                f"declare it in stacks.{self.stack}.drift_noise if it is no news",
            )
        return StepResult(summary=f"no changes but known drift of {', '.join(noise)}" if noise else "no changes")


@dataclass(frozen=True, kw_only=True)
class StackDestroy(Step):
    """Destroys a stack as approved, after a fresh plan has been shown to refine the approved one."""

    kind: ClassVar[str] = "stack-destroy"
    deadline: ClassVar[Duration] = Duration(3 * 3600.0)
    cost: ClassVar[Cost] = _PROVIDER

    stack: str = option("Name of the stack in the environment file.", example="network")

    def run(self, context: StepContext) -> StepResult:
        """Raises StepFailed for what was not approved or what the environment's guards protect."""
        return apply_approved(context, self.stack, destroy=True)
