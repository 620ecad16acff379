"""A secret value that cannot be printed by accident, and a reference to one.

``Secret`` is deliberately not a ``str``: the type checker refuses it in an argv, and formatting it shows where it came
from.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Secret:
    """A value that must never be shown. ``source`` says where it came from and may be shown."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str = "unnamed") -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The value itself. Call it as late as possible and never store the result."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash(hashlib.sha256(self._bytes()).digest())

    def _bytes(self) -> bytes:
        # A variable or file name that is no valid UTF-8 arrives as surrogates (PEP 383).
        return self._value.encode("utf-8", "surrogatepass")

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not serialised")


class SecretSource(StrEnum):
    """Where a secret may live. The values are the keys of the environment file."""

    ENV = "env"
    FILE = "file"
    AWS_SECRETS_MANAGER = "aws_secret"
    SSM = "ssm"


@dataclass(frozen=True)
class SecretRef:
    """Names a secret without holding it.

    ``key`` picks one field of a JSON document (AWS Secrets Manager); ``account`` names one of the environment's
    further accounts, empty for its own.
    """

    source: SecretSource
    name: str
    key: str = ""
    account: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.name}" + (f"#{self.key}" if self.key else "")


class SecretResolver(Protocol):
    """Turns references into secrets; registers each value for redaction before it returns it."""

    def resolve(self, reference: SecretRef) -> Secret:
        """Raises PreconditionError, naming the reference and never the value, when there is none."""
        ...


class Redactor(Protocol):
    """Knows the values that must not be shown. ``process.redact`` holds the real one; every sink asks it."""

    def add(self, secret: Secret) -> None:
        """From now on the value, and its usual encodings, are replaced wherever text passes."""
        ...

    def redact(self, text: str) -> str:
        """The text with every known secret replaced by ``***``."""
        ...
