"""Terraform's diagnostics as our errors: the file and line, the cause in one line, what to do next, the right class.

Nothing is matched on text for people except where Terraform gives nothing else; the phrases are those of 1.11 and of
the AWS SDK, held by recorded outputs in ``tests/contract``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from platformctl.core.command import Command
from platformctl.core.errors import (
    CommandFailed,
    PlatformError,
    PreconditionError,
    Problem,
    SpecError,
    StepFailed,
    TransientError,
)
from platformctl.tools.terraform.messages import Diagnostic


class Doing(StrEnum):
    """What was being done; an apply is never tried again by itself."""

    INIT = "init"
    PLAN = "plan"
    APPLY = "apply"


class TerraformFailed(CommandFailed):
    """Terraform ended with an error we do not know better. ``tail`` holds one line per diagnostic."""

    def __init__(self, command: Command, returncode: int, cause: str, tail: Sequence[str], *, hint: str = "") -> None:
        super().__init__(str(command), returncode, tail, hint=hint)
        self.args = (cause,)
        self.message = cause


@dataclass(frozen=True)
class Failure:
    """What is known about a call that failed. ``stack`` is its name, ``root`` what file names are shown relative to."""

    command: Command
    returncode: int
    doing: Doing
    stack: str
    root: Path
    diagnostics: tuple[Diagnostic, ...]
    tail: tuple[str, ...] = ()

    def error(self) -> PlatformError:
        """The error to raise."""
        whole = "\n".join(f"{item.summary}\n{item.detail}" for item in self.diagnostics)
        known = self._lock(whole) or self._stale(whole) or self._transient(whole) or self._credentials(whole)
        return known or self._provider(whole) or self._configuration() or self._denied(whole) or self._other()

    def _lock(self, text: str) -> PlatformError | None:
        if "error acquiring the state lock" not in text.lower():
            return None
        facts = dict(re.findall(r"^\s*(ID|Who|Operation|Created):\s*(.+?)\s*$", text, re.MULTILINE))
        if not facts:
            return TransientError(f"the state of {self.stack} is locked, but its lock can't be read: {_first(text)}")
        return TransientError(
            f"the state of {self.stack} is locked by {facts.get('Who', 'somebody')} since "
            f"{facts.get('Created', 'an unknown time')} ({facts.get('Operation', '?')}, id {facts.get('ID', '?')})",
            hint="wait until it has finished; if it is dead, `terraform force-unlock` removes the lock by its id",
        )

    def _stale(self, text: str) -> PlatformError | None:
        if "saved plan is stale" not in text.lower():
            return None
        return StepFailed(
            f"the state of {self.stack} changed after it was planned; nothing was applied", hint="resume the run"
        )

    def _credentials(self, text: str) -> PlatformError | None:
        for pattern, cause in _CREDENTIALS:
            if re.search(pattern, text, re.IGNORECASE):
                hint = "sign in again, or correct cloud.account, plan_role and apply_role in the environment file"
                return PreconditionError(f"terraform {self.doing} of {self.stack}: {cause}", hint=hint)
        return None

    def _transient(self, text: str) -> PlatformError | None:
        if self.doing is Doing.APPLY or not re.search(_TRANSIENT, text, re.IGNORECASE):
            return None
        return TransientError(f"terraform {self.doing} of {self.stack}: {self._first_text()}")

    def _provider(self, text: str) -> PlatformError | None:
        for pattern, hint in _PROVIDER:
            if re.search(pattern, text, re.IGNORECASE):
                return PreconditionError(f"terraform {self.doing} of {self.stack}: {self._first_text()}", hint=hint)
        return None

    def _configuration(self) -> PlatformError | None:
        """Faults in files: they have a place in one and no resource that failed."""
        if self.doing is Doing.APPLY:
            return None
        problems = {
            Problem(file=self._shown(item.file), line=item.line, message=item.text)
            for item in self.diagnostics
            if item.line and not item.address
        }
        return SpecError(problems, hint=f"correct the files of stack {self.stack}") if problems else None

    def _denied(self, text: str) -> PlatformError | None:
        if not re.search(_DENIED, text, re.IGNORECASE):
            return None
        role = "apply_role" if self.doing is Doing.APPLY else "plan_role"
        return PreconditionError(
            f"terraform {self.doing} of {self.stack}: access denied: {self._first_text()}",
            hint=f"give cloud.{role} the permission, or correct it; then resume the run",
        )

    def _other(self) -> PlatformError:
        lines = [self._line(item) for item in self.diagnostics] or [line for line in self.tail if line.strip()]
        cause = f"terraform {self.doing} of {self.stack} failed: {lines[0] if lines else f'code {self.returncode}'}"
        more = f" (and {len(self.diagnostics) - 1} more)" if len(self.diagnostics) > 1 else ""
        return TerraformFailed(self.command, self.returncode, cause + more, lines)

    def _line(self, item: Diagnostic) -> str:
        place = f"{self._shown(item.file)}:{item.line}: " if item.line else ""
        return place + (f"{item.address}: " if item.address else "") + item.text

    def _first_text(self) -> str:
        return self.diagnostics[0].text if self.diagnostics else " ".join(self.tail[-1:])

    def _shown(self, name: str) -> str:
        """The file as the user knows it: links of the working copy are followed."""
        if self.command.cwd is None:
            return name
        path = (self.command.cwd / name).resolve()
        return f"{path.relative_to(self.root)}" if path.is_relative_to(self.root) else f"{path}"


_CREDENTIALS = (
    (r"ExpiredToken|token included in the request is expired|RequestExpired", "the AWS credentials have expired"),
    (r"no valid credential sources|failed to refresh cached credentials", "there are no AWS credentials"),
    (r"InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|SignatureDoesNotMatch",
     "AWS does not know the credentials"),
    (r"AWS account ID not allowed", "the credentials belong to another account than cloud.account"),
    (r"cannot assume IAM role", "the role can't be assumed"),
    (r"S3 bucket .* does not exist|NoSuchBucket", "the state bucket does not exist (`env bootstrap` makes it)"),
    (r"requested bucket from .*actual location|BucketRegionError|PermanentRedirect|AuthorizationHeaderMalformed",
     "the state bucket is in another region than state.region"),
)  # fmt: skip

_TRANSIENT = (
    r"Throttl|Rate exceeded|RequestLimitExceeded|SlowDown|TooManyRequests|connection reset by peer|i/o timeout|"
    r"TLS handshake timeout|StatusCode: 50[0-4]|connection refused"
)

_MIRROR_HINT = "put the provider into a mirror (a folder with registry.terraform.io/...), see `platformctl doctor`"
_LOCK_HINT = (
    "the committed .terraform.lock.hcl must name the provider, with hashes for this platform: "
    "terraform providers lock -platform=linux_amd64 -platform=darwin_arm64"
)

_PROVIDER = (
    (r"could not connect to registry|failed to request discovery document", _MIRROR_HINT),
    (r"Failed to query available provider packages|Required plugins are not installed", _MIRROR_HINT),
    (r"doesn't match any of the checksums|dependency lock file|Provider dependency changes detected", _LOCK_HINT),
    (r"Failed to install provider|Could not load plugin|Failed to load plugin schemas", _MIRROR_HINT),
    (r"Unsupported Terraform Core version|Unsupported OpenTofu Core version", "platformctl tools list"),
)

_DENIED = r"AccessDenied|UnauthorizedOperation|is not authorized to perform|api error Forbidden|StatusCode: 403"


def _first(text: str) -> str:
    return " ".join(text.split())[:200]
