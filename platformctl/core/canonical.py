"""Canonical JSON (RFC 8785) and the SHA-256 of it: what an approval is bound to."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

_SAFE_INTEGER = 2**53 - 1  # RFC 8785 section 3.2.2.3: numbers are IEEE 754 doubles


def canonical(document: Any) -> bytes:
    """The one byte form of a JSON value. Integers beyond 2^53 become strings: RFC 8785 cannot hold them exactly."""
    return rfc8785.dumps(_representable(document))


def digest(document: Any) -> str:
    """``sha256:`` and 64 hex digits of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(document)).hexdigest()


def _representable(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int() if abs(value) > _SAFE_INTEGER:
            return f"{value}"
        case dict():
            return {str(key): _representable(item) for key, item in value.items()}
        case list() | tuple():
            return [_representable(item) for item in value]
        case _:
            return value
