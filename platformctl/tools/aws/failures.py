"""What AWS answers when it refuses, as our errors: the cause in one line, what to do next, the right class.

Codes are those of the services' API references ("Common errors") and of S3's list of error codes. No call is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from platformctl.core.errors import PlatformError, PreconditionError, ToolError, TransientError

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
UNKNOWN_CALLER = frozenset(
    {
        "AuthFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "UnauthorizedOperation"}
)
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
BROKEN = frozenset(
    {"500", "502", "503", "504", "InternalError", "InternalFailure", "ServiceUnavailable", "RequestTimeout"}
)
WRONG_REGION = frozenset(
    {"301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
)

CREDENTIALS_HINT = "sign in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turns what botocore raises inside into PreconditionError, TransientError or ToolError.

    ``doing`` completes "cannot ...": ``read s3://bucket/key``.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise answered(doing, error.response) from error
    except BotoCoreError as error:
        raise unanswered(doing, error) from error


def answered(doing: str, response: Mapping[str, Any]) -> PlatformError:
    """The error for an answer that refuses."""
    code, status = code_of(response), status_of(response)
    if code in THROTTLED or status == 429:
        return TransientError(f"cannot {doing}: AWS throttles ({code})", retry_after=retry_after(response))
    if code in BROKEN or status >= 500:
        return TransientError(f"cannot {doing}: AWS answered {status} {code}", retry_after=retry_after(response))
    refused = _refused_caller(code) or _refused_bucket(code, status, response)
    if refused is None:
        return ToolError(f"cannot {doing}: {code}: {_said(response)}")
    cause, hint = refused
    return PreconditionError(f"cannot {doing}: {cause}", hint=hint)


def _refused_caller(code: str) -> tuple[str, str] | None:
    if code in EXPIRED:
        return "the AWS credentials have expired", CREDENTIALS_HINT
    if code in UNKNOWN_CALLER:
        return f"AWS does not know the credentials ({code})", CREDENTIALS_HINT
    return None


def _refused_bucket(code: str, status: int, response: Mapping[str, Any]) -> tuple[str, str] | None:
    error = response.get("Error", {})
    if code == "NoSuchBucket":
        return (
            f"the bucket {error.get('BucketName') or 'it names'} does not exist",
            "platformctl env bootstrap --env NAME",
        )
    if code in WRONG_REGION or status == 301:
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        where = error.get("Region") or headers.get("x-amz-bucket-region") or "another region"
        return f"the bucket is in {where}", "set state.region to the bucket's region"
    if code in DENIED or status == 403:
        return f"access denied ({_said(response)})", "check the role's policies and that this is the right account"
    return None


def unanswered(doing: str, error: Exception) -> PlatformError:
    """The error for a call that had no answer: no credentials, no such profile, no connection."""
    from botocore import exceptions as boto

    for kinds, hint in (
        ((boto.NoCredentialsError, boto.PartialCredentialsError, boto.TokenRetrievalError), CREDENTIALS_HINT),
        ((boto.SSOError, boto.UnauthorizedSSOTokenError, boto.CredentialRetrievalError), CREDENTIALS_HINT),
        ((boto.ProfileNotFound, boto.ConfigNotFound, boto.InvalidConfigError), "check AWS_PROFILE and ~/.aws/config"),
        ((boto.NoRegionError, boto.InvalidRegionError), "check cloud.region"),
        ((boto.SSLError,), "check AWS_CA_BUNDLE and the proxy"),
    ):
        if isinstance(error, kinds):
            cause = "there are no AWS credentials" if isinstance(error, boto.NoCredentialsError) else f"{error}"
            return PreconditionError(f"cannot {doing}: {cause}", hint=hint)
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | boto.ConnectionClosedError):
        return TransientError(f"cannot {doing}: {error}", hint="check the network and cloud.region")
    return ToolError(f"cannot {doing}: {error}")


def _said(response: Mapping[str, Any]) -> str:
    return str(response.get("Error", {}).get("Message", "")).strip().rstrip(".") or code_of(response)


def code_of(response: Mapping[str, Any]) -> str:
    """The error's code; for a HEAD, which has no body, the HTTP status."""
    return str(response.get("Error", {}).get("Code", ""))


def status_of(response: Mapping[str, Any]) -> int:
    """The HTTP status, 0 when there was none."""
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def retry_after(response: Mapping[str, Any]) -> float | None:
    """The seconds that the server asked to wait, None when it did not say."""
    wanted = str(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", ""))
    return float(wanted) if wanted.isdigit() else None
