"""Puts the parts together: which root, which environment, which cloud, which store, and the engine over all of them.

The only module that knows everybody. What it makes is made when it is asked for: a command without AWS imports none.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from platformctl.core.cancel import Cancel
from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Secret

if TYPE_CHECKING:
    from platformctl.cli.command import Output
    from platformctl.core.command import CommandRunner
    from platformctl.core.events import Reporter
    from platformctl.core.objects import ObjectStore
    from platformctl.core.secret import SecretResolver
    from platformctl.engine.execute import Engine
    from platformctl.engine.request import Ask, Question
    from platformctl.process.redact import KnownSecrets
    from platformctl.process.runner import ProcessHost
    from platformctl.spec.environment import Environment
    from platformctl.spec.root import Root
    from platformctl.toolchain import Toolchain
    from platformctl.tools.aws import Account, Session

SANDBOX_LEASE = (10.0, 2.0, 3.0)
"""Time to live, heartbeat and margin in the sandbox, in seconds: who tries out a crash there need not wait for long."""

_ROOT = "platformctl.root"

SECRET_NAMES = ("SECRET", "TOKEN", "PASSWORD")
"""Parts of a variable's name that make its value a secret in the sandbox's connection."""


def start_directory() -> Path:
    """Where the command was told to work: ``-C``, else the working directory."""
    context = click.get_current_context(silent=True)
    directory = context.find_root().meta.get("platformctl.directory") if context is not None else None
    return directory if isinstance(directory, Path) else Path.cwd()


def open_root() -> Root:
    """The root around the start directory. Raises PreconditionError when there is none, SpecError when it is faulty."""
    from platformctl.spec.root import find_root

    context = click.get_current_context(silent=True)
    if context is None:
        return find_root(start_directory())
    # Several ask in one command, and each would parse platform.yaml again.
    known = context.find_root().meta
    if _ROOT not in known:
        known[_ROOT] = find_root(start_directory())
    opened: Root = known[_ROOT]
    return opened


def root() -> Path:
    """The root's folder."""
    return open_root().path


def content_roots() -> tuple[Path, ...]:
    """Where pipelines, stacks and charts are looked for: the user's root first, then what platformctl brings."""
    import platformctl

    package = Path(platformctl.__file__).resolve().parent
    # A checkout has the folders beside the package, a wheel has them inside.
    own = next((folder for folder in (package / "_content", package.parent) if (folder / "pipelines").is_dir()), None)
    roots = [] if (outer := House().root_or_none) is None else [outer]
    if own is not None and own not in roots:
        roots.append(own)
    return tuple(roots)


def environment(name: str) -> Environment:
    """The environment of that name, or of that file. Raises SpecError with every problem."""
    return Site.open(name).environment


def engine(environment: Environment, output: Output, *, reporters: tuple[Reporter, ...] | None = None) -> Engine:
    """The engine for an environment. ``reporters``: instead of the console on stderr."""
    return Site(open_root(), environment).engine(output, reporters=reporters)


@contextmanager
def toolchain() -> Iterator[Toolchain]:
    """The toolchain, its builds ended by Ctrl-C. Works outside a root too."""
    from platformctl.process.signals import stopping
    from platformctl.toolchain import Toolchain

    house, cancel = House(), Cancel()
    with stopping(cancel):
        yield Toolchain(house.root_or_none, None, house.runner(cancel), cancel=cancel)


@dataclass
class House:
    """What does not depend on an environment: processes and the secrets that must not be shown."""

    @cached_property
    def root_or_none(self) -> Path | None:
        """The root's folder; None outside one."""
        try:
            return root()
        except PreconditionError:
            return None

    @cached_property
    def known(self) -> KnownSecrets:
        """Every secret of this process."""
        from platformctl.process.redact import KnownSecrets

        return KnownSecrets()

    @cached_property
    def host(self) -> ProcessHost:
        """Starts processes."""
        from platformctl.core.clock import SystemClock
        from platformctl.process.runner import ProcessHost

        return ProcessHost(self.known, SystemClock(), os.environ)

    def runner(self, cancel: Cancel) -> CommandRunner:
        """Runs commands until ``cancel`` stops."""
        return self.host.bind(cancel=cancel, on_line=None, on_child=None)


class Site(House):
    """One environment of one root, and how it is reached."""

    def __init__(self, root: Root, environment: Environment) -> None:
        self.root = root
        self.environment = environment
        # Looked up here: steps ask in threads of their own, where the command line's context is not known.
        self.roots = content_roots()
        self._sessions: dict[str, Session] = {}

    @classmethod
    def open(cls, name: str) -> Site:
        """The environment of that name, or of that file. Raises SpecError with every problem."""
        from platformctl.spec.loader import environment_path, load_environment

        opened = open_root()
        return cls(opened, load_environment(environment_path(opened.path, name), opened.path, content=content_roots()))

    @cached_property
    def connection(self) -> Mapping[str, str | Secret]:
        """Variables that reach the sandbox's AWS and Kubernetes; empty for a real environment."""
        if not self.environment.cloud.sandbox:
            return {}
        connection = read_connection(self.root.path, self.known)
        endpoint = str(connection.get("AWS_ENDPOINT_URL", ""))
        if endpoint and not _answers(endpoint):
            raise PreconditionError(
                f"the sandbox does not answer at {endpoint}", hint="platformctl sandbox up repairs what died"
            )
        return connection

    def session(self, account: str = "") -> Session:
        """The AWS session of the environment's own account, or of one of its named further accounts."""
        from platformctl.tools import aws

        if account not in self._sessions:
            self._sessions[account] = aws.session(self.account(account), self.connection)
        return self._sessions[account]

    def account(self, name: str = "") -> Account:
        """An account as AWS' adapter takes it, through the caller's own credentials."""
        from platformctl.steps.stack_site import account_of

        return account_of(self.environment, name, None)

    @cached_property
    def secrets(self) -> SecretResolver:
        """Resolves the environment's references; what is resolved is redacted from then on."""
        from platformctl.spec.secrets import LocalSecretResolver
        from platformctl.tools.aws import AwsSecretResolver

        return LocalSecretResolver(self.known, AwsSecretResolver(self.session, self.known), os.environ)

    @cached_property
    def bucket(self) -> ObjectStore | None:
        """The state bucket; None for an environment without one."""
        from platformctl.tools.aws import S3ObjectStore

        state = self.environment.state
        if state is None:
            return None
        account = self.account()
        return S3ObjectStore(self.session().client("s3"), state.bucket, state.prefix or "", owner=account.id)

    @cached_property
    def leases(self) -> ObjectStore:
        """Where leases live: the state bucket, else a folder of this user's, which other machines do not see."""
        if self.bucket is not None:
            return self.bucket
        import platformdirs

        from platformctl.engine.disk_store import DiskObjectStore

        name = hashlib.sha256(str(self.root.path.resolve()).encode()).hexdigest()[:16]
        return DiskObjectStore(platformdirs.user_state_path("platformctl") / "leases" / name)

    def content(self, relative: str) -> Path:
        """A file or folder of ours: the user's root first, then what platformctl brings."""
        for folder in self.roots:
            if (folder / relative).exists():
                return folder / relative
        looked = ", ".join(map(str, self.roots))
        raise PreconditionError(f"{relative} does not exist", hint=f"looked for in {looked}; is the name right?")

    def program(self, name: str) -> Path:
        """An external program's path, looked for once. Raises PreconditionError with what to do."""
        return self._toolchain.find(name)

    @cached_property
    def _toolchain(self) -> Toolchain:
        from platformctl.toolchain import Toolchain

        return Toolchain(self.root.path, None, self.runner(Cancel()))

    def engine(self, output: Output, *, reporters: tuple[Reporter, ...] | None = None) -> Engine:
        """The engine. ``reporters``: instead of the console on stderr."""
        from zoneinfo import ZoneInfo

        from platformctl.core.clock import SystemClock
        from platformctl.engine.execute import Engine
        from platformctl.engine.lease import LEASE_TIMES, LeaseTimes
        from platformctl.reporters.console import console_reporter

        clock, zone = SystemClock(), ZoneInfo(self.environment.timezone)
        if reporters is None:
            reporters = (console_reporter(output.progress, zone=zone, clock=clock),)
        return Engine(
            root=self.root.path,
            runs=self.root.path / ".platform" / "runs",
            host=self.host,
            programs=self.program,
            content=self.content,
            secrets=self.secrets,
            redactor=self.known,
            clock=clock,
            leases=self.leases,
            records=self.bucket,
            reporters=reporters,
            connection=self.connection,
            lease_times=LeaseTimes(*SANDBOX_LEASE) if self.environment.cloud.sandbox else LEASE_TIMES,
            ask=None if output.json or not (sys.stdin.isatty() and sys.stderr.isatty()) else asking(output),
        )


def asking(output: Output) -> Ask:
    """Asks a gate's question at the terminal."""

    def ask(question: Question) -> bool | None:
        for line in (f"\n{question.text}", *(f"  {proposal}" for proposal in question.proposals), question.digest):
            output.progress.print(line, markup=False)
        while True:
            answer = _typed(output, "yes, no, or later? ")
            if answer in {"yes", "y", "no", "n"}:
                return answer.startswith("y")
            if answer in {"later", ""}:
                return None

    return ask


def _typed(output: Output, prompt: str) -> str:
    """A line from the terminal, lower-case; empty at its end (Ctrl-D). Raises Interrupted for Ctrl-C."""
    from platformctl.process.signals import raising

    with raising():  # before the prompt: who sees it may leave at once
        output.progress.print(prompt, end="")
        return sys.stdin.readline().strip().lower()


def _answers(endpoint: str) -> bool:
    """Whether somebody listens there: a sandbox that was killed, or a machine started anew, leaves its address."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(endpoint)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5.0).close()
    except OSError:
        return False
    return True


def read_connection(root: Path, known: KnownSecrets) -> Mapping[str, str | Secret]:
    """The variables of ``.platform/sandbox/connection.json``. Raises PreconditionError while the sandbox is down."""
    path = root / ".platform" / "sandbox" / "connection.json"
    try:
        variables = json.loads(path.read_text(encoding="utf-8"))["environment"]
    except FileNotFoundError:
        raise PreconditionError("the sandbox is not up", hint="platformctl sandbox up") from None
    except (OSError, ValueError, KeyError) as error:
        raise PreconditionError(f"{path} cannot be read: {error}", hint="platformctl sandbox up") from None
    connection: dict[str, str | Secret] = {}
    for name, value in variables.items():
        secret = any(part in name for part in SECRET_NAMES)
        connection[name] = Secret(value, f"sandbox:{name}") if secret else value
        if secret:
            known.add(Secret(value, f"sandbox:{name}"))
    return connection
