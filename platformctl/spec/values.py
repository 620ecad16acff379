"""The small types that the environment's models are made of: names, accounts, durations, secret references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from platformctl.core.clock import Duration
from platformctl.core.secret import SecretRef, SecretSource


class Model(BaseModel):
    """What all models share: nothing unknown is accepted, nothing can be changed, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Shape:
    """What a text must look like: a pattern for the whole of it, and the same ``said`` to the person who wrote it.

    The value itself is never part of the message: an address may hold a password.
    """

    pattern: str
    said: str
    longest: int = 1024

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """pydantic's hook: the text's own schema, then ours."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """pydantic's hook: what editors check."""
        return {**handler(schema), "pattern": f"^({self.pattern})$", "maxLength": self.longest}

    def check(self, text: str) -> str:
        """Raises ValueError."""
        if len(text) > self.longest:
            raise ValueError(f"is longer than {self.longest} characters")
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"must be {self.said}")
        return text


_KEBAB = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_KEBAB_SAID = "lower-case letters, digits and single dashes, and begin with a letter"
_STACK_OUTPUT = r"[a-z][a-z0-9-]*\.[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_./-]+)?"
_URL = r"https?://(?![^/\s]*@)[^/\s]+(/\S*)?"

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Shape(_KEBAB, _KEBAB_SAID, 32)]
EnvironmentName = Annotated[str, Shape(_KEBAB, _KEBAB_SAID, 24)]
"""Shorter than other names: AWS allows 64 characters for a role, and prefix, environment and stack share them."""
ObjectName = Annotated[str, Shape(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "a name of a Kubernetes object", 63)]
AccountId = Annotated[str, Shape(r"\d{12}", "an AWS account id: 12 digits")]
Region = Annotated[str, Shape(r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region, such as ap-northeast-2", 32)]
Role = Annotated[
    str,
    Shape(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+|[A-Za-z0-9+=,.@_-]+", "the name or the ARN of an IAM role"),
]
Address = Annotated[str, Shape(_URL, "an http or https address without credentials in it")]
OutputRef = Annotated[str, Shape(_STACK_OUTPUT, "`stack.output`, or `stack.output.key` for one value of a map")]
NameOrOutput = Annotated[
    str, Shape(rf"[A-Za-z0-9][A-Za-z0-9_-]*|{_STACK_OUTPUT}", "a name, or `stack.output` of the stack that has it")
]
Folder = Annotated[
    str,
    Shape(
        r"(?![/~-])(?!(.*/)?\.\.(/|$))[^\s\\]+",
        "a path inside the repository: relative, without `..`",
    ),
]
MachinePath = Annotated[str, Shape(r"(~/|/)[^\0]+", "a path of the machine: absolute, or below ~/", 4096)]
Variable = Annotated[str, Shape(r"[A-Za-z_][A-Za-z0-9_-]*", "a name of a Terraform variable", 128)]


def _duration(value: object) -> object:
    if isinstance(value, Duration):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a duration such as 90s, 1h30m or 2d")  # noqa: TRY004 - pydantic's contract
    duration = Duration.parse(value)
    if not duration.seconds:
        raise ValueError("must be longer than nothing")
    return duration


def _secret(value: object) -> object:
    if isinstance(value, SecretRef):
        return value
    sources = [source.value for source in SecretSource]
    if isinstance(value, str):
        raise ValueError("must be a reference such as {env: NAME}; a secret's value is never written here")  # noqa: TRY004
    if not isinstance(value, Mapping) or len(given := [key for key in value if key in sources]) != 1:
        raise ValueError(f"must be a reference with one of {', '.join(sources)}, such as {{env: NAME}}")
    if set(value) - {*sources, "key", "account"} or not all(isinstance(item, str) and item for item in value.values()):
        raise ValueError(f"a secret reference holds texts only: one of {', '.join(sources)}, and key or account")
    source = SecretSource(given[0])
    allowed = _QUALIFIERS.get(source, frozenset())
    if wrong := sorted(set(value) - {source.value} - allowed):
        raise ValueError(f"{' and '.join(wrong)} can't stand beside {source.value}")
    _REFERENCE_SHAPES.get(source, _ANY).check(value[source.value])
    return SecretRef(source, value[source.value], value.get("key", ""), value.get("account", ""))


_QUALIFIERS = {
    SecretSource.AWS_SECRETS_MANAGER: frozenset({"key", "account"}),
    SecretSource.SSM: frozenset({"account"}),
}
_ANY = Shape(r"\S.*", "a name", 2048)
_REFERENCE_SHAPES = {
    SecretSource.ENV: Shape(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable"),
    SecretSource.FILE: Shape(r"(~/|/)[^\0]+", "a path of the machine: absolute, or below ~/", 4096),
}


def secret_document(reference: SecretRef) -> dict[str, str]:
    """The reference as the environment file has it."""
    extra = {name: text for name, text in (("key", reference.key), ("account", reference.account)) if text}
    return {reference.source.value: reference.name, **extra}


_SECRET_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{source.value: {"type": "string", "minLength": 1} for source in SecretSource},
        "key": {"type": "string", "minLength": 1},
        "account": {"type": "string", "minLength": 1},
    },
    "additionalProperties": False,
    "oneOf": [{"required": [source.value]} for source in SecretSource],
}

DurationField = Annotated[
    Duration,
    BeforeValidator(_duration),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|[dhms]))+$", "examples": ["90s", "1h30m"]}),
]
SecretField = Annotated[
    SecretRef, BeforeValidator(_secret), PlainSerializer(secret_document), WithJsonSchema(_SECRET_SCHEMA)
]
