"""Secrets that live in AWS: Secrets Manager and the SSM parameter store. Environment and files are not its business."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Redactor, Secret, SecretRef, SecretSource
from platformctl.tools.aws.failures import code_of, translated
from platformctl.tools.aws.session import Session

_NOT_FOUND = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})


class AwsSecretResolver:
    """Resolves references to AWS Secrets Manager (``aws_secret``) and SSM (``ssm``).

    ``sessions`` gives the session of a named account of the environment, the empty name being its own. Every value is
    told to ``redactor`` before it is returned.
    """

    def __init__(self, sessions: Callable[[str], Session], redactor: Redactor) -> None:
        self._sessions = sessions
        self._redactor = redactor

    def resolve(self, reference: SecretRef) -> Secret:
        """Raises PreconditionError, naming the reference and never the value, when there is none."""
        session = self._sessions(reference.account)
        text = self._fetch(session, reference)
        value = _field(text, reference) if reference.key else text
        if not value:
            raise PreconditionError(f"the secret {reference} is empty", hint="store a value under that name")
        secret = Secret(value, str(reference))
        if value is not text:
            self._redactor.add(Secret(text, str(reference)))
        self._redactor.add(secret)
        return secret

    def _fetch(self, session: Session, reference: SecretRef) -> str:
        from botocore.exceptions import ClientError

        with translated(f"read the secret {reference}"):
            try:
                return _read(session, reference)
            except ClientError as error:
                if code_of(error.response) not in _NOT_FOUND:
                    raise
                raise PreconditionError(
                    f"there is no secret {reference} in account {session.account.id or 'of the credentials'}, "
                    f"region {session.account.region}",
                    hint="create it there, or correct the reference in the environment file",
                ) from error


def _read(session: Session, reference: SecretRef) -> str:
    match reference.source:
        case SecretSource.AWS_SECRETS_MANAGER:
            answer: dict[str, Any] = session.client("secretsmanager").get_secret_value(SecretId=reference.name)
            text = answer.get("SecretString")
            if not isinstance(text, str):
                raise PreconditionError(f"the secret {reference} is binary", hint="store it as text")
            return text
        case SecretSource.SSM:
            answer = session.client("ssm").get_parameter(Name=reference.name, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        case _:
            raise ValueError(f"{reference} does not live in AWS")


def _field(text: str, reference: SecretRef) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or reference.key not in document:
        raise PreconditionError(
            f"the secret {reference.source}:{reference.name} has no field {reference.key!r}",
            hint="the secret must be a JSON object that has the field",
        )
    value = document[reference.key]
    return value if isinstance(value, str) else json.dumps(value)
