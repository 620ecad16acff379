"""What the command line, the reference and Groovy read off a step's fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.clock import Duration
from platformctl.core.errors import UsageError
from platformctl.core.secret import SecretRef, SecretSource
from platformctl.engine.fields import Field, build_step, step_fields
from platformctl.engine.step import Step, StepContext, StepResult, option


class Mode(StrEnum):
    CHECK = "check"
    APPLY = "apply"


@dataclass(frozen=True, kw_only=True)
class Everything(Step):
    """Has a field of every allowed type."""

    kind = "everything"
    name: str = option("A name.", example="network")
    count: int = option("How many.", default=1)
    force: bool = option("Whether.", default=False)
    where: Path = option("Where.", default=Path())
    mode: Mode = option("Which way.", default=Mode.CHECK)
    limit: Duration = option("How long.", default=Duration(90.0))
    token: SecretRef | None = option("A secret.", default=None)
    items: tuple[str, ...] = option("Which ones.", default=())
    tags: Mapping[str, str] = option("Named values.", default=None)

    def run(self, context: StepContext) -> StepResult:
        return StepResult()


def field(name: str) -> Field:
    return next(field for field in step_fields(Everything) if field.name == name)


def test_fields_come_in_the_order_of_their_declaration_with_type_default_and_description() -> None:
    told = [(field.flag, field.type_name, field.required) for field in step_fields(Everything)]
    assert told == [
        ("name", "text", True),
        ("count", "number", False),
        ("force", "true|false", False),
        ("where", "path", False),
        ("mode", "check|apply", False),
        ("limit", "duration", False),
        ("token", "secret", False),
        ("items", "list", False),
        ("tags", "key=value list", False),
    ]
    assert field("name").description == "A name."
    assert field("count").default == 1


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", "network", "network"),
        ("count", "3", 3),
        ("force", "yes", True),
        ("force", "false", False),
        ("where", "a/b", Path("a/b")),
        ("mode", "apply", Mode.APPLY),
        ("limit", "1h30m", Duration(5400.0)),
        ("token", "aws_secret:db#password", SecretRef(SecretSource.AWS_SECRETS_MANAGER, "db", "password")),
        ("items", "a, b,", ("a", "b")),
        ("tags", "a=1,b=x=y", {"a": "1", "b": "x=y"}),
    ],
)
def test_strings_become_typed_values_and_back(name: str, text: str, value: Any) -> None:
    parsed = field(name).parse(text)
    assert parsed == value
    assert field(name).parse(field(name).show(parsed)) == value


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("count", "three", "not a whole number"),
        ("force", "perhaps", "neither true nor false"),
        ("mode", "destroy", "not one of check, apply"),
        ("limit", "90", "is not a duration"),
        ("token", "hunter2", "not a reference to a secret"),
        ("tags", "a", "is not KEY=VALUE"),
        ("tags", "a=1,a=2", "given twice"),
    ],
)
def test_an_unreadable_value_names_the_flag_and_what_it_takes(name: str, text: str, cause: str) -> None:
    with pytest.raises(UsageError, match=cause) as caught:
        field(name).parse(text)
    assert caught.value.hint.startswith(f"--{name} takes ")


def test_a_step_is_built_from_strings() -> None:
    step = build_step(Everything, {"name": "network", "mode": "apply"})
    assert step == Everything(name="network", mode=Mode.APPLY)


def test_missing_and_unknown_fields_are_named() -> None:
    with pytest.raises(UsageError, match="needs --name"):
        build_step(Everything, {})
    with pytest.raises(UsageError, match="has no field 'nmae'"):
        build_step(Everything, {"name": "a", "nmae": "b"})


def test_a_nested_type_and_a_field_without_description_are_bugs_of_the_step() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Nested(Everything):
        deep: tuple[tuple[str, ...], ...] = option("Too deep.", default=())

    @dataclass(frozen=True, kw_only=True)
    class Silent(Everything):
        quiet: str = ""

    with pytest.raises(TypeError, match=r"Nested\.deep: a step's field may not be"):
        step_fields(Nested)
    with pytest.raises(TypeError, match=r"Silent\.quiet has no description"):
        step_fields(Silent)
