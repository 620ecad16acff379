"""Starts a program, and says in the user's words why it could not be started."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from platformctl.core.command import Command
from platformctl.core.errors import PlatformError, PreconditionError, ToolError, TransientError
from platformctl.core.secret import Secret
from platformctl.process.environment import allowed

_FOR_NOW = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY}

Target = int | IO[bytes]


def environment(command: Command, environ: Mapping[str, str]) -> dict[str, str]:
    """What the program sees: the allowed part of ours, and what its command adds."""
    added = {name: value.reveal() if isinstance(value, Secret) else value for name, value in command.env.items()}
    return allowed(environ) | added


def spawn(
    command: Command, env: Mapping[str, str], *, stdin: Target, stdout: Target, stderr: Target
) -> subprocess.Popen[bytes]:
    """Starts the program as the leader of a session and process group of its own.

    A session of its own has no terminal: Ctrl-C reaches us alone, and a program that would like to ask for a password
    fails in place of hanging. Raises PreconditionError, TransientError or ToolError; nothing runs then.
    """
    try:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            close_fds=True,
            start_new_session=True,
        )
    except OSError as error:
        raise _explained(command, error, env) from error
    except ValueError as error:  # a NUL in argv or in a variable cannot be handed to any program
        raise PreconditionError(f"cannot start {_name(command)}: {error}") from error


def _explained(command: Command, error: OSError, env: Mapping[str, str]) -> PlatformError:
    name, path = _name(command), Path(command.argv[0])
    if error.errno in _FOR_NOW:
        return TransientError(f"cannot start {name}: {error.strerror}", hint="is the machine full?")
    if command.cwd is not None and not command.cwd.is_dir():
        return PreconditionError(f"cannot start {name}: its working directory {command.cwd} does not exist")
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR if path.name != command.argv[0] and path.is_file():
            cause = f"{path} is there, but not what it needs to run"
            hint = "the interpreter in its first line, or the dynamic loader it was built for, is missing"
        case errno.ENOENT | errno.ENOTDIR:
            cause = _searched(env) if path.name == command.argv[0] else f"{path} does not exist"
            hint = f"install {name}; `platformctl doctor` shows what is missing"
        case errno.EACCES | errno.EPERM:
            cause, hint = f"{error.strerror}", f"is {path} executable, and its file system not mounted noexec?"
        case errno.ENOEXEC:
            cause = f"not a program for this machine ({os.uname().machine})"
            hint = f"is {path} built for another processor, or a script without its #! line?"
        case _:
            return ToolError(f"cannot start {name}: {error.strerror or error}")
    return PreconditionError(f"cannot start {name}: {cause}", hint=hint)


def _searched(env: Mapping[str, str]) -> str:
    return f"not found on PATH ({env.get('PATH', '') or 'which is empty'})"


def _name(command: Command) -> str:
    return Path(command.argv[0]).name
