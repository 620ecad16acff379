"""Signatures as AWS documents them and as botocore makes them."""

from __future__ import annotations

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from platformctl.sandbox.aws import sigv4

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html, the suite's `get-vanilla`.
VANILLA = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
)


def test_the_published_test_vector_holds() -> None:
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    signature = sigv4.from_headers(VANILLA, headers)
    assert signature.service == "service"
    assert signature.region == "us-east-1"
    assert matches(signature, SECRET, headers=headers)


def test_another_secret_another_header_or_another_path_does_not_match() -> None:
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    signature = sigv4.from_headers(VANILLA, headers)
    assert not matches(signature, SECRET + "x", headers=headers)
    assert not matches(signature, SECRET, headers={**headers, "host": "example.org"})
    assert not matches(signature, SECRET, headers=headers, path="/other")


@pytest.mark.parametrize(
    ("service", "url"),
    [
        ("eks", "http://127.0.0.1:1/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fname"),
        ("eks", "http://127.0.0.1:1/tags/arn%3Aaws%3Aeks?tagKeys=b&tagKeys=a&tagKeys=x%2Fy"),
        ("s3", "http://127.0.0.1:1/bucket/a%20b/c%2Bd~e?list-type=2&prefix=a%2Fb&empty="),
    ],
)
def test_what_botocore_signs_is_recognised(service: str, url: str) -> None:
    request = AWSRequest("GET", url, headers={"X-Amz-Meta-Spaced": "a   b "})
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(KEY, SECRET), service, "ap-northeast-2").add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()} | {"host": "127.0.0.1:1"}
    signature = sigv4.from_headers(headers["authorization"], headers)
    path, _, query = url.removeprefix("http://127.0.0.1:1").partition("?")
    payload = headers.get("x-amz-content-sha256", sigv4.EMPTY_PAYLOAD)
    assert matches(signature, SECRET, headers=headers, path=path, query=query, payload=payload)


@pytest.mark.parametrize("authorization", ["", "Basic QVdTOng=", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=x"])
def test_what_is_not_signed_is_said_to_be_so(authorization: str) -> None:
    with pytest.raises(sigv4.NotSigned):
        sigv4.from_headers(authorization, {})


def matches(
    signature: sigv4.Signature,
    secret: str,
    *,
    headers: dict[str, str],
    path: str = "/",
    query: str = "",
    payload: str = sigv4.EMPTY_PAYLOAD,
) -> bool:
    """A GET."""
    return sigv4.matches(signature, secret, method="GET", path=path, query=query, headers=headers, payload=payload)
