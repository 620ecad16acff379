"""A recorded run as one HTML page that needs nothing else: no script, no network, nothing from outside the file.

The page's style is named by its hash in the page's own content security policy, so that even markup that slipped
through the escaping could neither run nor load anything.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from platformctl.core.errors import Status
from platformctl.engine.disk import write_whole
from platformctl.engine.record import RunDirectory
from platformctl.engine.state import StageState, StepState
from platformctl.engine.step import ArtifactKind
from platformctl.reporters import changes, view
from platformctl.reporters.changes import Proposal
from platformctl.reporters.timeline import Axis, Bar
from platformctl.reporters.view import Activity, Failure, RunView, title
from platformctl.reporters.wording import clean, count, duration, moment, one_line

FILE_NAME = "report.html"
LOG_LINES = 20
_LOG_BYTES = 64 * 1024
_FEW = 12  # resources that are shown unfolded
_TEMPLATES = Path(__file__).parent / "templates"
_FAILED = {Status.FAILED, Status.ERRORED, Status.ABORTED}


def render(run_directory: Path, out: Path | None = None) -> Path:
    """Writes the page and returns its path; ``out`` None: ``report.html`` in the run directory.

    Raises PreconditionError when the directory holds no run, or the page cannot be written.
    """
    path = out or run_directory / FILE_NAME
    write_whole(path, document(run_directory).encode())
    return path


def document(run_directory: Path) -> str:
    """The page. Raises PreconditionError when the directory holds no run."""
    run = view.read(run_directory)
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    zone = _zone(run)
    axis = Axis(
        (span for activity in run.activities.values() for span in activity.spans), run.latest or datetime.now(UTC)
    )
    proposals = list(_proposals(run, run_directory))
    return (
        _jinja(zone)
        .get_template("report.html")
        .render(
            run=run.state,
            view=run,
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=digest,
            zone=zone,
            span=_whole(run),
            url=_safe_url(run.state.url),
            guidance=_guidance(run),
            stages=[_stage_rows(run, stage, axis) for stage in run.stages],
            breaks=axis.breaks,
            working=_whole(run) - sum(cut.seconds for cut in axis.breaks),
            failures=[_failed_step(step, run_directory) for step in run.state.steps() if _failed(step)],
            error=Failure.from_json(run.state.error),
            proposals=proposals,
            few=sum(len(proposal.resources) for proposal in proposals) <= _FEW,
            actions=list(changes.Action)[:4],
            outputs=[step for step in run.state.steps() if step.outputs],
        )
    )


def _jinja(zone: tzinfo) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters.update(
        duration=duration,
        moment=lambda time: moment(time, zone) if isinstance(time, datetime) else _recorded_moment(time, zone),
        clock=lambda time: f"{time.astimezone(zone):%H:%M:%S}",
        iso=lambda time: time.astimezone(UTC).isoformat(timespec="seconds"),
        short=lambda digest: one_line(digest).removeprefix("sha256:")[:12],
        number=count,
        json=_json,
    )
    return environment


@dataclass(frozen=True)
class Row:
    """One step in the timeline. ``anchor``: where the page says more about it, empty when it does not."""

    step: StepState
    title: str
    activity: Activity
    bars: tuple[Bar, ...]
    anchor: str


@dataclass(frozen=True)
class StageRows:
    """One stage in the timeline; ``seconds`` None while it has not ended."""

    stage: StageState
    seconds: float | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class FailedStep:
    """A step that did not do its work, with the end of its log when the error brought no lines of its own."""

    step: StepState
    error: Failure | None
    anchor: str
    log: str


@dataclass(frozen=True)
class Guidance:
    """What somebody who reads this may do next; ``commands`` are safe to paste."""

    text: str
    commands: tuple[str, ...] = ()


def _stage_rows(run: RunView, stage: StageState, axis: Axis) -> StageRows:
    rows = []
    for step in stage.steps.values():
        activity = run.activity(step)
        bars = tuple(axis.bar(span) for span in activity.spans)
        rows.append(Row(step, title(stage, step), activity, bars, _anchor(step) if _failed(step) else ""))
    seconds = (stage.finished - stage.started).total_seconds() if stage.started and stage.finished else None
    return StageRows(stage, seconds, tuple(rows))


def _failed(step: StepState) -> bool:
    return step.error is not None or step.status in _FAILED


def _anchor(step: StepState) -> str:
    # Hashed: a step's name is foreign text, and an id must be unique and free of spaces.
    return "step-" + hashlib.sha256(step.name.encode("utf-8", "replace")).hexdigest()[:12]


def _failed_step(step: StepState, run_directory: Path) -> FailedStep:
    error = Failure.from_json(step.error)
    own = error is not None and bool(error.details)
    return FailedStep(step, error, _anchor(step), "" if own else _log_tail(run_directory, step))


def _log_tail(run_directory: Path, step: StepState) -> str:
    path = RunDirectory(run_directory).log_path(step.name)
    if not path.is_file():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _LOG_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
    return clean("\n".join(lines[-LOG_LINES:]))


def _proposals(run: RunView, run_directory: Path) -> Iterator[Proposal]:
    directory = RunDirectory(run_directory)
    recorded = [artifact for step in run.state.steps() for artifact in step.artifacts]
    names = [str(artifact.get("name", "")) for artifact in recorded if artifact.get("kind") == ArtifactKind.PROPOSAL]
    for name in dict.fromkeys(names):
        # A record may come from another machine: a name that leads out of the run is no name of an artifact.
        with contextlib.suppress(ValueError):
            yield changes.read(directory.artifact_path(name, ArtifactKind.PROPOSAL), PurePosixPath(name).stem)


def _whole(run: RunView) -> float:
    if run.state.started is None or run.latest is None:
        return 0.0
    return (run.latest - run.state.started).total_seconds()


def _guidance(run: RunView) -> Guidance | None:
    match run.state.status:
        case Status.FAILED | Status.ERRORED | Status.ABORTED if _alone(run):
            return Guidance("When the cause is gone, run the step again:", _commands(_again(run)))
        case Status.WAITING:
            return Guidance(
                "The run is parked until somebody answers. Look at the changes below, then:",
                _commands(*([_approve(run)] if run.state.question else []), _again(run)),
            )
        case Status.FAILED | Status.ERRORED | Status.ABORTED:
            return Guidance(
                "What finished is recorded and will not be done twice. When the cause is gone, go on with:",
                _commands(_again(run)),
            )
        case Status.RUNNING | Status.PENDING:
            return Guidance(
                "This page shows the run as far as it was recorded. If its process is gone, go on with:",
                _commands(_again(run)),
            )
        case _:
            return None


def _alone(run: RunView) -> bool:
    """Whether this is a step that ran by itself (``platformctl steps run``)."""
    return list(run.state.stages) == ["step"] and run.state.pipeline.startswith("step-")


def _approve(run: RunView) -> list[str]:
    gate = run.state.question
    digest = gate[1].digest if gate else ""
    return ["platformctl", "runs", "approve", run.state.id, digest, "--env", run.state.environment]


def _again(run: RunView) -> list[str]:
    """The command that goes on with the run; a step that ran by itself is run again."""
    state = run.state
    if _alone(run):
        flags = [word for name, value in state.parameters.items() for word in (f"--{name.replace('_', '-')}", value)]
        return ["platformctl", "steps", "run", state.pipeline.removeprefix("step-"), "--env", state.environment, *flags]
    return ["platformctl", "run", state.pipeline, "--env", state.environment, "--resume", state.id]


def _commands(*argvs: Iterable[str]) -> tuple[str, ...]:
    return tuple(shlex.join(one_line(word) for word in argv) for argv in argvs)


def _zone(run: RunView) -> tzinfo:
    try:
        return ZoneInfo(str(run.facts.get("timezone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _recorded_moment(text: str, zone: tzinfo) -> str:
    """A time that the record holds as text; what is no time is shown as it stands."""
    try:
        return moment(datetime.fromisoformat(text), zone)
    except ValueError:
        return text


def _safe_url(url: Any) -> str:
    """A link only for http and https: ``javascript:`` would run with a click."""
    return str(url) if re.match(r"https?://", str(url or ""), re.IGNORECASE) else ""


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, Mapping) else None, default=str)
