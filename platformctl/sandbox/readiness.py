"""Looks whether a part is ready: one look, no waiting. Waiting, with a deadline, belongs to ``starter``."""

from __future__ import annotations

import http.client
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from platformctl.sandbox.part import HttpAnswer, LogLine, OpenPort, Readiness
from platformctl.sandbox.ports import LOOPBACK

_TIMEOUT = 3.0
_LOG_BYTES = 256 * 1024


def look(readiness: Readiness, log: Path) -> str:
    """Empty when ready, else what was seen instead: ``connection refused``, ``answers 500``."""
    try:
        match readiness:
            case OpenPort(port):
                socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT).close()
                return ""
            case HttpAnswer():
                status = _status(readiness)
                return "" if status == 200 else f"answers {status}"
            case LogLine(text):
                return "" if any(text in line for line in tail(log, 10_000)) else "not yet in its log"
    except TimeoutError:
        return "no answer"
    except ConnectionError as error:
        return (error.strerror or type(error).__name__).lower()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__


def tail(log: Path, lines: int) -> list[str]:
    """The log's last lines, at most 256 KiB of them; none when there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def _status(answer: HttpAnswer) -> int:
    # http.client and not urllib: a proxy set in the environment must never be asked for loopback.
    url = urlsplit(answer.url)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=answer.ca or None)
        if answer.certificate:
            context.load_cert_chain(answer.certificate, answer.key)
        connection = http.client.HTTPSConnection(url.hostname or LOOPBACK, url.port, timeout=_TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname or LOOPBACK, url.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", url.path or "/")
        return connection.getresponse().status
    finally:
        connection.close()
