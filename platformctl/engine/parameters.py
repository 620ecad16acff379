"""A pipeline's parameters: what was given, checked against what the pipeline declares. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from platformctl.core.errors import UsageError
from platformctl.engine.pipeline import Pipeline


def resolve_parameters(pipeline: Pipeline, given: Mapping[str, str]) -> dict[str, str]:
    """Every parameter with its value, the defaults filled in.

    Raises UsageError for an unknown one ("did you mean"), a missing one, and a value outside the choices.
    """
    check_names(pipeline, given)
    values: dict[str, str] = {}
    for parameter in pipeline.parameters:
        name = parameter.name
        value = given.get(name, parameter.default)
        if value is None:
            raise UsageError(
                f"{pipeline.name} needs the parameter {name}: {parameter.description}", hint=f"--param {name}=..."
            )
        if parameter.choices and value not in parameter.choices:
            raise UsageError(
                f"{name}={value}: not one of {', '.join(parameter.choices)}",
                hint=f"--param {name}={parameter.choices[0]}",
            )
        values[name] = value
    return values


def check_names(pipeline: Pipeline, given: Mapping[str, str]) -> None:
    """Raises UsageError for a parameter that the pipeline does not declare."""
    declared = [parameter.name for parameter in pipeline.parameters]
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(declared) or "none"
            raise UsageError(f"{pipeline.name} has no parameter {name!r}", hint=f"{meant}it has: {known}")
