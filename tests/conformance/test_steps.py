"""Rules that every kind of step keeps, so that flags, reference and Groovy help can be made from its fields."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from platformctl.engine.fields import build_step, step_fields
from platformctl.engine.step import Step
from platformctl.steps import CATALOGUE

KINDS = sorted(CATALOGUE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_a_frozen_keyword_only_dataclass(kind: str) -> None:
    step = CATALOGUE[kind]
    parameters = step.__dataclass_params__  # type: ignore[attr-defined]
    assert dataclasses.is_dataclass(step)
    assert parameters.frozen
    assert "__dataclass_params__" in vars(step), "the subclass itself is not decorated"
    assert all(field.kw_only for field in dataclasses.fields(step))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_s_kind_is_kebab_case_and_listed_under_it(kind: str) -> None:
    assert CATALOGUE[kind].kind == kind
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_says_what_it_is_and_what_it_does(kind: str) -> None:
    step = CATALOGUE[kind]
    assert "__doc__" in vars(step)
    assert not (step.__doc__ or "").startswith(f"{step.__name__}("), "a dataclass's made-up docstring says nothing"
    assert "run" in vars(step) or any("run" in vars(base) for base in step.__mro__[1:] if base is not Step)
    assert (inspect.getdoc(step) or "").strip()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_s_fields_have_allowed_types_and_descriptions(kind: str) -> None:
    for field in step_fields(CATALOGUE[kind]):
        assert field.description.strip()
        assert "--" not in field.description
        assert field.flag not in {"env", "output", "help", "dry-run"}, "platformctl steps run has a flag of that name"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_field_shows_is_what_it_reads(kind: str) -> None:
    fields = step_fields(CATALOGUE[kind])
    given = {field.name: field.example for field in fields if field.required}
    assert all(given.values()), "a required field has an example"
    step = build_step(CATALOGUE[kind], given)
    for field in fields:
        value = getattr(step, field.name)
        if value is not None and field.show(value):
            assert field.parse(field.show(value)) == value


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_bounded_in_time_and_in_what_it_takes(kind: str) -> None:
    step = CATALOGUE[kind]
    assert 0 < step.deadline.seconds <= 24 * 3600
    assert step.cost.cores > 0
    assert step.cost.memory > 0
    assert step.retry.attempts >= 1
