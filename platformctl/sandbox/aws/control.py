"""The process's own routes under ``/_sandbox/``: health, faults, delays, credentials, and the token webhook.

Documents in, documents out; what they mean is decided by the modules that own them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from platformctl.sandbox.aws.calls import Answer, Environ
from platformctl.sandbox.aws.eks.lifecycle import Delays
from platformctl.sandbox.aws.faults import FaultBook
from platformctl.sandbox.aws.identity import Identities
from platformctl.sandbox.aws.tokens import TokenReviewer

_LONGEST_BODY = 1024 * 1024


class Control:
    """Answers ``/_sandbox/`` requests. ``health`` is asked afresh each time."""

    def __init__(
        self,
        *,
        faults: FaultBook,
        delays: Delays,
        identities: Identities,
        reviewer: TokenReviewer,
        health: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._faults = faults
        self._delays = delays
        self._identities = identities
        self._reviewer = reviewer
        self._health = health
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "health"): lambda _: self._health(),
            ("POST", "authenticate"): self._reviewer.review,
            ("GET", "faults"): lambda _: self._faults.to_json(),
            ("PUT", "faults"): self._put_faults,
            ("DELETE", "faults"): lambda _: self._put_faults([]),
            ("GET", "delays"): lambda _: self._delays.to_json(),
            ("PUT", "delays"): self._put_delays,
            ("POST", "credentials/expire"): self._expire,
        }

    def __call__(self, environ: Environ) -> Answer:
        """One request; 400 says what is wrong with it, 404 names the routes there are."""
        method, path = environ["REQUEST_METHOD"], str(environ["PATH_INFO"]).removeprefix("/_sandbox/")
        route = self._routes.get((method, path))
        if route is None:
            known = sorted(f"{verb} /_sandbox/{name}" for verb, name in self._routes)
            return _json(404, {"error": f"no such route: {method} {path}", "routes": known})
        try:
            return _json(200, route(_document(environ)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return _json(400, {"error": f"{error}"})

    def _put_faults(self, rules: Any) -> Any:
        self._faults.replace(rules)
        return self._faults.to_json()

    def _put_delays(self, delays: Any) -> Any:
        self._delays.change(delays)
        return self._delays.to_json()

    def _expire(self, document: Any) -> Any:
        self._identities.expire(str(document["access_key_id"]))
        return {}


def _document(environ: Environ) -> Any:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _LONGEST_BODY:
        raise ValueError(f"{length} bytes are more than the {_LONGEST_BODY} that any of these documents needs")
    return json.loads(environ["wsgi.input"].read(length)) if length else None


def _json(status: int, document: Any) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), json.dumps(document).encode())
