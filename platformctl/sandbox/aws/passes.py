"""The passwords that ECR's GetAuthorizationToken hands out: signed, good for twelve hours and for one incarnation."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from datetime import UTC, datetime, timedelta

from platformctl.core.clock import Clock

USERNAME = "AWS"
LIFETIME = timedelta(hours=12)


class Passes:
    """Issues and checks. ``key`` is a secret of this process; tokens of an earlier one do not hold."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def issue(self, account: str) -> tuple[str, datetime]:
        """A password for the user AWS, and when it ends."""
        expires = self._clock.now() + LIFETIME
        claims = json.dumps({"account": account, "expires": int(expires.timestamp())}).encode()
        return base64.urlsafe_b64encode(claims + b"." + self._sign(claims)).decode(), expires

    def account(self, authorization: str) -> str | None:
        """The account that an ``Authorization: Basic`` header speaks for; None when it does not hold."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            claims, _, signature = base64.urlsafe_b64decode(password).partition(b".")
            document = json.loads(claims) if hmac.compare_digest(self._sign(claims), signature) else None
        except (binascii.Error, ValueError):
            return None
        if scheme.lower() != "basic" or user != USERNAME or document is None:
            return None
        expires = datetime.fromtimestamp(document["expires"], UTC)
        return str(document["account"]) if self._clock.now() < expires else None

    def _sign(self, claims: bytes) -> bytes:
        return hmac.digest(self._key, claims, "sha256").hex().encode()
