"""Verified apply: plan again, compare with what was approved, apply exactly that plan. Promise 1 of the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from platformctl.core.canonical import digest
from platformctl.core.errors import PreconditionError, StepFailed
from platformctl.engine.step import StepContext, StepResult
from platformctl.steps.stack_guards import check_guards
from platformctl.steps.stack_recovery import forget_lock, journal_lock, put_right, recover
from platformctl.steps.stack_site import Role, Site
from platformctl.steps.stack_terraform import Inputs, OpenStack, gather_inputs, opened, plan_path, run_key
from platformctl.tools.terraform.adapter import Planned, TerraformKilled
from platformctl.tools.terraform.normalise import NormalisedPlan
from platformctl.tools.terraform.refine import Difference, refine

_LISTED = 5


def proposal_name(stack: str) -> str:
    """The name of a stack's proposal among the run's artifacts."""
    return f"stacks/{stack}.json"


def proposal(
    plan: NormalisedPlan, *, stack: str, destroy: bool, unknown: tuple[str, ...], key: bytes
) -> dict[str, Any]:
    """What is shown and approved. The key's own digest is in it only when it matters: sensitive values can be compared
    only under the key they were masked with, and the key never leaves its machine."""
    document = {**plan.to_json(), "stack": stack, "destroy": destroy, "unknownInputs": sorted(unknown)}
    masked = "$sensitive" in json.dumps(document)
    return {**document, "key": _key_digest(key)} if masked else document


def apply_approved(context: StepContext, name: str, *, destroy: bool) -> StepResult:
    """Applies (or destroys) one stack as approved. Raises StepFailed when the fresh plan is not what was approved."""
    site = Site.of(context, name)
    if destroy and nothing_there(site):
        return StepResult(summary="nothing to destroy")
    inputs = gather_inputs(context, site, foresee=False)
    if inputs.unknown and context.dry_run:
        return StepResult(summary=f"would apply what was approved, once {', '.join(inputs.unknown)} exist")
    refuse_unknown(site, inputs)
    with opened(context, site, Role.APPLY, inputs) as stack:
        recover(context, stack)
        approved = context.approved(proposal_name(name))
        planned, plan = _plan_again(context, stack, approved or {}, destroy=destroy)
        _refuse_unapproved(context, name, plan, approved, destroy=destroy)
        check_guards(site.environment, name, plan, teardown=destroy)
        if plan.empty or context.dry_run:
            planned.path.unlink(missing_ok=True)
            summary = "no changes" if plan.empty else f"would apply {plan.summary}"
            return StepResult(outputs=dict(site.state().outputs), summary=summary)
        _apply(context, stack, planned, plan)
    return StepResult(changed=True, outputs=dict(site.state().outputs), summary=plan.summary)


def nothing_there(site: Site) -> bool:
    """Whether the stack has no state to destroy: planning that would still ask for inputs that may be gone."""
    state = site.state()
    return not state.resources and not state.outputs and not state.secrets


def _plan_again(
    context: StepContext, stack: OpenStack, approved: Mapping[str, Any], *, destroy: bool
) -> tuple[Planned, NormalisedPlan]:
    """Reads the real values of what stays as it is only when something was approved that may be done already."""
    context.progress("planning again, to compare with what was approved")
    planned = stack.terraform.plan(plan_path(context, stack.site.name), destroy=destroy)
    awaited = approved.get("changes") or approved.get("outputs")
    show = stack.terraform.show_all if awaited else stack.terraform.show
    return planned, show(planned, run_key(context), stack.providers)


def _refuse_unapproved(
    context: StepContext, name: str, plan: NormalisedPlan, approved: Mapping[str, Any] | None, *, destroy: bool
) -> None:
    if approved is None:
        # A dry run opens no gate and applies nothing.
        if context.dry_run or (plan.empty and not plan.upstream):
            return
        raise StepFailed(
            f"nobody has approved the changes of {name} ({plan.summary})",
            hint="plan it in a stage before a gate; an apply without an approved plan is refused",
        )
    differences = [*_other_question(context, approved, destroy=destroy), *refine(approved, plan)]
    if differences:
        more = f" (and {len(differences) - _LISTED} more)" if len(differences) > _LISTED else ""
        named = "; ".join(str(item) for item in differences[:_LISTED])
        raise StepFailed(
            f"the fresh plan of {name} is not what was approved: {named}{more}",
            hint="nothing was applied to this stack; look at what changed, then plan and approve in a new run",
        )


def _other_question(context: StepContext, approved: Mapping[str, Any], *, destroy: bool) -> list[Difference]:
    found = []
    if bool(approved.get("destroy")) is not destroy:
        found.append(Difference("(plan)", f"{'an apply' if destroy else 'a destruction'} was approved"))
    if approved.get("key", _key_digest(run_key(context))) != _key_digest(run_key(context)):
        found.append(Difference("(plan)", "its sensitive values were masked on another machine and can't be compared"))
    return found


def _apply(context: StepContext, stack: OpenStack, planned: Planned, plan: NormalisedPlan) -> None:
    total, done = sum(len(change["actions"]) for change in plan.changes.values()), 0

    def progress(text: str) -> None:
        nonlocal done
        done += " complete after " in text
        context.progress(text, current=done, total=total)

    context.checkpoint()
    try:
        stack.terraform.apply(
            planned.path,
            progress=progress,
            on_start=lambda: journal_lock(context, stack),
        )
    except TerraformKilled:
        lock = stack.site.lock()
        if lock is not None:
            put_right(context, stack, lock)
        raise
    finally:
        planned.path.unlink(missing_ok=True)
    forget_lock(context, stack)


def refuse_unknown(site: Site, inputs: Inputs) -> None:
    """Raises PreconditionError for inputs that no stack gives yet: only a plan may stand on unknowns."""
    missing = [f"{name} ({site.stack.needs[name]})" for name in inputs.unknown]
    if missing:
        raise PreconditionError(
            f"the stack {site.name} needs outputs that do not exist: {', '.join(missing)}",
            hint="apply the stacks that give them first",
        )


def _key_digest(key: bytes) -> str:
    return digest(key.hex())
