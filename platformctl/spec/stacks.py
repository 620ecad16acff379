"""What Terraform shall make: stacks, the edges between them, what may not be destroyed, which drift is no news."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from platformctl.spec.values import Model, Name, OutputRef, SecretField, Shape, Text, Variable

LOCAL_SOURCE = r"[A-Za-z0-9][A-Za-z0-9_-]*"
Source = Annotated[
    str,
    Shape(
        # A branch moves: only a ref says which commit is meant, and the reviewer of the file sees it.
        rf"{LOCAL_SOURCE}|git::\S+[?&]ref=[^&\s]+",
        "a folder of terraform/stacks, or an address as Terraform writes it with its ref: git::https://...?ref=v1",
    ),
]


class DriftNoise(Model):
    """Drift that is known and no news: attributes of resources that something else changes all the time."""

    address: Text = Field(description="Resource address; `*` stands for any text.")
    attributes: tuple[Text, ...] = Field((), strict=False, description="Attribute paths; none means all of them.")
    reason: Text = Field(description="Why it is no news.")


class Stack(Model):
    """One Terraform root module with its own state."""

    source: Source = Field(description="Folder in terraform/stacks, or a git address with its ref.")
    inputs: dict[Variable, Any] = Field(default_factory=dict, description="Values of its variables.")
    needs: dict[Variable, OutputRef] = Field(
        default_factory=dict, description="Variables that come from another stack: `input: stack.output`."
    )
    secrets: dict[Variable, SecretField] = Field(
        default_factory=dict, description="Variables that are secrets; they reach Terraform by its environment only."
    )
    account: Name | None = Field(None, description="One of cloud.accounts; the environment's own otherwise.")
    protected: bool = Field(False, description="Refuse every plan that destroys or replaces something in it.")
    drift_noise: tuple[DriftNoise, ...] = Field((), strict=False, description="Drift that is known and no news.")


class Guards(Model):
    """Bounds that a plan must keep before anybody is asked."""

    max_destroys: Annotated[int, Field(ge=0)] | None = Field(
        None, description="At most so many resources destroyed or replaced in one stack's plan."
    )
    never_destroy: tuple[Text, ...] = Field(
        (), strict=False, description="Addresses never destroyed or replaced; `*` stands for any text."
    )
