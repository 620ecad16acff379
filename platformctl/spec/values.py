"""The small types that the environment's models are made of: names, accounts, durations, secret references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from platformctl.core.clock import Duration
from platformctl.core.secret import SecretRef, SecretSource

NAME_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
NAME_LONGEST = 40
"""AWS allows 63 characters for a bucket and 64 for a role; what stacks append to an environment's name must fit too."""


class Model(BaseModel):
    """What all models share: nothing unknown is accepted, nothing can be changed, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


def _name(text: str) -> str:
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError("must be lower-case letters, digits and single dashes, and begin with a letter")
    if len(text) > NAME_LONGEST:
        raise ValueError(f"is longer than {NAME_LONGEST} characters")
    return text


def _account(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        # ValueError, not TypeError: only that becomes a message of pydantic's.
        raise ValueError(f"must be quoted: {str(value).zfill(12)!r} (a number loses leading zeros)")  # noqa: TRY004
    if isinstance(value, str) and value and not re.fullmatch(r"\d{12}", value):
        raise ValueError("must be an AWS account id: 12 digits")
    return value


def _region(text: str) -> str:
    if text and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", text):
        raise ValueError("must be an AWS region, such as ap-northeast-2")
    return text


def _duration(value: object) -> object:
    if isinstance(value, Duration):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a duration such as 90s, 1h30m or 2d")  # noqa: TRY004 - pydantic's contract
    return Duration.parse(value)


def _secret(value: object) -> object:
    if isinstance(value, SecretRef):
        return value
    sources = [source.value for source in SecretSource]
    if isinstance(value, str):
        raise ValueError("must be a reference such as {env: NAME}; a secret's value is never written here")  # noqa: TRY004
    if not isinstance(value, Mapping) or len(given := [key for key in value if key in sources]) != 1:
        raise ValueError(f"must be a reference with one of {', '.join(sources)}, such as {{env: NAME}}")
    unknown = set(value) - {*sources, "key", "account"}
    if unknown or not all(isinstance(item, str) and item for item in value.values()):
        raise ValueError(f"a secret reference holds texts only: one of {', '.join(sources)}, and key or account")
    source = SecretSource(given[0])
    if source in {SecretSource.ENV, SecretSource.FILE} and len(value) > 1:
        raise ValueError("key and account belong to aws_secret and ssm")
    return SecretRef(source, value[source.value], value.get("key", ""), value.get("account", ""))


def secret_document(reference: SecretRef) -> dict[str, str]:
    """The reference as the environment file has it."""
    extra = {name: text for name, text in (("key", reference.key), ("account", reference.account)) if text}
    return {reference.source.value: reference.name, **extra}


_SECRET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Where a secret is: env, file, aws_secret (with key) or ssm; account names a further account.",
    "properties": {
        **{source.value: {"type": "string", "minLength": 1} for source in SecretSource},
        "key": {"type": "string"},
        "account": {"type": "string"},
    },
    "additionalProperties": False,
    "oneOf": [{"required": [source.value]} for source in SecretSource],
}

Name = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": 40})
]
AccountId = Annotated[str, BeforeValidator(_account), WithJsonSchema({"type": "string", "pattern": r"^(\d{12})?$"})]
Region = Annotated[str, AfterValidator(_region)]
Text = Annotated[str, Field(min_length=1)]
DurationField = Annotated[
    Duration,
    BeforeValidator(_duration),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|[dhms]))+$", "examples": ["90s", "1h30m"]}),
]
SecretField = Annotated[
    SecretRef, BeforeValidator(_secret), PlainSerializer(secret_document), WithJsonSchema(_SECRET_SCHEMA)
]
Address = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]
"""An http or https address."""
