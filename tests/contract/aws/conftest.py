"""A simulated AWS in this process, and a connection to it as the sandbox would give it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from platformctl.core.secret import Secret
from platformctl.tools.aws import Account, Session, session

REGION = "ap-northeast-2"
OWNER = "123456789012"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def connection(endpoint: str) -> Mapping[str, str | Secret]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00",
        "AWS_SECRET_ACCESS_KEY": Secret("not-a-real-key", "test"),
    }


@pytest.fixture
def aws(connection: Mapping[str, str | Secret]) -> Session:
    return session(Account(region=REGION, id=OWNER), connection)
