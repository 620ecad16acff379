"""Puts the parts together: which root, which environment, which cloud, which store, and the engine over all of them.

The only module that knows everybody. What it makes is made when it is asked for: a command that needs no AWS imports none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from platformctl.core.cancel import Cancel
from platformctl.core.errors import Interrupted, PreconditionError
from platformctl.core.secret import Secret

if TYPE_CHECKING:
    from platformctl.cli.command import Output
    from platformctl.core.command import CommandRunner
    from platformctl.core.events import Reporter
    from platformctl.core.objects import ObjectStore
    from platformctl.core.secret import SecretResolver
    from platformctl.engine.execute import Engine
    from platformctl.process.redact import KnownSecrets
    from platformctl.process.runner import ProcessHost
    from platformctl.spec.environment import Environment
    from platformctl.spec.root import Root
    from platformctl.toolchain import Toolchain
    from platformctl.tools.aws import Session

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

    return find_root(start_directory())


def root() -> Path:
    """The root's folder."""
    return open_root().path


@contextmanager
def interruptible() -> Iterator[tuple[Cancel, Cancel]]:
    """Turns SIGINT and SIGTERM into requests to stop: the first signal stops the first scope, a second one both."""
    cancel, hurry = Cancel(), Cancel()

    def handle(signum: int, _frame: FrameType | None) -> None:
        if cancel.reason is not None:
            hurry.stop(Interrupted(signum))
        cancel.stop(Interrupted(signum))

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel, hurry
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def toolchain() -> Iterator[Toolchain]:
    """The toolchain, its builds ended by Ctrl-C. Works outside a root too."""
    from platformctl.toolchain import Toolchain

    house = House()
    with interruptible() as (cancel, _):
        yield Toolchain(house.root_or_none, None, house.runner(cancel))


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
        self._sessions: dict[str, Session] = {}

    @classmethod
    def open(cls, name: str) -> Site:
        """The environment of that name, or of that file. Raises SpecError with every problem."""
        from platformctl.spec.loader import environment_path, load_environment

        opened = open_root()
        return cls(opened, load_environment(environment_path(opened.path, name), opened.path))

    @cached_property
    def connection(self) -> Mapping[str, str | Secret]:
        """Variables that reach the sandbox's AWS and Kubernetes; empty for a real environment."""
        if not self.environment.cloud.sandbox:
            return {}
        return read_connection(self.root.path, self.known)

    def session(self, account: str = "") -> Session:
        """The AWS session of the environment's own account, or of one of its named further accounts."""
        from platformctl.tools import aws

        if account not in self._sessions:
            self._sessions[account] = aws.session(self.account(account), self.connection)
        return self._sessions[account]

    @cached_property
    def secrets(self) -> SecretResolver:
        """Resolves the environment's references; what is resolved is redacted from then on."""
        from platformctl.spec.secrets import LocalSecretResolver
        from platformctl.tools.aws import AwsSecretResolver

        return LocalSecretResolver(self.known, AwsSecretResolver(self.session, self.known), os.environ)
