"""One stack of one environment as Terraform and AWS meet it: its account, backend, directory and state.

Turns the environment's words into the plain values that the tools take. Runs nothing.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from platformctl.core.errors import Problem, SpecError, UsageError
from platformctl.core.secret import Secret
from platformctl.engine.step import StepContext
from platformctl.spec.environment import Environment, Stack
from platformctl.tools.aws import Account, S3ObjectStore, Session, session
from platformctl.tools.terraform.generated import AssumeRole, LocalBackend, Provider, S3Backend
from platformctl.tools.terraform.state import LockInfo, State, read_lock, read_state
from platformctl.tools.terraform.workspace import WorkingCopy

ENVIRONMENT_TAG, STACK_TAG = "platformctl/environment", "platformctl/stack"
"""Tags that every resource of a stack carries, so that one which is in no state can be found again."""

RESERVED = ("leases", "runs")
"""Folders of the state bucket that hold other things than states."""


class Role(StrEnum):
    """As whom: the role that may only read, or the one that may change things."""

    PLAN = "plan"
    APPLY = "apply"


@dataclass(frozen=True)
class Site:
    """A stack's place. ``connection`` reaches the sandbox's AWS; empty for a real one."""

    environment: Environment
    name: str
    root: Path
    connection: Mapping[str, str | Secret]

    @classmethod
    def of(cls, context: StepContext, name: str) -> Site:
        """The site of a stack, by the name of the environment file. Raises UsageError when there is none."""
        return cls(context.environment, name, context.root, context.connection)

    def __post_init__(self) -> None:
        if self.name not in self.environment.stacks:
            near = difflib.get_close_matches(self.name, self.environment.stacks, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"the environment {self.environment.name} has no stack {self.name!r}",
                hint=f"{meant}there are: {', '.join(self.environment.stacks) or 'none'}",
            )

    @property
    def stack(self) -> Stack:
        """What the environment file says about it."""
        return self.environment.stacks[self.name]

    def sibling(self, name: str) -> Site:
        """Another stack of the same environment."""
        return Site(self.environment, name, self.root, self.connection)

    @property
    def working_directory(self) -> Path:
        """``.platform/terraform/<env>/<stack>``."""
        return self.root / ".platform" / "terraform" / self.environment.name / self.name

    def working_copy(self, source: Path) -> WorkingCopy:
        """The working copy of the stack in ``source``."""
        return WorkingCopy(source=source, directory=self.working_directory)

    def account(self, role: Role) -> Account:
        """The account that the stack's resources live in."""
        return account_of(self.environment, self.stack.account or "", role)

    def session(self, role: Role) -> Session:
        """A session in the stack's account."""
        return shared_session(self.account(role), self.connection)

    def backend(self, role: Role) -> LocalBackend | S3Backend:
        """Where the state lives: the environment's bucket, or a file of this root."""
        state = self.environment.state
        if state is None:
            folder = self.root / ".platform" / "state" / self.environment.name
            return LocalBackend(path=folder / f"{self.name}.tfstate")
        owner = account_of(self.environment, "", role)
        return S3Backend(
            bucket=state.bucket,
            key=state_key(self.environment, self.name),
            region=state.region or owner.region,
            assume=_assumed(owner),
            kms_key=state.kms_key or "",
            sandbox=self.environment.cloud.sandbox,
        )

    def provider(self, role: Role) -> Provider | None:
        """What the stack's AWS providers are told; None for an environment without a cloud."""
        if self.environment.cloud.provider != "aws":
            return None
        account = self.account(role)
        return Provider(
            region=account.region,
            account=account.id,
            tags=self.tags,
            assume=_assumed(account),
            sandbox=self.environment.cloud.sandbox,
        )

    @property
    def tags(self) -> dict[str, str]:
        """The environment's tags and the two that say whose a resource is."""
        return {**self.environment.tags, ENVIRONMENT_TAG: self.environment.name, STACK_TAG: self.name}

    def state(self) -> State:
        """The stack's state, empty when there is none. Raises UnreadableOutput, PreconditionError, TransientError."""
        content, where = self._stored("")
        return read_state(content, where)

    def lock(self) -> LockInfo | None:
        """Who holds the state's lock. A local state's lock ends with its process, so it never needs to be looked at."""
        return None if self.environment.state is None else read_lock(self._stored(".tflock")[0])

    def _stored(self, suffix: str) -> tuple[bytes | None, str]:
        backend = self.backend(Role.PLAN)
        if isinstance(backend, LocalBackend):
            path = backend.path
            return (path.read_bytes() if path.is_file() else None), f"{path}"
        owner = account_of(self.environment, "", Role.PLAN)
        client = shared_session(owner, self.connection).client("s3", backend.region)
        store = S3ObjectStore(client, backend.bucket, owner=owner.id)
        found = store.get(backend.key + suffix)
        return (found.data if found else None), f"{store.describe()}/{backend.key}"


def state_key(environment: Environment, stack: str) -> str:
    """The key of a stack's state in the bucket. Raises SpecError for an environment named like a folder of ours there:
    who may read run records could read its states."""
    if environment.name in RESERVED:
        raise SpecError(
            [
                Problem(
                    f"{environment.name}.yaml",
                    0,
                    f"an environment with a state bucket can't be named {environment.name}",
                )
            ],
            hint=f"the bucket keeps other things under {' and '.join(f'{name}/' for name in RESERVED)}",
        )
    state = environment.state
    prefix = (state.prefix or "").strip("/") if state else ""
    return "/".join(filter(None, (prefix, environment.name, f"{stack}.tfstate")))


def account_of(environment: Environment, name: str, role: Role | None) -> Account:
    """One of the environment's accounts, the empty name being its own; ``role`` None for the caller's credentials.

    Raises UsageError when the environment has no account of that name.
    """
    cloud = environment.cloud
    if name and name not in cloud.accounts:
        raise UsageError(
            f"the environment {environment.name} has no account {name!r}",
            hint=f"there are: {', '.join(cloud.accounts) or 'none'}",
        )
    place = cloud.accounts[name] if name else cloud
    roles = {Role.PLAN: place.plan_role, Role.APPLY: place.apply_role}
    return Account(
        region=place.region or cloud.region,
        id=place.account,
        role=(roles[role] or "") if role else "",
        external_id=place.external_id or "",
        web_identity=f"{cloud.web_identity_token or ''}" if role else "",
        profile=cloud.profile or "",
    )


def _assumed(account: Account) -> AssumeRole | None:
    if not account.role:
        return None
    return AssumeRole(account.role_arn, account.external_id, account.web_identity)


def shared_session(account: Account, connection: Mapping[str, str | Secret]) -> Session:
    """One session per account and connection in this process: making one takes longer than most calls."""
    return _session(account, tuple(sorted(connection.items(), key=lambda item: item[0])))


@functools.lru_cache(maxsize=32)
def _session(account: Account, connection: tuple[tuple[str, str | Secret], ...]) -> Session:
    return session(account, dict(connection))
