"""The registry front: what docker clients talk to, saying what ECR says, in front of a registry that holds the bytes.

Manifests, tags and referrers are answered from ECR's model; blobs are passed through, never held whole in memory.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from platformctl.core.clock import Clock
from platformctl.sandbox.aws.calls import Answer, Environ
from platformctl.sandbox.aws.faults import FaultBook, Kind
from platformctl.sandbox.aws.gateway import StartResponse, reset, send
from platformctl.sandbox.aws.passes import Passes
from platformctl.sandbox.aws.upstream import Unreachable, Upstream

FAULT_SERVICE = "registry"
_CHUNK = 64 * 1024
_LONGEST_MANIFEST = 4 * 1024 * 1024  # ECR's own limit
_TARGET = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>.*)")
_INDEX = "application/vnd.oci.image.index.v1+json"
# Hop by hop (RFC 9110, 7.6.1), or ours to set.
_NOT_FORWARDED = frozenset({"host", "authorization", "connection", "transfer-encoding", "expect", "keep-alive", "te"})


class Refusal(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Front:
    """A WSGI application. ``backend`` gives the ECR whose repositories are served."""

    def __init__(
        self,
        address: str,
        upstream: Upstream,
        passes: Passes,
        faults: FaultBook,
        backend: Callable[[], Any],
        *,
        account: str,
        clock: Clock,
    ) -> None:
        self._address = address
        self._upstream = upstream
        self._passes = passes
        self._faults = faults
        self._backend = backend
        self._account = account
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        try:
            target = self._admit(environ)
            if target is None:
                return send(_json(200, {}), start_response)
            if target["kind"] == "blobs":
                return self._pass_on(environ, start_response)
            return send(self._answer(environ, target), start_response)
        except Refusal as refusal:
            return send(refusal.answer, start_response)

    def _admit(self, environ: Environ) -> re.Match[str] | None:
        """What is asked for, None for the protocol's own greeting. Raises Refusal."""
        if self._passes.account(str(environ.get("HTTP_AUTHORIZATION", ""))) != self._account:
            raise Refusal(self._unauthorized())
        path = str(environ["PATH_INFO"])
        if path in {"/v2", "/v2/"}:
            return None
        target = _TARGET.fullmatch(path)
        if target is None:
            raise Refusal(_errors(404, "UNSUPPORTED", f"ECR does not answer {path}"))
        self._strike(environ, f"{environ['REQUEST_METHOD']} {target['kind']}")
        if target["name"] not in self._backend().repositories:
            message = f"The repository with name '{target['name']}' does not exist in the registry with id"
            raise Refusal(_errors(404, "NAME_UNKNOWN", f"{message} '{self._account}'"))
        return target

    def _strike(self, environ: Environ, operation: str) -> None:
        rule = self._faults.strike(FAULT_SERVICE, operation, str(environ["PATH_INFO"]))
        if rule is None:
            return
        if rule.kind is Kind.DELAY:
            self._clock.wait(rule.seconds)
        elif rule.kind is Kind.RESET:
            reset(environ)
        elif rule.kind is Kind.THROTTLE:
            raise Refusal(_errors(429, "TOOMANYREQUESTS", "Rate exceeded"))
        else:
            raise Refusal(_errors(rule.status, rule.code, rule.message))

    def _answer(self, environ: Environ, target: re.Match[str]) -> Answer:
        method, name, kind, rest = environ["REQUEST_METHOD"], target["name"], target["kind"], target["rest"]
        if kind == "manifests" and method == "PUT":
            return self._put_manifest(environ, name, rest)
        if method not in {"GET", "HEAD"}:
            return _errors(405, "UNSUPPORTED", f"ECR takes {method} of {kind} through its API only")
        if kind == "manifests":
            return self._get_manifest(name, rest, with_body=method == "GET")
        if kind == "tags" and rest == "list":
            return self._list_tags(environ, name)
        if kind == "referrers":
            return self._list_referrers(environ, name, rest)
        return _errors(404, "UNSUPPORTED", f"ECR does not answer {kind}/{rest}")

    def _put_manifest(self, environ: Environ, name: str, reference: str) -> Answer:
        manifest = b"".join(_body(environ, _LONGEST_MANIFEST + 1))
        if len(manifest) > _LONGEST_MANIFEST:
            raise Refusal(_errors(400, "MANIFEST_INVALID", f"longer than {_LONGEST_MANIFEST} bytes"))
        subject = _subject(manifest)
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        tag = None if ":" in reference else reference
        if tag is None and reference != digest:
            raise Refusal(_errors(400, "DIGEST_INVALID", f"the manifest's digest is {digest}"))
        self._store(name, manifest, str(environ.get("CONTENT_TYPE") or ""), tag)
        headers = [
            ("Location", f"http://{self._address}/v2/{name}/manifests/{digest}"),
            ("Docker-Content-Digest", digest),
        ]
        return Answer(201, (*headers, *((("OCI-Subject", subject),) if subject else ())), b"")

    def _store(self, name: str, manifest: bytes, media_type: str, tag: str | None) -> None:
        from platformctl.sandbox.aws.ecr import Refused, TagImmutable

        try:
            self._backend().store(name, manifest, media_type, tag)
        except TagImmutable as immutable:
            raise Refusal(_errors(400, "TAG_INVALID", immutable.message)) from immutable
        except Refused as refused:
            kind = (("Content-Type", "application/json"),)
            raise Refusal(Answer(refused.status, kind, refused.body)) from refused
        except Unreachable as error:
            raise Refusal(_errors(503, "UNAVAILABLE", str(error))) from error

    def _get_manifest(self, name: str, reference: str, *, with_body: bool) -> Answer:
        image = self._backend().find(name, reference)
        if image is None:
            return _errors(404, "MANIFEST_UNKNOWN", f"Requested image not found: {name} {reference}")
        manifest = image.image_manifest.encode()
        headers = (("Content-Type", image.image_manifest_media_type), ("Docker-Content-Digest", image.image_digest))
        return Answer(200, headers, manifest if with_body else b"", length=len(manifest))

    def _list_tags(self, environ: Environ, name: str) -> Answer:
        query = parse_qs(str(environ.get("QUERY_STRING", "")))
        images = self._backend().repositories[name].images
        tags = sorted(tag for image in images for tag in image.image_tags if tag > query.get("last", [""])[0])
        limit = int(query.get("n", ["0"])[0] or 0) or len(tags)
        answer = _json(200, {"name": name, "tags": tags[:limit]})
        if limit < len(tags):
            more = f'</v2/{name}/tags/list?n={limit}&last={tags[limit - 1]}>; rel="next"'
            return Answer(200, (*answer.headers, ("Link", more)), answer.body)
        return answer

    def _list_referrers(self, environ: Environ, name: str, digest: str) -> Answer:
        wanted = parse_qs(str(environ.get("QUERY_STRING", ""))).get("artifactType", [""])[0]
        found = []
        for image in self._backend().repositories[name].images:
            manifest = json.loads(image.image_manifest)
            kind = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType", "")
            if (manifest.get("subject") or {}).get("digest") == digest and wanted in {"", kind}:
                found.append(
                    {
                        "mediaType": image.image_manifest_media_type,
                        "digest": image.image_digest,
                        "size": len(image.image_manifest.encode()),
                        "artifactType": kind,
                        "annotations": manifest.get("annotations") or {},
                    }
                )
        body = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": found}).encode()
        applied = (("OCI-Filters-Applied", "artifactType"),) if wanted else ()
        return Answer(200, (("Content-Type", _INDEX), *applied), body)

    def _pass_on(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = str(environ["REQUEST_METHOD"])
        if method == "DELETE" and "/uploads/" not in environ["PATH_INFO"]:
            return send(_errors(405, "UNSUPPORTED", "ECR deletes layers with their images"), start_response)
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") and name[5:].replace("_", "-").lower() not in _NOT_FORWARDED
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name):
                headers[name.lower().replace("_", "-")] = str(environ[name])
        has_body = "content-length" in headers or environ.get("wsgi.input_terminated")
        try:
            reply = self._upstream.send(
                method, str(environ["RAW_URI"]), {**headers, "host": self._address}, _body(environ) if has_body else ()
            )
        except Unreachable as error:
            return send(_errors(503, "UNAVAILABLE", str(error)), start_response)
        start_response(f"{reply.status} Answered", [*self._headers(reply.headers)])
        return reply.body

    def _headers(self, headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        for name, value in headers:
            if name.lower() == "location":
                yield name, urlunsplit(("http", self._address, *urlsplit(value)[2:]))
            elif name.lower() not in _NOT_FORWARDED:
                yield name, value

    def _unauthorized(self) -> Answer:
        challenge = f'Basic realm="http://{self._address}/",service="ecr.amazonaws.com"'
        headers = (("Www-Authenticate", challenge), ("Content-Type", "text/plain; charset=utf-8"))
        return Answer(401, headers, b"Not Authorized\n")


def _subject(manifest: bytes) -> str:
    try:
        document = json.loads(manifest)
    except ValueError as error:
        raise Refusal(_errors(400, "MANIFEST_INVALID", f"no JSON: {error}")) from error
    if not isinstance(document, dict):
        raise Refusal(_errors(400, "MANIFEST_INVALID", f"{type(document).__name__} instead of an object"))
    return str((document.get("subject") or {}).get("digest", ""))


def _body(environ: Environ, limit: int | None = None) -> Iterator[bytes]:
    # A chunked body ends by itself; another one is exactly as long as it said.
    left = limit if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    left = left if limit is None or left is None else min(left, limit)
    while left is None or left > 0:
        chunk = environ["wsgi.input"].read(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            return
        left = left if left is None else left - len(chunk)
        yield chunk


def _json(status: int, document: Any) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode())


def _errors(status: int, code: str, message: str) -> Answer:
    return _json(status, {"errors": [{"code": code, "message": message}]})
