"""What the gateway does around the application that it stands in front of."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from platformctl.sandbox.aws.calls import Answer, Environ
from platformctl.sandbox.aws.faults import FaultBook, Kind, Phase
from platformctl.sandbox.aws.gateway import Application, Gateway, StartResponse
from platformctl.sandbox.aws.identity import Principal, Refused
from platformctl.testing.clock import FakeClock

KEY, SECRET = "AKIA0000000000000001", "secret"
HOST = "127.0.0.1:1"


class OneKey:
    """Knows one key."""

    def known(self, access_key: str, token: str) -> Principal:
        """Raises Refused for every other one."""
        if access_key != KEY:
            raise Refused("InvalidClientTokenId", "unknown")
        return Principal(KEY, SECRET, "1", "arn", "arn", "ID")


class Busy:
    """An application that notices how many are in it at the same time."""

    def __init__(self) -> None:
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        threading.Event().wait(0.002)
        with self._lock:
            self._inside -= 1
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]


def gateway(moto: Application, *rules: dict[str, Any], clock: FakeClock | None = None) -> Gateway:
    """One in front of ``moto``, with fault rules."""

    def control(environ: Environ) -> Answer:
        return Answer(200, (), str(environ["PATH_INFO"]).encode())

    return Gateway(moto, control, OneKey(), FaultBook(rules), clock=clock or FakeClock())


def signed(method: str, path: str, body: bytes = b"", service: str = "s3", secret: str = SECRET) -> Environ:
    """A request as botocore signs it and the server hands it over."""
    request = AWSRequest(method, f"http://{HOST}{path}", data=body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(KEY, secret), service, "ap-northeast-2").add_auth(request)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.partition("?")[0],
        "RAW_URI": path,
        "HTTP_HOST": HOST,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **headers,
    }


def ask(one: Gateway, environ: Environ) -> tuple[str, bytes]:
    """Status line and body."""
    statuses: list[str] = []
    body = b"".join(one(environ, lambda status, _headers: statuses.append(status)))
    return statuses[-1], body


def test_writes_to_one_bucket_go_one_after_the_other_and_arrive_whole() -> None:
    busy = Busy()
    one = gateway(busy)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ask(one, signed("PUT", f"/bucket/{i}", b"body")), range(24)))
    assert answers == [("200 OK", b"body")] * 24
    assert busy.most == 1


def test_reads_and_writes_to_other_buckets_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(3)

    def meet(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        together.wait(timeout=10)  # breaks, and fails the test, when one of the three has to wait
        start_response("200 OK", [])
        return [b""]

    one = gateway(meet)
    calls = [signed("PUT", "/a/key"), signed("PUT", "/b/key"), signed("GET", "/a/key")]
    with ThreadPoolExecutor(3) as pool:
        assert [status for status, _ in pool.map(lambda call: ask(one, call), calls)] == ["200 OK"] * 3


def test_what_the_application_does_not_know_or_breaks_on_is_a_plain_refusal_and_never_a_5xx() -> None:
    def missing(*_: object) -> Iterable[bytes]:
        raise NotImplementedError("nothing here")

    def broken(*_: object) -> Iterable[bytes]:
        raise KeyError("bug" * 1000)

    for application, code in ((missing, b"SandboxNotImplemented"), (broken, b"SandboxInternalFailure")):
        status, body = ask(gateway(application), signed("GET", "/clusters/x", service="eks"))
        assert status == "400 Bad Request"
        assert code in body
        assert len(body) < 600


def test_a_forged_signature_never_reaches_the_application() -> None:
    busy = Busy()
    status, body = ask(gateway(busy), signed("GET", "/bucket", secret="forged"))
    assert (status, busy.most) == ("403 Forbidden", 0)
    assert b"SignatureDoesNotMatch" in body


def test_a_fault_strikes_before_the_work_is_done_or_after_it_and_a_delay_only_delays() -> None:
    busy, clock = Busy(), FakeClock()
    rules: list[dict[str, Any]] = [
        {"service": "s3", "contains": "/before"},
        {"service": "s3", "contains": "/after", "phase": Phase.AFTER},
        {"service": "s3", "contains": "/slow", "kind": Kind.DELAY, "seconds": 7.0},
    ]
    one = gateway(busy, *rules, clock=clock)
    assert (ask(one, signed("PUT", "/b/before"))[0], busy.most) == ("500 Internal Server Error", 0)
    assert (ask(one, signed("PUT", "/b/after"))[0], busy.most) == ("500 Internal Server Error", 1)
    assert (ask(one, signed("PUT", "/b/slow"))[0], clock.waits) == ("200 OK", [7.0])


@pytest.mark.parametrize("header", ["HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"])
def test_a_page_in_a_browser_reaches_nothing_not_even_the_controls(header: str) -> None:
    one = gateway(Busy())
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/_sandbox/health", "wsgi.input": io.BytesIO()}
    assert ask(one, dict(request))[0] == "200 OK"
    assert ask(one, {**request, header: "x"})[0] == "403 Forbidden"
