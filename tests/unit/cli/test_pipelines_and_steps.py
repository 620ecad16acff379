"""What ``pipelines show`` and ``steps show`` tell, and how a step's flags come from its fields."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from platformctl.cli import main, pipelines, steps
from platformctl.cli.command import PlatformCommand
from platformctl.core.clock import Duration
from platformctl.core.errors import UsageError
from platformctl.engine.pipeline import Gate, Parameter, Pipeline, Stage
from platformctl.engine.step import RetryPolicy, Step, StepContext, StepResult, option
from platformctl.spec.environment import Environment


class Depth(Enum):
    """How far to look."""

    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, kw_only=True)
class Look(Step):
    """Looks at a stack.

    Nothing more.
    """

    kind: ClassVar[str] = "look"
    retry: ClassVar[RetryPolicy] = RetryPolicy(attempts=3)
    deadline: ClassVar[Duration] = Duration(90.0)

    stack: str = option("Name of the stack.", example="network")
    depth: Depth = option("How far to look.", default=Depth.QUICK)
    only_tags: tuple[str, ...] = option("Only these tags.", default=())

    def run(self, context: StepContext) -> StepResult:
        """Says what it saw."""
        return StepResult(summary=f"{self.stack} {self.depth.value} {','.join(self.only_tags)}")


PIPELINE = Pipeline(
    name="inspect",
    description="Looks at everything.",
    parameters=(Parameter("how", "How to look.", "quick", ("quick", "full")), Parameter("why", "The reason.", None)),
    stages=(
        Stage("look", lambda stack: (Look(stack=stack),), each="stacks"),
        Stage(
            "undo", lambda stack: (Look(stack=stack),), each="stacks", reverse=True, lease=True,
            gate=Gate("Really?", confirm="how"), credentials=("aws",), deadline=Duration(600.0), always=True,
        ),
    ),
)  # fmt: skip
ENVIRONMENT = Environment.model_validate(
    {
        "apiVersion": "platform/v1",
        "kind": "Environment",
        "name": "dev",
        "cloud": {"provider": "none"},
        "stacks": {
            "network": {"source": "network"},
            "cluster": {"source": "cluster", "needs": {"vpc_id": "network.vpc_id"}},
        },
    }
)


def shown(document: object, printer: object) -> str:
    """What a person reads of the document."""
    console = Console(file=io.StringIO(), record=True, width=200, highlight=False)
    printer(console, document)  # type: ignore[operator]
    return console.export_text()


def test_a_pipeline_is_told_with_all_that_an_orchestrator_must_give_it() -> None:
    document = pipelines.describe_pipeline(PIPELINE)
    assert document["schemaVersion"] == 1
    assert document["environment"] is None
    assert document["parameters"][1] == {
        "name": "why", "description": "The reason.", "required": True, "default": None, "choices": [],
    }  # fmt: skip
    assert document["stages"][1] == {
        "name": "undo", "each": "stacks", "reverse": True, "lease": True, "agent": "platform", "always": True,
        "gate": {"question": "Really?", "unlessEmpty": True, "confirm": "how"},
        "credentials": ["aws"], "deadlineSeconds": 600.0, "kinds": ["look"], "steps": None,
    }  # fmt: skip
    json.dumps(document)


def test_with_an_environment_the_stages_are_expanded_into_its_steps_and_their_needs() -> None:
    look, undo = pipelines.describe_pipeline(PIPELINE, ENVIRONMENT)["stages"]
    assert look["steps"] == [
        {"name": "look/network", "kind": "look", "item": "network", "needs": []},
        {"name": "look/cluster", "kind": "look", "item": "cluster", "needs": ["look/network"]},
    ]
    assert {step["name"]: step["needs"] for step in undo["steps"]} == {
        "undo/cluster": [],
        "undo/network": ["undo/cluster"],
    }


def test_people_read_parameters_gates_leases_and_needs() -> None:
    text = shown(pipelines.describe_pipeline(PIPELINE, ENVIRONMENT), pipelines._print_pipeline)
    for line in (
        "--param how=quick|full  How to look. (default quick)",
        "--param why=VALUE  The reason. (required)",
        "steps: look for each of the environment's stacks, in reverse",
        "gate: Really?; opens by itself when nothing is proposed",
        "confirm: --param how=ENV",
        "agent: platform, deadline 10m, holds the environment's lease, runs also after a failure",
        "- undo/network  look  needs undo/cluster",
    ):
        assert line in text


def test_a_broken_pipeline_is_named_in_the_list_and_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "pipelines" / "broken" / "pipeline.py"
    path.parent.mkdir(parents=True)
    path.write_text("PIPELINE = (\n", encoding="utf-8")
    row = pipelines._row("broken", path)
    assert row["problems"] == [f"{path}:1: syntax error: '(' was never closed"]
    assert "was never closed" in shown([row], pipelines._print_list)


def test_a_step_is_told_with_its_fields() -> None:
    document = steps.describe_step(Look)
    assert (document["description"], document["does"]) == ("Looks at a stack.", "Says what it saw.")
    assert (document["deadlineSeconds"], document["attempts"]) == (90.0, 3)
    assert [(field["flag"], field["type"], field["required"], field["default"]) for field in document["fields"]] == [
        ("--stack", "text", True, None),
        ("--depth", "quick|full", False, "quick"),
        ("--only-tags", "list", False, ""),
    ]
    assert "--depth [quick|full]  How far to look. (default quick)" in shown(document, steps._print_step)


def test_an_unknown_kind_is_a_usage_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no step 'stack-plann'") as refused:
        steps.step_of_kind("stack-plann")
    assert "did you mean 'stack-plan'?" in refused.value.hint


def test_a_step_s_command_has_one_flag_per_field_and_an_example_that_works() -> None:
    command = steps.run_command(Look)
    assert command.example == "platformctl steps run look --env dev --stack network"
    text = CliRunner().invoke(command, ["--help"]).output
    for said in (
        "--stack TEXT",
        "--depth [quick|full]",
        "[default: quick]",
        "--only-tags LIST",
        "--dry-run",
        "--env ENV",
    ):
        assert said in text


def test_a_missing_field_is_a_usage_error_before_anything_starts() -> None:
    with pytest.raises(click.MissingParameter, match="stack"):
        steps.run_command(Look).make_context("look", ["--env", "dev"])


def test_a_step_by_itself_is_a_pipeline_of_one_stage_under_the_lease_whose_parameters_are_its_fields() -> None:
    pipeline = steps.one_step_pipeline(Look, {"stack": "network", "depth": "full"})
    (stage,) = pipeline.stages
    assert pipeline.name == "step-look"
    assert [parameter.name for parameter in pipeline.parameters] == ["stack", "depth"]
    assert (stage.lease, stage.deadline) == (True, Duration(90.0))
    assert stage.steps("") == (Look(stack="network", depth=Depth.FULL),)


def test_an_unreadable_value_names_the_flag_and_what_it_takes() -> None:
    with pytest.raises(UsageError, match="--depth deep") as refused:
        steps.one_step_pipeline(Look, {"stack": "network", "depth": "deep"})
    assert "--depth takes quick|full" in refused.value.hint


def test_the_kinds_are_commands_of_steps_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["steps", "run", "--help"]) == 0
    assert "stack-plan" in capsys.readouterr().out
    assert main.run(["steps", "run", "stack-pln", "--env", "dev"]) == 2
    assert "Did you mean 'stack-plan'?" in capsys.readouterr().err
    assert main.run(["steps", "run", "stack-plan", "--env", "dev"]) == 2
    assert "--stack" in capsys.readouterr().err


def test_steps_list_prints_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["steps", "list", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"kind", "description"} == set(document["steps"][0])
    assert "stack-plan" in [row["kind"] for row in document["steps"]]


def test_every_command_of_both_groups_has_an_example() -> None:
    for group in (pipelines.command, steps.command):
        for name, command in group.commands.items():
            assert isinstance(command, PlatformCommand) or name == "run"
