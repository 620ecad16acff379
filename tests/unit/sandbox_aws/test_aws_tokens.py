"""Which EKS tokens authenticate somebody, and which do not. The signing itself is botocore's."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from platformctl.core.clock import Clock, SystemClock
from platformctl.sandbox.aws.identity import Principal, Refused
from platformctl.sandbox.aws.tokens import Denied, KubernetesUser, TokenReviewer
from platformctl.testing.clock import FakeClock

USER = "arn:aws:iam::123456789012:user/platform"
KEY, SECRET = "AKIA0000000000000001", "secret"
PRINCIPAL = Principal(KEY, SECRET, "123456789012", USER, USER, "ID")


class OneKey:
    """An IAM that knows one key; ``expired``: and says that its session is over."""

    def __init__(self, principal: Principal = PRINCIPAL, *, expired: bool = False) -> None:
        self.principal = principal
        self.expired = expired

    def known(self, access_key: str, token: str) -> Principal:
        """Raises Refused for every other key."""
        if (access_key, token) != (self.principal.access_key, self.principal.token):
            raise Refused("InvalidClientTokenId", "unknown")
        if self.expired:
            raise Refused("ExpiredToken", "over")
        return self.principal


class OneCluster:
    """An EKS with one cluster and one access entry."""

    def __init__(self, name: str = "dev", entry: str = USER) -> None:
        self.name = name
        self.entry = entry

    def owner(self) -> str:
        """The cluster's name."""
        return self.name

    def user_of(self, principal: Principal) -> KubernetesUser | None:
        """Whoever the entry names."""
        found = KubernetesUser("admin", "uid", ("sandbox:AmazonEKSViewPolicy",))
        return found if principal.principal_arn == self.entry else None


def reviewer(
    clock: Clock | None = None, *, keys: OneKey | None = None, clusters: OneCluster | None = None
) -> TokenReviewer:
    """A reviewer over one key and one cluster."""
    return TokenReviewer(keys or OneKey(), clusters or OneCluster(), clock or SystemClock())


def token(
    cluster: str = "dev",
    *,
    secret: str = SECRET,
    key: str = KEY,
    session: str | None = None,
    action: str = "GetCallerIdentity",
    host: str = "sts.ap-northeast-2.amazonaws.com",
    header: str = "x-k8s-aws-id",
    expires: int = 60,
) -> str:
    """A token as ``aws eks get-token`` and the AWS provider make it."""
    url = f"https://{host}/?Action={action}&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={header: cluster})
    SigV4QueryAuth(Credentials(key, secret, session), "sts", "ap-northeast-2", expires=expires).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def review(reviewing: TokenReviewer, value: str) -> dict[str, object]:
    """The status of a TokenReview."""
    status: dict[str, object] = reviewing.review({"spec": {"token": value}})["status"]
    return status


def test_a_token_for_this_cluster_becomes_the_user_of_its_access_entry() -> None:
    assert review(reviewer(), token()) == {
        "authenticated": True,
        "user": {"username": "admin", "uid": "uid", "groups": ["sandbox:AmazonEKSViewPolicy"]},
    }


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "sts.amazonaws.com"])
def test_the_host_of_the_signed_url_does_not_matter(host: str) -> None:
    assert review(reviewer(), token(host=host))["authenticated"] is True


def test_the_tokens_of_the_aws_provider_carry_no_lifetime_and_still_hold() -> None:
    assert review(reviewer(), token(expires=0))["authenticated"] is True


def test_a_token_of_a_role_session_is_checked_with_the_sessions_secret_and_token() -> None:
    session = Principal("ASIA1", "s2", "123456789012", "arn:x", USER, "ID", token="tok/en+1", session="me")
    good = token(key="ASIA1", secret="s2", session="tok/en+1")
    assert review(reviewer(keys=OneKey(session)), good)["authenticated"] is True
    assert review(reviewer(keys=OneKey(session)), token(key="ASIA1", secret="s2"))["authenticated"] is False


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (token("prod"), "for cluster dev"),
        (token(secret="forged"), "signature"),
        (token(key="AKIA0000000000000002"), "InvalidClientTokenId"),
        (token(action="GetSessionToken"), "GetCallerIdentity"),
        (token(header="x-other"), "must be signed"),
        ("k8s-aws-v1.%%%", "base64url"),
        ("eyJhbGciOi", "starts with"),
        ("k8s-aws-v1." + base64.urlsafe_b64encode(b"https://x/?Action=GetCallerIdentity").decode(), "not signed"),
    ],
)
def test_everything_else_is_refused_with_its_reason(refused: str, said: str) -> None:
    status = review(reviewer(), refused)
    assert status["authenticated"] is False
    assert said in str(status["error"])


def test_a_caller_without_an_access_entry_an_ended_session_and_a_missing_cluster_are_refused() -> None:
    for reviewing, said in (
        (reviewer(clusters=OneCluster(entry="arn:aws:iam::123456789012:role/other")), "no access entry"),
        (reviewer(keys=OneKey(expired=True)), "ExpiredToken"),
        (reviewer(clusters=OneCluster(name="")), "no cluster"),
    ):
        with pytest.raises(Denied, match=said):
            reviewing.authenticate(token())


def test_a_token_ends_after_fifteen_minutes_and_does_not_begin_in_the_future() -> None:
    signed = token()
    now = SystemClock().now()
    for later, held in ((0, True), (14 * 60, True), (15 * 60 + 5, False), (-5 * 60, False)):
        clock = FakeClock(start=datetime.fromtimestamp(now.timestamp() + later, now.tzinfo))
        assert review(reviewer(clock), signed)["authenticated"] is held
