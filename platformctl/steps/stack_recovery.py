"""What a dead apply leaves behind, and what may be done about it: a lock, a state that was not stored, orphans.

A lock is removed only when it is ours and its holder is dead on this machine; a resource that carries the stack's tags
and is in no state stops the run, because another apply would make a second one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from platformctl.core.errors import StepFailed, TransientError
from platformctl.engine.step import ArtifactKind, StepContext
from platformctl.process.children import host
from platformctl.steps.stack_site import ENVIRONMENT_TAG, STACK_TAG, Role
from platformctl.steps.stack_terraform import OpenStack
from platformctl.tools.aws.failures import translated
from platformctl.tools.terraform.state import LockInfo, State

_LISTED = 20


def journal_lock(context: StepContext, stack: OpenStack) -> None:
    """Remembers the lock that our Terraform has just taken, in the run's events and beside it."""
    lock = stack.site.lock()
    if lock is not None:
        context.journal_lock(lock.id)
        _note(context, stack).write_text(json.dumps({"lock": lock.id, "host": host()}), encoding="utf-8")


def forget_lock(context: StepContext, stack: OpenStack) -> None:
    """The apply ended in good order; Terraform has released its lock."""
    _note(context, stack).unlink(missing_ok=True)


def recover(context: StepContext, stack: OpenStack) -> None:
    """Puts right what an earlier apply of this run left, before anything is planned.

    Raises TransientError when somebody else holds the lock, StepFailed when resources are in no state.
    """
    lock = stack.site.lock()
    if lock is not None and not _ours(context, stack, lock):
        raise TransientError(
            f"the state of {stack.site.name} is locked by {lock.who} since {lock.created} "
            f"({lock.operation}, id {lock.id})",
            hint="wait until it has finished; if it is dead, `terraform force-unlock` removes the lock by its id",
        )
    if lock is not None:
        put_right(context, stack, lock)
    elif stack.copy.errored_state.is_file():
        _push(context, stack)


def put_right(context: StepContext, stack: OpenStack, lock: LockInfo) -> None:
    """After our Terraform died with the lock in its hand: its state, what it made, then the lock.

    The lock goes last: as long as there are orphans nothing else may work on this state.
    """
    if not stack.copy.errored_state.is_file():
        _refuse_orphans(stack, lock)
    context.warn(f"removed the lock {lock.id} of {stack.site.name}: its Terraform is dead")
    stack.terraform.force_unlock(lock.id)
    forget_lock(context, stack)
    if stack.copy.errored_state.is_file():
        _push(context, stack)


def _push(context: StepContext, stack: OpenStack) -> None:
    stack.terraform.push_state(stack.copy.errored_state)
    stack.copy.errored_state.rename(stack.copy.errored_state.with_suffix(".tfstate.stored"))
    context.warn(f"stored the state that an interrupted apply of {stack.site.name} had left")


def _refuse_orphans(stack: OpenStack, lock: LockInfo) -> None:
    orphans = [arn for arn in _tagged(stack) if not _holds(stack.site.state(), arn)]
    if not orphans:
        return
    name = stack.site.name
    more = f" and {len(orphans) - _LISTED} more" if len(orphans) > _LISTED else ""
    raise StepFailed(
        f"Terraform was killed in mid-apply: {len(orphans)} resources carry the tags of {name} but are not in its "
        f"state: {', '.join(orphans[:_LISTED])}{more}",
        hint=f"delete them, or `terraform import` them in {stack.site.working_directory}; then resume the run "
        f"(the state stays locked until then, id {lock.id})",
    )


def _tagged(stack: OpenStack) -> Iterator[str]:
    """The ARNs of what carries the stack's tags. The tagging API does not know every kind of resource; what it does
    not list shows as "already exists" when it is made again."""
    if not any(address.endswith("/hashicorp/aws") for address in stack.providers):
        return
    wanted = ((ENVIRONMENT_TAG, stack.site.environment.name), (STACK_TAG, stack.site.name))
    with translated(f"look for resources of {stack.site.name}"):
        client = stack.site.session(Role.APPLY).client("resourcegroupstaggingapi")
        pages = client.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": key, "Values": [value]} for key, value in wanted]
        )
        for page in pages:
            yield from (entry["ResourceARN"] for entry in page["ResourceTagMappingList"])


def _holds(state: State, arn: str) -> bool:
    return state.holds(arn) or state.holds(arn.rsplit("/", 1)[-1]) or state.holds(arn.rsplit(":", 1)[-1])


def _ours(context: StepContext, stack: OpenStack, lock: LockInfo) -> bool:
    """Whether the lock was taken by a Terraform of this run on this machine. The engine has waited until every
    process that it journaled here is gone; about another machine nobody can know that."""
    journaled = context.interrupted_children()
    hosts = {child["host"] for child in journaled if "host" in child}
    if any(child.get("lock") == lock.id for child in journaled):
        return hosts <= {host()}
    try:
        note = json.loads(_note(context, stack).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(note.get("lock") == lock.id and note.get("host") == host())


def _note(context: StepContext, stack: OpenStack) -> Path:
    return context.artifact_path(f"locks/{stack.site.name}.json", ArtifactKind.PRIVATE)
