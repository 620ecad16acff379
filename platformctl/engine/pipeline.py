"""A pipeline as a value: a name, parameters and stages. No logic lives here; the engine gives it meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from platformctl.core.clock import Duration
from platformctl.engine.step import Step

Each = Literal["stacks", "addons", "services"]
"""What a stage is expanded by: one journaled step per item of the environment, with the items' ``needs`` as edges."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a pipeline: ``--param NAME=VALUE``, a Jenkins job's parameter, a row of the reference.

    ``default`` None means that it must be given. ``choices`` empty means any text.
    """

    name: str
    description: str
    default: str | None = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gate:
    """A question a person answers before the stage starts; the answer is bound to what the run proposes until then.

    ``question`` is shown with the summary of the proposals. ``unless_empty``: with nothing proposed there is nothing to
    ask, so the gate opens by itself. ``confirm``: name of the parameter that must repeat the environment's name
    (teardown), whatever else was answered.
    """

    question: str
    unless_empty: bool = True
    confirm: str = ""


@dataclass(frozen=True)
class Stage:
    """An ordered set of steps, plus what an orchestrator must give it.

    ``steps``: built from the item's name when ``each`` is set (the empty string otherwise); steps of one item run in
    order, items run in the order of their ``needs`` (``reverse``: the other way round), independent ones in parallel.
    ``lease``: the stage changes the environment and runs only while this run holds the environment's lease.
    ``gate``: asked before the stage starts. ``agent``: the Jenkins agent's label. ``credentials``: ids an orchestrator
    binds. ``deadline``: of the whole stage. ``always``: runs after a failure of an earlier stage too.
    """

    name: str
    steps: Callable[[str], tuple[Step, ...]]
    each: Each | None = None
    reverse: bool = False
    lease: bool = False
    gate: Gate | None = None
    agent: str = "platform"
    credentials: tuple[str, ...] = ()
    deadline: Duration = Duration(2 * 3600.0)
    always: bool = False


@dataclass(frozen=True)
class Pipeline:
    """What ``pipelines/<name>/pipeline.py`` holds as PIPELINE. ``name`` is kebab-case."""

    name: str
    description: str
    stages: tuple[Stage, ...]
    parameters: tuple[Parameter, ...] = ()
