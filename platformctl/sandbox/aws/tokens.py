"""EKS tokens checked as EKS checks them, and the answer to the API server's authentication webhook.

A token is ``k8s-aws-v1.`` and the unpadded base64url of a presigned STS GetCallerIdentity URL that names the cluster in
a signed header (https://github.com/kubernetes-sigs/aws-iam-authenticator). AWS asks STS; here the signature is computed
again with the secret that the simulated IAM keeps. The URL's host is never contacted.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from platformctl.core.clock import Clock
from platformctl.sandbox.aws import sigv4
from platformctl.sandbox.aws.identity import Keys, Principal, Refused

log = logging.getLogger(__name__)

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
# X-Amz-Expires is ignored, as EKS ignores it: the AWS provider's own tokens say 0.
LIFETIME = timedelta(minutes=15)
_SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class KubernetesUser:
    """Whom an access entry makes of a caller."""

    username: str
    uid: str
    groups: tuple[str, ...]


class Clusters(Protocol):
    """What the reviewer needs of the simulated EKS."""

    def user_of(self, principal: Principal) -> KubernetesUser | None:
        """The caller's user in the cluster that owns the API server; None without an access entry."""
        ...

    def owner(self) -> str:
        """The name of the cluster that owns the API server; empty for none."""
        ...


class Denied(Exception):
    """The token does not authenticate anybody; the message says why and goes to the log, not to the caller."""


class TokenReviewer:
    """Answers TokenReview v1 documents."""

    def __init__(self, keys: Keys, clusters: Clusters, clock: Clock) -> None:
        self._keys = keys
        self._clusters = clusters
        self._clock = clock

    def review(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The review with its status. Raises KeyError or TypeError when the document is no TokenReview."""
        answer: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        try:
            user = self.authenticate(str(document["spec"]["token"]))
        except Denied as denied:
            log.info("token refused: %s", denied)
            return {**answer, "status": {"authenticated": False, "error": str(denied)}}
        status = {
            "authenticated": True,
            "user": {"username": user.username, "uid": user.uid, "groups": list(user.groups)},
        }
        return {**answer, "status": status}

    def authenticate(self, token: str) -> KubernetesUser:
        """The user a token stands for. Raises Denied."""
        owner = self._clusters.owner()
        if not owner:
            raise Denied("no cluster exists")
        principal = self.caller(token, owner)
        user = self._clusters.user_of(principal)
        if user is None:
            raise Denied(f"{principal.principal_arn} has no access entry in cluster {owner}")
        return user

    def caller(self, token: str, cluster: str) -> Principal:
        """Who signed the token for this cluster. Raises Denied."""
        url = urlsplit(_url_of(token))
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if query.get("Action") != "GetCallerIdentity":
            raise Denied("the signed request is not GetCallerIdentity")
        try:
            signature = sigv4.from_query(url.query)
        except sigv4.NotSigned as error:
            raise Denied(f"the URL is not signed: {error}") from error
        if CLUSTER_HEADER not in signature.signed_headers or "host" not in signature.signed_headers:
            raise Denied(f"host and {CLUSTER_HEADER} must be signed")
        self._check_time(signature.date)
        try:
            principal = self._keys.known(signature.access_key, signature.token)
        except Refused as refused:
            raise Denied(f"{refused.code}: {refused.message}") from refused
        headers = {"host": url.netloc, CLUSTER_HEADER: cluster}
        signed = sigv4.matches(
            signature,
            principal.secret,
            method="GET",
            path=url.path or "/",
            query=url.query,
            headers=headers,
            payload=sigv4.EMPTY_PAYLOAD,
        )
        if not signed:
            raise Denied(f"the signature is not one of {principal.arn} for cluster {cluster}")
        return principal

    def _check_time(self, date: str) -> None:
        try:
            signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise Denied(f"X-Amz-Date {date!r} is no time") from None
        now = self._clock.now()
        if not now - LIFETIME <= signed <= now + _SKEW:
            raise Denied(f"signed at {date}, which is not within the last {LIFETIME.seconds // 60} minutes")


def _url_of(token: str) -> str:
    if not token.startswith(PREFIX):
        raise Denied(f"a token starts with {PREFIX}")
    encoded = token.removeprefix(PREFIX)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Denied("the token is no base64url of a URL") from None
