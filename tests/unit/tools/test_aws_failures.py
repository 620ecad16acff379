"""What AWS answers when it refuses becomes one line, a hint and the right class."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as boto

from platformctl.core.errors import PlatformError, PreconditionError, ToolError, TransientError
from platformctl.tools.aws.failures import answered, translated, unanswered


def answer(code: str, status: int = 400, headers: dict[str, str] | None = None, **error: str) -> dict[str, Any]:
    return {
        "Error": {"Code": code, "Message": "said AWS.", **error},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }


@pytest.mark.parametrize(
    ("response", "kind", "cause"),
    [
        (answer("ExpiredToken"), PreconditionError, "have expired"),
        (answer("InvalidClientTokenId", 403), PreconditionError, "does not know the credentials"),
        (answer("AccessDenied", 403), PreconditionError, "access denied (said AWS)"),
        (answer("403", 403), PreconditionError, "access denied"),
        (answer("NoSuchBucket", 404, BucketName="acme"), PreconditionError, "the bucket acme does not exist"),
        (answer("301", 301, {"x-amz-bucket-region": "eu-west-1"}), PreconditionError, "the bucket is in eu-west-1"),
        (answer("SlowDown", 503), TransientError, "throttles"),
        (answer("InternalError", 500), TransientError, "500 InternalError"),
        (answer("ValidationError"), ToolError, "ValidationError: said AWS"),
    ],
)
def test_an_answer_that_refuses_is_explained(response: dict[str, Any], kind: type[PlatformError], cause: str) -> None:
    error = answered("read s3://acme/x", response)
    assert type(error) is kind
    assert error.message.startswith("cannot read s3://acme/x: ")
    assert cause in error.message
    assert error.hint or kind is not PreconditionError


def test_the_servers_own_wish_to_wait_is_kept() -> None:
    error = answered("list", answer("Throttling", 429, {"retry-after": "7"}))
    assert isinstance(error, TransientError)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (boto.NoCredentialsError(), PreconditionError),
        (boto.ProfileNotFound(profile="nobody"), PreconditionError),
        (boto.InvalidRegionError(region_name="not a region"), PreconditionError),
        (boto.SSLError(endpoint_url="https://x", error="bad"), PreconditionError),
        (boto.EndpointConnectionError(endpoint_url="https://x"), TransientError),
        (boto.ReadTimeoutError(endpoint_url="https://x"), TransientError),
        (boto.ParamValidationError(report="no"), ToolError),
    ],
)
def test_a_call_without_an_answer_is_explained(raised: Exception, kind: type[PlatformError]) -> None:
    assert type(unanswered("ask", raised)) is kind


def test_our_own_errors_pass_unchanged() -> None:
    ours = PreconditionError("mine")
    with pytest.raises(PreconditionError) as caught, translated("do it"):
        raise ours
    assert caught.value is ours
