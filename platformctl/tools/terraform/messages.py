"""What Terraform streams under ``-json``, one JSON object per line: progress, diagnostics, the summary of a plan.

Format: Terraform's "Machine-Readable UI". Lines that are no JSON objects (a warning about the CLI configuration) and
message types we do not know are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from platformctl.core.command import Stream

Progress = Callable[[str], None]
"""Told in a few words what is being done: ``module.this.aws_subnet.a: Creating...``."""

_LOCKED = frozenset({"planned_change", "apply_start"})
"""Seen in an apply, they say that the state is locked; the first one comes before any resource is touched."""
_SHOWN = frozenset({"apply_start", "apply_progress", "apply_complete", "apply_errored", "provision_start"})
_DONE = frozenset({"apply_complete", "apply_errored"})


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning. ``file`` is as Terraform names it, relative to where it ran; ``line`` 0 when it has none;
    ``address`` is the resource it is about, empty for the configuration as such."""

    severity: str
    summary: str
    detail: str = ""
    file: str = ""
    line: int = 0
    address: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Diagnostic:
        """Reads the ``diagnostic`` of a message, or an entry of ``validate -json``."""
        place = document.get("range") or {}
        return cls(
            severity=str(document.get("severity", "error")),
            summary=" ".join(str(document.get("summary", "")).split()),
            detail=str(document.get("detail", "")),
            file=str(place.get("filename", "")),
            line=int(place.get("start", {}).get("line", 0)),
            address=str(document.get("address", "")),
        )

    @property
    def text(self) -> str:
        """Summary and the first sentence of the detail, in one line."""
        first = " ".join(self.detail.split("\n\n")[0].split())
        return f"{self.summary}: {first}" if first else self.summary


@dataclass
class Messages:
    """Collects what matters while the lines pass. Given to the runner as its line handler.

    ``version``: of Terraform, from its first message. ``changes`` and ``outputs``: of the plan's summary. ``applied``
    counts the resources an apply has finished. ``on_start`` is called once, before the first resource is touched.
    """

    progress: Progress | None = None
    on_start: Callable[[], None] | None = None
    version: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    applied: int = 0

    def __call__(self, stream: Stream, line: str) -> None:
        """Takes one line."""
        if stream is not Stream.OUT or not line.startswith("{"):
            return
        try:
            message = json.loads(line)
        except ValueError:
            return
        if isinstance(message, dict):
            self._take(message)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What went wrong, in Terraform's order."""
        return tuple(item for item in self.diagnostics if item.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What Terraform only warns of."""
        return tuple(item for item in self.diagnostics if item.severity == "warning")

    def _take(self, message: Mapping[str, Any]) -> None:
        kind = message.get("type")
        if kind == "version":
            self.version = str(message.get("terraform") or message.get("tofu") or "")
        elif kind == "diagnostic" and isinstance(message.get("diagnostic"), dict):
            self.diagnostics.append(Diagnostic.from_json(message["diagnostic"]))
        elif kind == "change_summary":
            self.changes = message.get("changes") or {}
        if kind in _LOCKED and self.on_start is not None:
            started, self.on_start = self.on_start, None
            started()
        if kind in _SHOWN:
            self._work(str(kind), str(message.get("@message", "")))

    def _work(self, kind: str, text: str) -> None:
        if kind in _DONE:
            self.applied += 1
        if self.progress is not None and text:
            self.progress(text)
