"""The files that a working copy gets besides the stack's own: backend, provider, inputs, unknown inputs. Pure.

All are Terraform's JSON syntax, named so that they override or extend the stack and never replace a file of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.errors import PreconditionError, Problem, SpecError
from platformctl.tools.terraform.configuration import Block

BACKEND, PROVIDER = "platformctl_backend_override.tf.json", "platformctl_provider_override.tf.json"
NEW_PROVIDER = "platformctl_provider.tf.json"
INPUTS = "platformctl.auto.tfvars.json"
UPSTREAM, UPSTREAM_OVERRIDE = "upstream.tf.json", "upstream_override.tf.json"
NAMES = frozenset({BACKEND, PROVIDER, NEW_PROVIDER, INPUTS, UPSTREAM, UPSTREAM_OVERRIDE})


@dataclass(frozen=True)
class AssumeRole:
    """The role to work as. With ``web_identity``, a file with a token, no other credentials are needed."""

    arn: str
    external_id: str = ""
    web_identity: str = ""

    def block(self) -> tuple[str, dict[str, str]]:
        """The name of the block, the same for provider and backend, and its arguments."""
        settings = {"role_arn": self.arn, "session_name": "platformctl"}
        if self.web_identity:
            return "assume_role_with_web_identity", {**settings, "web_identity_token_file": self.web_identity}
        return "assume_role", settings | ({"external_id": self.external_id} if self.external_id else {})


@dataclass(frozen=True)
class LocalBackend:
    """The state is a file of this machine: for an environment without a bucket."""

    path: Path

    def settings(self) -> tuple[str, dict[str, Any]]:
        """The backend's name and its arguments."""
        return "local", {"path": f"{self.path}"}


@dataclass(frozen=True)
class S3Backend:
    """The state is an object; Terraform locks it natively by a second one, ``<key>.tflock``."""

    bucket: str
    key: str
    region: str
    assume: AssumeRole | None = None
    kms_key: str = ""
    sandbox: bool = False

    def settings(self) -> tuple[str, dict[str, Any]]:
        """The backend's name and its arguments."""
        arguments: dict[str, Any] = {
            "bucket": self.bucket,
            "key": self.key,
            "region": self.region,
            "encrypt": True,
            "use_lockfile": True,
        }
        if self.kms_key:
            arguments["kms_key_id"] = self.kms_key
        if self.assume is not None:
            name, settings = self.assume.block()
            arguments[name] = settings
        if self.sandbox:
            arguments |= {"use_path_style": True, "skip_metadata_api_check": True, "max_retries": 2}
        return "s3", arguments


@dataclass(frozen=True)
class Provider:
    """What every AWS provider of a stack is told: where, in which account, as whom, how its resources are tagged."""

    region: str
    account: str
    tags: Mapping[str, str] = field(default_factory=dict)
    assume: AssumeRole | None = None
    sandbox: bool = False

    def arguments(self) -> dict[str, Any]:
        """The arguments of a ``provider "aws"`` block."""
        arguments: dict[str, Any] = {"region": self.region}
        if self.account:
            arguments["allowed_account_ids"] = [self.account]
        if self.tags:
            arguments["default_tags"] = [{"tags": dict(self.tags)}]
        if self.assume is not None:
            name, settings = self.assume.block()
            arguments[name] = [settings]
        if self.sandbox:
            # The provider ignores AWS_MAX_ATTEMPTS, and would otherwise repeat an unsupported call 25 times.
            arguments |= {"max_retries": 2, "s3_use_path_style": True, "skip_metadata_api_check": "true"}
        return arguments


def generate(
    outline: Block,
    *,
    backend: LocalBackend | S3Backend,
    provider: Provider | None,
    inputs: Mapping[str, Any],
    secrets: Sequence[str] = (),
    unknown: Sequence[str] = (),
) -> dict[str, str]:
    """File name -> content. ``outline`` is of the stack; ``secrets`` names inputs that are in no file, ``unknown``
    those that other stacks will give.

    Raises SpecError for an input that the stack does not declare or that it does not hand on as promise 1 needs.
    """
    _check_declared(outline, [*inputs, *secrets, *unknown])
    name, settings = backend.settings()
    files = {BACKEND: {"terraform": {"backend": {name: settings}}}, INPUTS: dict(inputs)}
    if provider is not None:
        files |= _provider_files(outline, provider)
    if unknown:
        files |= _upstream_files(outline, unknown)
    return {file: json.dumps(content, indent=2, sort_keys=True) + "\n" for file, content in files.items()}


def _check_declared(outline: Block, names: Sequence[str]) -> None:
    declared = {block.labels[0] for block in outline.each("variable") if block.labels}
    strangers = sorted(set(names) - declared)
    if strangers:
        listed = ", ".join(sorted(declared)) or "none"
        raise SpecError(
            [Problem("variables.tf", 0, f"the stack declares no variable {name!r}") for name in strangers],
            hint=f"its variables: {listed}",
        )


def _provider_files(outline: Block, provider: Provider) -> dict[str, Any]:
    """An override needs a block to override; a stack that only requires the provider gets one."""
    blocks = [block for block in outline.each("provider") if block.labels == ("aws",)]
    arguments = provider.arguments()
    if not blocks:
        required = any(
            "aws" in wanted.attributes
            for terraform in outline.each("terraform")
            for wanted in terraform.each("required_providers")
        )
        return {NEW_PROVIDER: {"provider": {"aws": arguments}}} if required else {}
    overriding = []
    for block in blocks:
        alias = block.attributes.get("alias", "").strip('"')
        elsewhere = {name: value for name, value in arguments.items() if name != "region"}
        overriding.append({"alias": alias, **elsewhere} if alias else arguments)
    return {PROVIDER: {"provider": {"aws": overriding}}}


def _upstream_files(outline: Block, unknown: Sequence[str]) -> dict[str, Any]:
    """Real unknowns for what does not exist yet: the output of a resource that would have to be created first."""
    arguments: dict[str, dict[str, str]] = {}
    for name in unknown:
        taking = [
            (module.labels[0], argument)
            for module in outline.each("module")
            for argument, expression in module.attributes.items()
            if expression == f"var.{name}" and module.labels
        ]
        if not taking:
            raise PreconditionError(
                f"the input {name} is given by a stack that does not exist yet, and no module takes it as it is",
                hint=f"write `{name} = var.{name}` in the stack's module call, or apply the other stack first",
            )
        for module, argument in taking:
            arguments.setdefault(module, {})[argument] = f"${{terraform_data.upstream.output.{name}}}"
    values = {name: f"${{var.{name}}}" for name in sorted(unknown)}
    return {
        UPSTREAM: {"resource": {"terraform_data": {"upstream": {"input": values}}}},
        UPSTREAM_OVERRIDE: {
            "variable": {name: {"default": None, "nullable": True} for name in sorted(unknown)},
            "module": arguments,
        },
    }
