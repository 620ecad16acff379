"""The registry that holds the bytes of images, behind the front. Speaks the OCI distribution protocol to it.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md; no rule of ECR's lives here.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_TIMEOUT = 300.0


class Unreachable(Exception):
    """The registry does not answer, or answered nonsense."""


@dataclass(frozen=True)
class Reply:
    """An answer whose body is read as it comes; read it to its end, or close it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: Iterator[bytes]


class Upstream:
    """One registry. ``url`` without a path; empty when there is none, and then every call raises Unreachable."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = urlsplit(url).netloc

    def send(self, method: str, target: str, headers: Mapping[str, str], body: Iterable[bytes] = ()) -> Reply:
        """Forwards one request. A body whose length the headers do not tell goes in chunks. Raises Unreachable."""
        if not self._address:
            raise Unreachable("the sandbox runs without a registry")
        connection = http.client.HTTPConnection(self._address, timeout=_TIMEOUT)
        try:
            connection.request(method, target, body or None, {**headers})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self.url} does not answer: {error}") from error
        return Reply(answer.status, tuple(answer.getheaders()), _stream(connection, answer))

    def put_manifest(self, repository: str, digest: str, manifest: bytes, media_type: str) -> tuple[int, bytes]:
        """Stores a manifest by its digest; the registry checks that it holds all that the manifest names."""
        headers = {"content-type": media_type, "content-length": str(len(manifest))}
        reply = self.send("PUT", f"/v2/{repository}/manifests/{digest}", headers, [manifest])
        return reply.status, b"".join(reply.body)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Forgets a manifest; one that is not there is no error."""
        for _ in self.send("DELETE", f"/v2/{repository}/manifests/{digest}", {}).body:
            pass


def _stream(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read(_CHUNK):
            yield chunk
    finally:
        connection.close()
