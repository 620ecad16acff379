"""The WSGI application on the AWS port: our own routes, then credentials, faults and order, then moto.

What moto would answer in ways that mislead an SDK is put right here: anybody's credentials are accepted, presigned
STS URLs reach S3, what is not implemented is an HTML page that providers retry for minutes, and two conditional writes
to one S3 object may both win. Knows no AWS service's semantics.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from http.client import responses as phrases
from typing import Any

from platformctl.core.clock import Clock
from platformctl.sandbox.aws import calls, sigv4
from platformctl.sandbox.aws.calls import Answer, Call, Environ
from platformctl.sandbox.aws.faults import FaultBook, Kind, Phase, Rule
from platformctl.sandbox.aws.identity import Keys, Principal, Refused

log = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# The operations that AWS itself accepts without a signature.
_UNSIGNED = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_LONGEST_CAUSE = 300
_WRITES = frozenset({"PUT", "POST", "DELETE"})


class Unroutable(Exception):
    """No operation of the service has this method and path."""


class Gateway:
    """Wraps moto's application. ``control`` answers everything under ``/_sandbox/``."""

    def __init__(
        self,
        moto: Application,
        control: Callable[[Environ], Answer],
        keys: Keys,
        faults: FaultBook,
        *,
        clock: Clock,
        log_requests: bool = False,
    ) -> None:
        self._moto = moto
        self._control = control
        self._keys = keys
        self._faults = faults
        self._clock = clock
        self._log_requests = log_requests
        self._buckets: dict[str, threading.Lock] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        path = str(environ.get("PATH_INFO", "/"))
        if "HTTP_ORIGIN" in environ or "HTTP_SEC_FETCH_SITE" in environ:
            # A page in a browser can reach loopback; nothing here is meant for one.
            return send(Answer(403, (("Content-Type", "text/plain"),), b"not for browsers\n"), start_response)
        if path.startswith("/_sandbox/"):
            return send(self._control(environ), start_response)
        if path.startswith("/moto-api/static/"):  # tests seed answers there (Cost Explorer); the rest could erase all
            return self._moto(environ, start_response)
        if path.startswith(("/moto-api", "/latest/")):
            return send(Answer(404, (("Content-Type", "text/plain"),), b"not served here\n"), start_response)
        call = Call.read(environ)
        if self._log_requests:
            log.info("%s %s %s %s", call.service, call.operation or "?", call.method, call.path)
        return self._answer(call, start_response)

    def _answer(self, call: Call, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._authenticate(call)
        except Refused as refused:
            code, status = calls.credentials_error(call.protocol, refused.code)
            return send(calls.error(call, code, status, refused.message), start_response)
        rule = self._struck(call)
        if rule is None:
            return self._serve(call, start_response)
        if rule.kind is Kind.DELAY:
            self._clock.wait(rule.seconds)
            return self._serve(call, start_response)
        if rule.phase is Phase.AFTER:
            for _ in self._serve(call, lambda *_args, **_kwargs: None):
                pass
        if rule.kind is Kind.RESET:
            reset(call.environ)
        code, status = calls.throttling(call.protocol) if rule.kind is Kind.THROTTLE else (rule.code, rule.status)
        return send(calls.error(call, code, status, rule.message), start_response)

    def _struck(self, call: Call) -> Rule | None:
        if not self._faults.concerns(call.service):
            return None
        text = f"{call.path}?{call.query}\n{call.body.decode('utf-8', 'replace')}"
        return self._faults.strike(call.service, call.operation, text)

    def _authenticate(self, call: Call) -> Principal | None:
        signature = call.signature
        if signature is None:
            if call.action in _UNSIGNED:
                return None
            raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
        principal = self._keys.known(signature.access_key, signature.token)
        if not sigv4.matches(
            signature,
            principal.secret,
            method=call.method,
            path=call.path,
            query=call.query,
            headers=call.headers,
            payload=call.payload_hash,
        ):
            raise Refused(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method. Consult the service documentation for details.",
            )
        if signature.presigned and signature.service != "s3":
            # moto finds service and caller in this header only; without it a presigned call is taken for S3.
            call.environ["HTTP_AUTHORIZATION"] = (
                f"{sigv4.ALGORITHM} Credential={signature.access_key}/{signature.scope}, "
                f"SignedHeaders={';'.join(signature.signed_headers)}, Signature={signature.value}"
            )
        return principal

    def _serve(self, call: Call, start_response: StartResponse) -> Iterable[bytes]:
        if call.service == "s3" and call.method in _WRITES:
            with self._buckets.setdefault(calls.bucket_of(call), threading.Lock()):
                return list(self._ask_moto(call, start_response))
        return self._ask_moto(call, start_response)

    def _ask_moto(self, call: Call, start_response: StartResponse) -> Iterable[bytes]:
        # A status in the 500s would make SDKs try again up to 25 times: a fault of ours is told once and at once.
        try:
            return self._moto(call.environ, start_response)
        except (NotImplementedError, Unroutable) as error:
            what = call.operation or f"{call.method} {call.path}"
            log.warning("%s %s is not simulated: %s", call.service, what, error)
            message = f"the sandbox's AWS does not simulate {call.service} {what}"
            return send(calls.error(call, "SandboxNotImplemented", 400, message), start_response)
        except Exception as error:
            log.exception("%s %s failed in the simulation", call.service, call.operation or call.path)
            cause = f"{type(error).__name__}: {error}"[:_LONGEST_CAUSE]
            message = f"the sandbox's AWS failed in {call.service} {call.operation}: {cause}"
            return send(calls.error(call, "SandboxInternalFailure", 400, message), start_response)


def send(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    """Sends an answer that is at hand whole."""
    length = len(answer.body) if answer.length is None else answer.length
    headers = [*answer.headers, ("Content-Length", str(length))]
    start_response(f"{answer.status} {phrases.get(answer.status, 'Answered')}", headers)
    return [answer.body]


def reset(environ: Environ) -> None:
    """Sends the beginning of an answer and resets the connection; never returns."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{")
    # Lingering for no time makes close() send RST instead of FIN. The handler closes once it sees no more input.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RD)
    connection.close()
    raise ConnectionResetError("injected by the sandbox")
