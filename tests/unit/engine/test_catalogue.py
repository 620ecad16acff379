"""Finding and loading pipelines; what is wrong with one is said with its line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from platformctl.core.errors import SpecError, UsageError
from platformctl.engine.catalogue import find_pipelines, load_pipeline, named_pipeline
from platformctl.engine.parameters import resolve_parameters
from platformctl.engine.pipeline import Parameter, Pipeline

GOOD = '''"""A pipeline."""
from platformctl.engine.pipeline import Gate, Parameter, Pipeline, Stage

PIPELINE = Pipeline(
    name="roll-out",
    description="Rolls out.",
    parameters=(Parameter("confirm", "The name."),),
    stages=(
        Stage("plan", lambda item: ()),
        Stage("apply", lambda item: (), gate=Gate("Sure?", confirm="confirm")),
    ),
)
'''


def write(root: Path, text: str, folder: str = "roll_out") -> Path:
    path = root / "pipelines" / folder / "pipeline.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_pipeline(path)
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


def test_a_pipeline_is_loaded_by_its_path_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    before = set(sys.modules)
    pipeline = load_pipeline(path)
    assert [stage.name for stage in pipeline.stages] == ["plan", "apply"]
    assert {name for name in set(sys.modules) - before if "pipeline_" in name} == set()
    assert not list(tmp_path.rglob("__pycache__"))


def test_the_users_pipeline_comes_before_ours_of_the_same_name(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "wheel", tmp_path / "root"
    write(ours, GOOD)
    write(ours, GOOD, "other")
    mine = write(theirs, GOOD)
    found = find_pipelines((theirs, ours, tmp_path / "absent"))
    assert list(found) == ["other", "roll-out"]
    assert found["roll-out"] == mine


def test_an_unknown_name_is_refused_with_did_you_mean(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert named_pipeline("roll-out", (tmp_path,)).name == "roll-out"
    with pytest.raises(UsageError, match="no pipeline 'rollout'") as caught:
        named_pipeline("rollout", (tmp_path,))
    assert "did you mean 'roll-out'?" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("PIPELINE = Pipeline(", "PIPELINE = Pipeline((", "4: syntax error: '(' was never closed"),
        ("PIPELINE =", "THING =", "0: wants exactly one pipeline, in a value named PIPELINE; found: THING"),
        ('"roll-out"', '"RollOut"', "5: the pipeline's name 'RollOut' is not kebab-case"),
        ('"roll-out"', '"roll-in"', "5: pipeline 'roll-in' lives in the folder 'roll_in'"),
        ('Stage("apply"', 'Stage("plan"', "10: two stages are named 'plan'"),
        ('Stage("plan"', 'Stage("Plan!"', "9: the stage's name 'Plan!' is not kebab-case"),
        ('Parameter("confirm"', 'Parameter("yes"', "10: stage 'apply' wants the parameter 'confirm' to confirm"),
        ("Rolls out.", "", "4: the pipeline has no description"),
        ("import Gate", "import Gaet", "2: ImportError: cannot import name 'Gaet' from 'platformctl.engine.pipeline'"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    assert any(found.startswith(problem) for found in problems(path)), problems(path)


def test_two_pipelines_in_one_file_are_one_too_many(tmp_path: Path) -> None:
    assert problems(write(tmp_path, GOOD + "OTHER = Pipeline('b', 'c', ())\n"))[0].endswith("found: PIPELINE, OTHER")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "pipelines" / "x" / "pipeline.py") == ["0: no such file"]


PROMOTE = Pipeline(
    "promote",
    "Promotes.",
    (),
    (Parameter("source", "From where.", default=None), Parameter("mode", "How.", "fast", ("fast", "slow"))),
)


def test_parameters_are_completed_with_their_defaults() -> None:
    assert resolve_parameters(PROMOTE, {"source": "dev"}) == {"source": "dev", "mode": "fast"}


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "promote needs the parameter source: From where"),
        ({"source": "dev", "mode": "later"}, "mode=later: not one of fast, slow"),
        ({"sorce": "dev"}, "promote has no parameter 'sorce'"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given: dict[str, str], cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        resolve_parameters(PROMOTE, given)
