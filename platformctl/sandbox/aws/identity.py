"""Who calls: from an access key to its secret, account and ARN, as moto's IAM and STS keep them.

moto itself answers anybody. Here an unknown key, a wrong secret, a stale session and an expired one are told apart,
each by the code AWS uses, so that the same mistakes fail in the sandbox as they do in AWS.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from platformctl.core.clock import Clock

_PARTITION = "aws"


@dataclass(frozen=True)
class Principal:
    """Somebody whose key we know. ``arn`` is what GetCallerIdentity says; ``principal_arn`` is what access entries
    name: the user, or the role with its path. ``session`` is the role session's name, empty for users."""

    access_key: str
    secret: str
    account: str
    arn: str
    principal_arn: str
    user_id: str
    token: str = ""
    session: str = ""
    expires: datetime | None = None


class Refused(Exception):
    """The credentials do not hold. ``code``: InvalidClientTokenId, SignatureDoesNotMatch or ExpiredToken."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Keys(Protocol):
    """What checks signatures needs to know; ``Identities`` is the real one."""

    def known(self, access_key: str, token: str) -> Principal:
        """The key's owner, its session token checked. Raises Refused."""
        ...


class Identities:
    """Looks keys up in moto's backends; remembers which of them were declared expired."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expired: set[str] = set()
        self._lock = threading.Lock()

    def expire(self, access_key: str) -> None:
        """From now on the key is answered as an expired session."""
        with self._lock:
            self._expired.add(access_key)

    def known(self, access_key: str, token: str) -> Principal:
        """The key's owner, its session token checked. Raises Refused."""
        found = lookup(access_key)
        if found is None or found.token != token:
            raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
        if access_key in self._expired or (found.expires is not None and found.expires <= self._clock.now()):
            raise Refused("ExpiredToken", "The security token included in the request is expired")
        return found


def lookup(access_key: str) -> Principal | None:
    """The owner of a key id, whatever was signed with it; None for an unknown or inactive one."""
    from moto.iam.models import iam_backends

    for account, partitions in list(iam_backends.items()):
        key = partitions[_PARTITION].access_keys.get(access_key)
        if key is not None and key.status == "Active":
            return _of_user(partitions[_PARTITION], account, key) if key.user_name else _of_session(account, key)
    return None


def _of_user(iam: Any, account: str, key: Any) -> Principal | None:
    user = iam.users.get(key.user_name)
    if user is None:
        return None
    return Principal(key.access_key_id, key.secret_access_key, account, user.arn, user.arn, user.id)


def _of_session(account: str, key: Any) -> Principal | None:
    from moto.sts.models import sts_backends

    role = sts_backends[account][_PARTITION].get_assumed_role_from_access_key(key.access_key_id)
    if role is None:
        return None
    return Principal(
        key.access_key_id,
        key.secret_access_key,
        account,
        role.arn,
        role.role_arn,
        role.user_id,
        token=role.session_token,
        session=role.session_name,
        expires=_aware(role.expiration),
    )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
