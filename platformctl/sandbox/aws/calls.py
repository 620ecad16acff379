"""One request to the AWS API as this process sees it: service, operation, signature, and how its errors are worded.

Knows AWS's wire protocols just well enough to name an operation and to answer an error that SDKs understand.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

from platformctl.sandbox.aws import sigv4

Environ = dict[str, Any]

# Signing names that differ from botocore's name of the service (moto's router wants the latter).
_MODELS = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "elasticfilesystem": "efs",
    "aoss": "opensearchserverless",
}


class Protocol(Enum):
    """How a service words its answers. https://smithy.io/2.0/aws/protocols/"""

    QUERY = "query"
    EC2 = "ec2"
    JSON = "json"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    S3 = "s3"


# Throttling is worded differently per protocol and, for two services, per service. Code and status.
_THROTTLING = {
    Protocol.QUERY: ("Throttling", 400),
    Protocol.EC2: ("RequestLimitExceeded", 503),
    Protocol.JSON: ("ThrottlingException", 400),
    Protocol.REST_JSON: ("ThrottlingException", 429),
    Protocol.REST_XML: ("Throttling", 400),
    Protocol.S3: ("SlowDown", 503),
}

# What a service calls credentials it does not accept: (unknown key, expired session, wrong secret, none at all).
_CREDENTIALS = {
    Protocol.QUERY: {"MissingAuthenticationToken": ("MissingAuthenticationToken", 403)},
    Protocol.EC2: {
        "InvalidClientTokenId": ("AuthFailure", 401),
        "SignatureDoesNotMatch": ("AuthFailure", 401),
        "ExpiredToken": ("RequestExpired", 400),
    },
    Protocol.JSON: {
        "InvalidClientTokenId": ("UnrecognizedClientException", 400),
        "SignatureDoesNotMatch": ("InvalidSignatureException", 400),
        "ExpiredToken": ("ExpiredTokenException", 400),
        "MissingAuthenticationToken": ("MissingAuthenticationTokenException", 400),
    },
    Protocol.REST_JSON: {
        "InvalidClientTokenId": ("UnrecognizedClientException", 403),
        "SignatureDoesNotMatch": ("InvalidSignatureException", 403),
        "ExpiredToken": ("ExpiredTokenException", 403),
        "MissingAuthenticationToken": ("MissingAuthenticationTokenException", 403),
    },
    Protocol.REST_XML: {},
    Protocol.S3: {
        "InvalidClientTokenId": ("InvalidAccessKeyId", 403),
        "ExpiredToken": ("ExpiredToken", 400),
        "MissingAuthenticationToken": ("AccessDenied", 403),
    },
}


@dataclass(frozen=True)
class Call:
    """One request. ``path`` and ``query`` are raw; ``body`` is read whole, so that it can be looked at and replayed."""

    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]
    signature: sigv4.Signature | None
    environ: Environ = field(repr=False)

    @classmethod
    def read(cls, environ: Environ) -> Call:
        """Reads the body and puts a fresh one in its place."""
        body = _read_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        path, _, query = str(environ.get("RAW_URI") or environ.get("PATH_INFO", "/")).partition("?")
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            headers[name.replace("_", "-").lower()] = str(environ.get(name) or "")
        return cls(environ["REQUEST_METHOD"], path, query, body, headers, _signature(headers, query), environ)

    @property
    def service(self) -> str:
        """The signing name; ``s3`` when nothing says otherwise, which is moto's rule too."""
        return self.signature.service if self.signature else "s3"

    @property
    def action(self) -> str:
        """The query protocols' Action, or empty."""
        if self.headers["content-type"].startswith("application/x-www-form-urlencoded"):
            fields = dict(parse_qsl(self.body.decode("utf-8", "replace")))
        else:
            fields = dict(parse_qsl(self.query))
        return fields.get("Action", "")

    @property
    def protocol(self) -> Protocol:
        """Told from the request itself; presigned and unsigned requests included."""
        if "x-amz-target" in self.headers:
            return Protocol.JSON
        if self.service == "s3":
            return Protocol.QUERY if self.signature is None and self.action else Protocol.S3
        if self.service in {"route53", "cloudfront"}:
            return Protocol.REST_XML
        if self.action:
            return Protocol.EC2 if self.service == "ec2" else Protocol.QUERY
        return Protocol.REST_JSON

    @property
    def operation(self) -> str:
        """The API's name of what is asked, such as ``CreateCluster``; empty when the path is none of the service's."""
        if "x-amz-target" in self.headers:
            return self.headers["x-amz-target"].rpartition(".")[2]
        return self.action or self._routed()

    def _routed(self) -> str:
        from moto.moto_server.werkzeug_app import BackendRequest
        from werkzeug.exceptions import NotFound

        try:
            router = _router(_MODELS.get(self.service, self.service))
            operation, _ = router.match(BackendRequest(self.environ))
        except (NotFound, NotImplementedError, ValueError, KeyError):
            return ""
        return str(operation.name)

    @property
    def payload_hash(self) -> str:
        """What the client signed in place of the body."""
        if self.signature and self.signature.presigned and self.service == "s3":
            return "UNSIGNED-PAYLOAD"
        return self.headers.get("x-amz-content-sha256") or hashlib.sha256(self.body).hexdigest()


@lru_cache(maxsize=64)
def _router(service: str) -> Any:
    from botocore.exceptions import UnknownServiceError
    from moto.core.routing import get_service_router

    try:
        return get_service_router(service)
    except UnknownServiceError as error:
        raise ValueError(service) from error


def _read_body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):  # chunked: the server ends the stream itself
        return bytes(stream.read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(stream.read(length)) if length else b""


def _signature(headers: dict[str, str], query: str) -> sigv4.Signature | None:
    try:
        if "authorization" in headers:
            return sigv4.from_headers(headers["authorization"], headers)
        return sigv4.from_query(query)
    except sigv4.NotSigned:
        return None


@dataclass(frozen=True)
class Answer:
    """A response that this process words itself. ``length``: where it is not the body's, as for HEAD."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: int | None = None


def throttling(protocol: Protocol) -> tuple[str, int]:
    """The code and status with which a service of this protocol says "too fast"."""
    return _THROTTLING[protocol]


def credentials_error(protocol: Protocol, code: str) -> tuple[str, int]:
    """The code and status with which a service of this protocol refuses credentials. ``code`` is STS's word for it."""
    return _CREDENTIALS[protocol].get(code, (code, 403))


def error(call: Call, code: str, status: int, message: str) -> Answer:
    """An error as the service's SDKs expect it."""
    request_id = str(uuid4())
    headers = [("x-amzn-RequestId", request_id), ("x-amz-request-id", request_id)]
    protocol = call.protocol
    if call.method == "HEAD":
        body, kind = "", "application/xml"
    elif protocol in {Protocol.JSON, Protocol.REST_JSON}:
        kind = "application/x-amz-json-1.1" if protocol is Protocol.JSON else "application/json"
        body = json.dumps({"__type": code, "message": message})
        headers.append(("x-amzn-ErrorType", code))
    else:
        kind, body = "application/xml", _xml_error(protocol, code, message, request_id)
    return Answer(status, (("Content-Type", kind), *headers), body.encode())


def _xml_error(protocol: Protocol, code: str, message: str, request_id: str) -> str:
    fault = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol is Protocol.EC2:
        wrapped = f"<Response><Errors><Error>{fault}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif protocol is Protocol.S3:
        wrapped = f"<Error>{fault}<RequestId>{request_id}</RequestId></Error>"
    else:
        wrapped = (
            f"<ErrorResponse><Error><Type>Sender</Type>{fault}</Error><RequestId>{request_id}</RequestId>"
            "</ErrorResponse>"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{wrapped}'


def bucket_of(call: Call) -> str:
    """What S3 writes are serialised by: the bucket, however it is addressed."""
    return f"{call.headers.get('host', '')}/{call.path.lstrip('/').partition('/')[0]}"
