"""Opens a stack and gives its Terraform: inputs gathered, files written, initialised, one user at a time.

What happens with a plan is decided by the steps in ``stacks`` and ``stack_apply``, not here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformctl.core.errors import PreconditionError, TransientError
from platformctl.core.secret import Secret
from platformctl.engine.step import ArtifactKind, StepContext
from platformctl.process.children import current
from platformctl.steps.credentials import caller_credentials, proxy_variables
from platformctl.steps.stack_site import Role, Site
from platformctl.steps.stack_source import cli_config_file, find_source, plugin_cache
from platformctl.tools.terraform.adapter import Terraform
from platformctl.tools.terraform.commands import Place
from platformctl.tools.terraform.generated import generate
from platformctl.tools.terraform.normalise import UNKNOWN, NormalisedPlan
from platformctl.tools.terraform.workspace import WorkingCopy, init_digest, provider_versions

_BUSY = 20.0
_LOOK = 0.2
"""Seconds to wait for another process that works in the same working copy."""
_INSTALLING = 900.0
_SMALL = {"GOGC": "off", "GOMEMLIMIT": "256MiB"}
"""For a Terraform that starts no provider: it ends before its garbage is worth collecting, which took a third of a plan
(30 plans, two at a time: 0.77 s before, 0.54 s after). Should it grow, Go collects at the limit as ever."""


@dataclass(frozen=True)
class Inputs:
    """A stack's inputs: plain ``values``, ``secrets`` (which never reach a file) and the ``unknown`` ones."""

    values: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenStack:
    """A stack whose working copy is ready and ours until the context ends."""

    site: Site
    copy: WorkingCopy
    terraform: Terraform
    inputs: Inputs
    providers: Mapping[str, str]

    def plan(self, context: StepContext, *, destroy: bool) -> NormalisedPlan:
        """What would change. The saved plan, which holds secrets in clear, is gone afterwards."""
        path = plan_path(context, self.site.name)
        try:
            planned = self.terraform.plan(path, destroy=destroy)
            for warning in planned.warnings:
                context.warn(f"{self.site.name}: {warning.text}")
            return self.terraform.show(planned, run_key(context), self.providers)
        finally:
            path.unlink(missing_ok=True)


def plan_path(context: StepContext, stack: str) -> Path:
    """Where a saved plan may lie: readable by its owner only, and there is none yet."""
    path = context.artifact_path(f"plans/{context.step_name.replace('/', '.')}.{stack}.tfplan", ArtifactKind.PRIVATE)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    return path


def gather_inputs(context: StepContext, site: Site, *, foresee: bool) -> Inputs:
    """The stack's own inputs, and the outputs of the stacks it needs.

    ``foresee``: what this run proposes for those stacks counts as if it were applied; what it cannot tell yet is
    unknown. Otherwise only what is in their states counts, and the rest is unknown.
    """
    values, unknown = dict(site.stack.inputs), []
    secrets = {name: context.secrets.resolve(reference) for name, reference in site.stack.secrets.items()}
    for name, reference in site.stack.needs.items():
        stack, _, output = reference.partition(".")
        found = _output(context, site.sibling(stack), output, foresee=foresee)
        if isinstance(found, Secret):
            secrets[name] = found
        elif found == UNKNOWN:
            unknown.append(name)
        else:
            values[name] = found
    return Inputs(values=values, secrets=secrets, unknown=tuple(unknown))


@contextmanager
def opened(context: StepContext, site: Site, role: Role, inputs: Inputs) -> Iterator[OpenStack]:
    """The stack's Terraform as ``role``, initialised. Raises what init raises, TransientError when it is in use."""
    source = find_source(context, site)
    copy = site.working_copy(source)
    copy.directory.mkdir(parents=True, exist_ok=True)
    with _claimed(context, copy):
        yield _open(context, site, role, inputs, copy)


@contextmanager
def _claimed(context: StepContext, copy: WorkingCopy) -> Iterator[None]:
    """Keeps the directory for this process. Raises TransientError, naming who has it, when that takes too long."""
    from filelock import FileLock, Timeout

    guard, limit, told = FileLock(copy.guard), context.clock.monotonic() + _BUSY, False
    while True:
        try:
            guard.acquire(timeout=0)
            break
        except Timeout:
            context.checkpoint()
            busy = f"{_holder(copy)} works in {copy.directory}"
            if context.clock.monotonic() >= limit:
                hint = "wait until it has finished, or work in another checkout"
                raise TransientError(busy, hint=hint) from None
            if not told:
                context.warn(f"{busy}; waiting up to {_BUSY:g} s for it")
                told = True
            context.clock.wait(_LOOK)
    try:
        me = current()
        copy.holder.write_text(f"run {context.run_id} (pid {me.pid} on {me.host})", encoding="utf-8")
        yield
    finally:
        guard.release()


def _holder(copy: WorkingCopy) -> str:
    """Who has the directory, as it wrote itself down."""
    try:
        return copy.holder.read_text(encoding="utf-8") or "another platformctl"
    except OSError:
        return "another platformctl"


def run_key(context: StepContext) -> bytes:
    """The run's key for sensitive values: made once, kept in ``private/``, never anywhere else."""
    path = context.artifact_path("sensitive.key", ArtifactKind.PRIVATE)
    if not path.is_file():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{context.step_name.replace('/', '-')}")
        draft.touch(mode=0o600)
        draft.write_bytes(os.urandom(32))
        try:
            os.link(draft, path)  # steps run in parallel: the first one's key stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def _open(context: StepContext, site: Site, role: Role, inputs: Inputs, copy: WorkingCopy) -> OpenStack:
    files = generate(
        copy.outline(),
        backend=site.backend(role),
        provider=site.provider(role),
        inputs=inputs.values,
        secrets=tuple(inputs.secrets),
        unknown=inputs.unknown,
    )
    copy.write(files)
    program, config = context.program("terraform"), cli_config_file(site)
    digest = init_digest(copy, files, _tool(program, config))
    providers = provider_versions(copy.source)
    terraform = Terraform(
        runner=context.runner,
        place=Place(
            program=program,
            directory=copy.working_directory,
            data_directory=copy.data_directory(digest),
            cli_config=config,
            env={**_environment(site, inputs), **({} if providers else _SMALL)},
        ),
        stack=site.name,
        root=context.root,
    )
    if not copy.initialised(digest):
        _initialise(context, terraform, shared=bool(providers))
        copy.mark_initialised(digest)
    return OpenStack(site=site, copy=copy, terraform=terraform, inputs=inputs, providers=providers)


def _initialise(context: StepContext, terraform: Terraform, *, shared: bool) -> None:
    """Terraform's plugin cache is not safe for two inits at once, so those that use it take turns."""
    from filelock import FileLock, Timeout

    if not shared:
        terraform.init()
        return
    context.progress("installing providers")
    try:
        with FileLock(plugin_cache().with_name("plugins.lock"), timeout=_INSTALLING):
            terraform.init()
    except Timeout as error:
        raise TransientError("another platformctl has been installing providers for 15 minutes") from error


def _environment(site: Site, inputs: Inputs) -> dict[str, str | Secret]:
    """What Terraform gets besides its own settings: credentials, the way out of the network, inputs that are secret."""
    credentials = dict(site.connection) or caller_credentials(os.environ)
    if site.environment.cloud.profile and not site.connection:
        credentials["AWS_PROFILE"] = site.environment.cloud.profile
    return {
        **credentials,
        **proxy_variables(site.environment.proxy),
        **{f"TF_VAR_{name}": secret for name, secret in inputs.secrets.items()},
    }


def _output(context: StepContext, upstream: Site, output: str, *, foresee: bool) -> Any:
    """An output's value: a Secret when it is sensitive, UNKNOWN when nobody can tell yet."""
    output, _, key = output.partition(".")
    if foresee:
        change = _proposed(context, upstream.name).get(output)
        if change is not None:
            value = change.get("after", UNKNOWN)
            return UNKNOWN if _holds_marker(value) else _picked(value, key)
    state = upstream.state()
    if output in state.secrets:
        return state.secrets[output]
    return _picked(state.outputs.get(output, UNKNOWN), key)


def _picked(value: Any, key: str) -> Any:
    """One entry of an output that is a map (``registry.repository_urls.orders``)."""
    if not key or value == UNKNOWN:
        return value
    return value.get(key, UNKNOWN) if isinstance(value, dict) else UNKNOWN


def _proposed(context: StepContext, stack: str) -> Mapping[str, Any]:
    """The output changes that this run proposes for another stack; empty when it proposes none."""
    path = context.artifact_path(f"stacks/{stack}.json", ArtifactKind.PROPOSAL)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PreconditionError(f"{path} can't be read: {error}", hint="plan again in a new run") from error
    outputs: Mapping[str, Any] = document.get("outputs", {})
    return outputs


def _holds_marker(value: Any) -> bool:
    """Whether anything in it is unknown or masked: such a value can't be handed on, it would not be the real one."""
    if isinstance(value, dict):
        return any(name.startswith("$") or _holds_marker(item) for name, item in value.items())
    return isinstance(value, list) and any(_holds_marker(item) for item in value)


def _tool(program: Path, config: Path) -> tuple[str, ...]:
    stat = program.stat()
    return (f"{program}", f"{stat.st_size}:{stat.st_mtime_ns}", config.read_text(encoding="utf-8"))
