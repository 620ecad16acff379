"""AWS Signature Version 4, recomputed to check what a client sent: in headers, or in the query of a presigned URL.

The rules are AWS's: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Pure functions; who owns which secret is ``identity``'s matter.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_PAYLOAD = hashlib.sha256(b"").hexdigest()
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")


class NotSigned(ValueError):
    """The request carries no signature of this version, or an unreadable one."""


@dataclass(frozen=True)
class Signature:
    """What a request claims: the key's id, the scope ``date/region/service/aws4_request``, the signed headers' names
    in lower case, the time in ISO 8601 basic form, the session's token (empty for long-lived keys)."""

    access_key: str
    scope: str
    signed_headers: tuple[str, ...]
    value: str
    date: str
    token: str = ""
    presigned: bool = False

    @property
    def region(self) -> str:
        """Region of the scope."""
        return self.scope.split("/")[1]

    @property
    def service(self) -> str:
        """The service's signing name, in lower case."""
        return self.scope.split("/")[2].lower()


def from_headers(authorization: str, headers: Mapping[str, str]) -> Signature:
    """``headers`` have names in lower case. Raises NotSigned."""
    if not authorization.startswith(ALGORITHM):
        raise NotSigned("not AWS4-HMAC-SHA256")
    fields = dict(_FIELD.findall(authorization))
    try:
        return _signature(
            fields["Credential"],
            fields["SignedHeaders"],
            fields["Signature"],
            date=headers.get("x-amz-date", ""),
            token=headers.get("x-amz-security-token", ""),
        )
    except KeyError as error:
        raise NotSigned(f"{error} is missing") from None


def from_query(query: str) -> Signature:
    """``query`` is the raw query string. Raises NotSigned."""
    fields = dict(parse_qsl(query, keep_blank_values=True))
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise NotSigned("not AWS4-HMAC-SHA256")
    try:
        return _signature(
            fields["X-Amz-Credential"],
            fields["X-Amz-SignedHeaders"],
            fields["X-Amz-Signature"],
            date=fields["X-Amz-Date"],
            token=fields.get("X-Amz-Security-Token", ""),
            presigned=True,
        )
    except KeyError as error:
        raise NotSigned(f"{error} is missing") from None


def _signature(
    credential: str, signed_headers: str, value: str, *, date: str, token: str, presigned: bool = False
) -> Signature:
    access_key, _, scope = credential.partition("/")
    if scope.count("/") != 3:
        raise NotSigned(f"credential scope {scope!r} is not date/region/service/aws4_request")
    return Signature(access_key, scope, tuple(signed_headers.lower().split(";")), value, date, token, presigned)


def matches(
    signature: Signature, secret: str, *, method: str, path: str, query: str, headers: Mapping[str, str], payload: str
) -> bool:
    """Whether the holder of ``secret`` signed this request.

    ``path`` and ``query`` are raw, as sent; ``headers`` have names in lower case; ``payload`` is what the client put
    in place of the body's hash (``x-amz-content-sha256``), else the body's SHA-256 in hex.
    """
    canonical = "\n".join(
        (
            method,
            _canonical_path(path, signature.service),
            _canonical_query(query),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signature.signed_headers),
            "",
            ";".join(signature.signed_headers),
            payload,
        )
    )
    to_sign = "\n".join((ALGORITHM, signature.date, signature.scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in signature.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), signature.value)


def _canonical_path(path: str, service: str) -> str:
    # S3 encodes a path once, every other service encodes the encoded path again.
    return quote(unquote(path), safe="/~") if service == "s3" else quote(path or "/", safe="/~")


def _canonical_query(query: str) -> str:
    pairs = (part.partition("=")[::2] for part in query.split("&") if part)
    encoded = ((_encode(name), _encode(value)) for name, value in pairs if unquote(name) != "X-Amz-Signature")
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _encode(text: str) -> str:
    return quote(unquote(text), safe="-_.~")
