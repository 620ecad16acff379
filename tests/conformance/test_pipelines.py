"""Rules that every folder under pipelines/ keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from platformctl.cli.pipelines import describe_pipeline
from platformctl.engine.catalogue import load_pipeline
from platformctl.engine.pipeline import Pipeline
from platformctl.steps import CATALOGUE

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    path
    for path in (ROOT / "pipelines").iterdir()
    if path.is_dir() and path.name not in {"environments", "__pycache__"}
)
by_folder = pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])


def loaded(folder: Path) -> Pipeline:
    """The folder's pipeline; loading holds its shape: exactly one PIPELINE, names, unique stages and parameters."""
    return load_pipeline(folder / "pipeline.py")


def test_there_are_pipelines() -> None:
    assert FOLDERS


@by_folder
def test_a_folder_holds_one_pipeline_and_says_what_it_is_for(folder: Path) -> None:
    readme = folder / "README.md"
    assert loaded(folder).name == folder.name.replace("_", "-")
    assert readme.is_file()
    assert len(readme.read_text(encoding="utf-8").split()) >= 20


@by_folder
def test_a_pipeline_s_steps_are_all_in_the_catalogue(folder: Path) -> None:
    for stage in loaded(folder).stages:
        steps = stage.steps("item" if stage.each else "")
        assert steps, f"stage {stage.name} has no steps"
        for step in steps:
            assert type(step) is CATALOGUE.get(step.kind)


@by_folder
def test_a_stage_names_its_steps_alike_each_time_it_is_asked(folder: Path) -> None:
    for stage in loaded(folder).stages:
        assert stage.steps("item") == stage.steps("item")


@by_folder
def test_a_parameter_that_must_be_given_has_no_default_and_a_default_is_one_of_the_choices(folder: Path) -> None:
    for parameter in loaded(folder).parameters:
        assert parameter.description
        if parameter.choices and parameter.default is not None:
            assert parameter.default in parameter.choices


@by_folder
def test_what_orchestrators_read_is_json_with_a_version(folder: Path) -> None:
    document = json.loads(json.dumps(describe_pipeline(loaded(folder))))
    assert document["schemaVersion"] == 1
    assert [stage["name"] for stage in document["stages"]] == [stage.name for stage in loaded(folder).stages]
