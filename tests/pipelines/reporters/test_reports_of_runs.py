"""What reporters make of the record that the engine really writes."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from platformctl.core.errors import CommandFailed, Status, TransientError
from platformctl.engine.pipeline import Gate, Pipeline, Stage
from platformctl.engine.step import Artifact, ArtifactKind, RetryPolicy, Step, StepContext, StepResult, option
from platformctl.reporters import html, junit
from platformctl.reporters.console import LiveReporter, PlainReporter
from platformctl.spec.environment import Environment
from platformctl.testing.pipeline import Bench

ENVIRONMENT = Environment.model_validate(
    {
        "apiVersion": "platform/v1",
        "kind": "Environment",
        "name": "dev",
        "timezone": "Asia/Seoul",
        "cloud": {"provider": "none"},
        "stacks": {"network": {"source": "network"}, "registry": {"source": "registry"}},
    }
)


@dataclass(frozen=True, kw_only=True)
class Propose(Step):
    """Proposes a change."""

    kind: ClassVar[str] = "propose"
    stack: str = option("Name of the stack.")

    def run(self, context: StepContext) -> StepResult:
        """Leaves a proposal."""
        name = f"stacks/{self.stack}.json"
        path = context.artifact_path(name, ArtifactKind.PROPOSAL)
        created = {"actions": ["create"], "after": {"name": self.stack, "id": {"$unknown": True}}}
        path.write_text(json.dumps({"schemaVersion": 1, "changes": {"aws_vpc.this": created}, "outputs": {}}))
        artifact = Artifact(name, path, ArtifactKind.PROPOSAL)
        return StepResult(changed=True, artifacts=(artifact,), summary="+1 ~0 -0")


@dataclass(frozen=True, kw_only=True)
class Enact(Step):
    """Enacts the change; the registry's fails for good at its second attempt."""

    kind: ClassVar[str] = "enact"
    retry: ClassVar[RetryPolicy] = RetryPolicy(attempts=2)
    stack: str = option("Name of the stack.")

    def run(self, context: StepContext) -> StepResult:
        """Says what it made."""
        if self.stack == "network":
            context.warn("the network is small", "take a larger range")
            return StepResult(changed=True, outputs={"vpc_id": "vpc-1"}, summary="made")
        if not (context.run_directory / "tried").exists():
            (context.run_directory / "tried").touch()
            raise TransientError("throttled")
        raise CommandFailed("terraform apply", 1, ["Error: no more registries"], hint="ask for a larger quota")


PIPELINE = Pipeline(
    "deliver",
    "Proposes, asks, enacts.",
    (
        Stage("plan", lambda stack: (Propose(stack=stack),), each="stacks"),
        Stage("apply", lambda stack: (Enact(stack=stack),), each="stacks", lease=True, gate=Gate("Apply these?")),
    ),
)


@pytest.fixture
def failed(tmp_path: Path) -> tuple[Path, str]:
    """A run that waited, was approved and then failed; and what the plain console said of both processes."""
    stream = io.StringIO()
    bench = Bench(root=tmp_path)
    bench.reporters = (PlainReporter(Console(file=stream), zone=ZoneInfo("Asia/Seoul")),)
    parked = bench.run(PIPELINE, ENVIRONMENT)
    assert parked.status is Status.WAITING
    page = html.render(parked.directory).read_text(encoding="utf-8")
    assert f"platformctl runs approve {parked.run_id} sha256:" in page
    question = parked.state.question
    assert question is not None
    ended = bench.run(PIPELINE, ENVIRONMENT, resume=parked.run_id, approve=question[1].digest)
    assert ended.status is Status.ERRORED
    return ended.directory, stream.getvalue()


def test_the_page_of_a_real_record_holds_plan_answer_error_and_local_time(failed: tuple[Path, str]) -> None:
    page = html.render(failed[0]).read_text(encoding="utf-8")
    for said in (
        "2026-01-01 09:00:00 KST",
        "aws_vpc.this",
        "known after apply",
        "approved by <b>tester@bench</b>",
        "Error: no more registries",
        "ask for a larger quota",
        "the network is small",
        "vpc-1",
        "1 retry",
        f"platformctl run deliver --env dev --resume {failed[0].name}",
    ):
        assert said in page


def test_the_xml_of_a_real_record_counts_its_steps(failed: tuple[Path, str]) -> None:
    root = ET.parse(junit.render(failed[0])).getroot()  # noqa: S314 - we made it ourselves
    assert (root.get("tests"), root.get("errors"), root.get("skipped")) == ("4", "1", "0")


def test_plain_lines_of_a_real_run_can_be_searched_for(failed: tuple[Path, str]) -> None:
    said = failed[1]
    for line in (
        "step plan/network SUCCEEDED: in 0.0s, changed; +1 ~0 -0",
        "gate apply WAITING: Apply these?; sha256:",
        "gate apply APPROVED: by tester@bench",
        "step apply/registry RETRYING: again in",
        "step apply/registry ERRORED: in 0.",
        "  | Error: no more registries",
        "warning apply/network: the network is small",
    ):
        assert line in said


def test_the_live_display_survives_a_real_run_with_parallel_steps(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), record=True, width=120, height=30, force_terminal=True)
    bench = Bench(root=tmp_path, ask=lambda _question: True)
    bench.reporters = (LiveReporter(console, clock=bench.clock),)
    assert bench.run(PIPELINE, ENVIRONMENT).status is Status.ERRORED
    assert bench.log.closed
    shown = console.export_text()
    # How long is not asked: the other step's waiting moves the clock that both share.
    assert re.search(r"✓ network  in \S+, changed; made", shown)
    assert "✗ registry ERRORED" in shown
    assert "dropped" not in shown
