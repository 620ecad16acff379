"""A small world that steps plan and change: tests see what was done, how often, and under which approval."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from platformctl.core.clock import Duration
from platformctl.engine.pipeline import Gate, Parameter, Pipeline, Stage
from platformctl.engine.step import Artifact, ArtifactKind, Step, StepContext, StepResult, option


@dataclass
class World:
    """What there is. ``done``: every step that ran, in order. ``wanted``: what plans propose, by item.

    ``hook`` is called in each step, before its work.
    """

    done: list[str] = field(default_factory=list)
    wanted: dict[str, str] = field(default_factory=dict)
    real: dict[str, str] = field(default_factory=dict)
    hook: Callable[[StepContext], None] = lambda _context: None

    def pipeline(self, gate: Gate | None = None, parameters: tuple[Parameter, ...] = ()) -> Pipeline:
        """Plan, ask, apply, verify."""
        gate = gate or Gate("Apply these changes?")
        return Pipeline(
            "provision",
            "Changes the world.",
            (
                Stage("plan", lambda item: (Plan(item=item, world=self),), each="stacks"),
                Stage("apply", lambda item: (Apply(item=item, world=self),), each="stacks", lease=True, gate=gate),
                Stage("verify", lambda item: (Verify(item=item, world=self),), each="stacks"),
            ),
            parameters,
        )


@dataclass(frozen=True, kw_only=True)
class WorldStep(Step):
    """A step of the little world."""

    kind: ClassVar[str] = "world"
    deadline: ClassVar[Duration] = Duration(600.0)
    item: str = option("Which item.")
    world: World = option("Where.")

    def run(self, context: StepContext) -> StepResult:
        """Records that it ran, then works."""
        self.world.hook(context)
        self.world.done.append(context.step_name)
        return self.work(context)

    def work(self, context: StepContext) -> StepResult:
        """The step's own work."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Plan(WorldStep):
    """Proposes what is wanted and not there."""

    kind = "world-plan"

    def work(self, context: StepContext) -> StepResult:
        """Leaves a proposal."""
        wanted, real = self.world.wanted.get(self.item, ""), self.world.real.get(self.item, "")
        name = f"stacks/{self.item}.json"
        path = context.artifact_path(name, ArtifactKind.PROPOSAL)
        path.write_text(json.dumps({"item": self.item, "from": real, "to": wanted}))
        changed = wanted != real
        summary = f"{real or 'nothing'} becomes {wanted or 'nothing'}" if changed else "no changes"
        return StepResult(changed=changed, artifacts=(Artifact(name, path, ArtifactKind.PROPOSAL),), summary=summary)


@dataclass(frozen=True, kw_only=True)
class Apply(WorldStep):
    """Makes what was approved."""

    kind = "world-apply"

    def work(self, context: StepContext) -> StepResult:
        """Changes the world."""
        approved = context.approved(f"stacks/{self.item}.json")
        assert approved is not None, "applies nothing that no gate has bound"
        changed = self.world.real.get(self.item, "") != approved["to"]
        self.world.real[self.item] = approved["to"]
        return StepResult(changed=changed)


@dataclass(frozen=True, kw_only=True)
class Verify(WorldStep):
    """Looks whether it is there."""

    kind = "world-verify"

    def work(self, context: StepContext) -> StepResult:
        """Compares."""
        assert self.world.real.get(self.item, "") == self.world.wanted.get(self.item, "")
        return StepResult()
