"""Which account the credentials belong to. A wrong one is found before anything is done."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from platformctl.core.errors import PreconditionError
from platformctl.tools.aws.failures import translated
from platformctl.tools.aws.session import Session


@dataclass(frozen=True)
class Identity:
    """Who the credentials say we are: ``account`` is 12 digits, ``arn`` the user or the assumed role."""

    account: str
    arn: str


def check_account(session: Session) -> Identity:
    """Asks STS who we are.

    Raises PreconditionError: no credentials, expired ones, another account than ``session.account`` names, a region
    that does not exist; TransientError when AWS can't be reached.
    """
    _check_region(session.account.region)
    with translated("ask AWS who we are"):
        answer: dict[str, Any] = session.client("sts").get_caller_identity()
    identity = Identity(account=str(answer["Account"]), arn=str(answer["Arn"]))
    expected = session.account.id
    if expected and identity.account != expected:
        raise PreconditionError(
            f"the AWS credentials belong to account {identity.account} ({identity.arn}), not to {expected}",
            hint="use the credentials of the environment's account, or correct cloud.account",
        )
    return identity


def _check_region(region: str) -> None:
    """A region that botocore has never heard of has no host name, so the call would only fail slowly and vaguely."""
    import botocore.session

    boto = botocore.session.Session()
    known = {name for part in boto.get_available_partitions() for name in boto.get_available_regions("sts", part)}
    if region in known:
        return
    near = difflib.get_close_matches(region, sorted(known), n=1)
    raise PreconditionError(
        f"AWS has no region {region!r}" + (f"; did you mean {near[0]}?" if near else ""),
        hint="correct cloud.region; if the region is newer than the installed botocore, update botocore",
    )
