"""Who the credentials belong to, roles, and secrets that live in AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Secret, SecretRef, SecretSource
from platformctl.tools.aws import Account, AwsSecretResolver, Session, check_account, session
from tests.contract.aws.conftest import OWNER, REGION


class Told:
    """A redactor that remembers what it was told."""

    def __init__(self) -> None:
        self.secrets: list[Secret] = []

    def add(self, secret: Secret) -> None:
        self.secrets.append(secret)

    def redact(self, text: str) -> str:
        return text


def test_the_callers_account_is_checked(aws: Session) -> None:
    assert check_account(aws).account == OWNER


def test_another_account_is_refused_and_both_are_named(connection: Mapping[str, str | Secret]) -> None:
    other = session(Account(region=REGION, id="999999999999"), connection)
    with pytest.raises(PreconditionError, match=r"account 123456789012 .*, not to 999999999999"):
        check_account(other)


def test_a_region_that_does_not_exist_is_refused_with_its_neighbour(connection: Mapping[str, str | Secret]) -> None:
    with pytest.raises(PreconditionError, match="did you mean ap-northeast-2"):
        check_account(session(Account(region="ap-northeast-22"), connection))


def test_a_role_is_assumed(connection: Mapping[str, str | Secret]) -> None:
    account = Account(region=REGION, id=OWNER, role="platform-plan")
    identity = check_account(session(account, connection))
    assert identity.arn == f"arn:aws:sts::{OWNER}:assumed-role/platform-plan/platformctl"


def test_secrets_come_from_both_stores_and_are_told_to_the_redactor(aws: Session) -> None:
    aws.client("secretsmanager").create_secret(Name="slack", SecretString=json.dumps({"token": "xoxb-1"}))
    aws.client("ssm").put_parameter(Name="/git/token", Value="ghp-1", Type="SecureString")
    told = Told()
    resolver = AwsSecretResolver(lambda _account: aws, told)
    slack = resolver.resolve(SecretRef(SecretSource.AWS_SECRETS_MANAGER, "slack", key="token"))
    git = resolver.resolve(SecretRef(SecretSource.SSM, "/git/token"))
    assert (slack.reveal(), git.reveal()) == ("xoxb-1", "ghp-1")
    assert {"xoxb-1", "ghp-1"} <= {secret.reveal() for secret in told.secrets}


@pytest.mark.parametrize("source", [SecretSource.AWS_SECRETS_MANAGER, SecretSource.SSM])
def test_an_absent_secret_is_named_with_account_and_region(aws: Session, source: SecretSource) -> None:
    with pytest.raises(PreconditionError, match=f"no secret {source}:absent in account {OWNER}, region {REGION}"):
        AwsSecretResolver(lambda _account: aws, Told()).resolve(SecretRef(source, "absent"))


def test_an_absent_field_is_named_and_the_value_is_not(aws: Session) -> None:
    aws.client("secretsmanager").create_secret(Name="database", SecretString=json.dumps({"password": "hunter2"}))
    with pytest.raises(PreconditionError, match="no field 'user'") as caught:
        AwsSecretResolver(lambda _account: aws, Told()).resolve(
            SecretRef(SecretSource.AWS_SECRETS_MANAGER, "database", key="user")
        )
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
