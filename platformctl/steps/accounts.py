"""Steps on accounts: are these the credentials that the environment means?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from platformctl.core.clock import Duration
from platformctl.engine.step import RetryPolicy, Step, StepContext, StepResult, option
from platformctl.steps.stack_site import account_of, shared_session
from platformctl.tools.aws import check_account


@dataclass(frozen=True, kw_only=True)
class AccountCheck(Step):
    """Asks AWS who we are, and stops when it is not the environment's account."""

    kind: ClassVar[str] = "account-check"
    retry: ClassVar[RetryPolicy] = RetryPolicy(attempts=3)
    deadline: ClassVar[Duration] = Duration(120.0)

    account: str = option("Name of one of cloud.accounts; empty for the environment's own.", default="")

    def run(self, context: StepContext) -> StepResult:
        """Raises PreconditionError: credentials absent, expired or of another account, or no such region."""
        if context.environment.cloud.provider != "aws":
            return StepResult(summary="no cloud to ask")
        account = account_of(context.environment, self.account, None)
        identity = check_account(shared_session(account, context.connection))
        return StepResult(
            outputs={"account": identity.account, "arn": identity.arn},
            summary=f"account {identity.account} as {identity.arn.rsplit(':', 1)[-1]}",
        )
