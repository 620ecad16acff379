"""The habits of the house, as checks over one Python file: each returns what is wrong with it, as sentences."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 40
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "data"}
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")  # in pieces: this file is checked too
STARTERS = {"subprocess", "multiprocessing", "pty"}
STARTING_CALLS = re.compile(r"^(exec|spawn|posix_spawn|fork)|^(system|popen)$")

Check = Callable[[Path, str], Iterator[str]]


def product_files() -> list[Path]:
    """Every Python file that users get; what a build generated is none of ours."""
    folders = (ROOT / "platformctl", ROOT / "pipelines")
    return sorted(file for folder in folders for file in folder.rglob("*.py") if "_content" not in file.parts)


def test_files() -> list[Path]:
    """Every Python file of the tests but recorded samples."""
    return sorted(file for file in (ROOT / "tests").rglob("*.py") if "recordings" not in file.parts)


def short_file(path: Path, source: str) -> Iterator[str]:
    """A file is read in one sitting."""
    count = len(source.splitlines())
    if count >= LONGEST_FILE:
        yield f"{count} lines; the limit is {LONGEST_FILE}"


def short_functions(path: Path, source: str) -> Iterator[str]:
    """A function fits on a screen; its docstring does not count."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            first = node.body[1:2] if ast.get_docstring(node, clean=False) is not None else node.body[:1]
            count = node.end_lineno - first[0].lineno + 1 if first else 0
            if count >= LONGEST_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {count} lines; the limit is {LONGEST_FUNCTION}"


def named_by_subject(path: Path, source: str) -> Iterator[str]:
    """No module, folder, function or class is called by what says nothing."""
    parts = path.relative_to(ROOT).with_suffix("").parts if path.is_relative_to(ROOT) else (path.stem,)
    yield from (f"the name {part!r} says nothing" for part in parts if part in BANNED_NAMES)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            words = {word.lower() for word in re.split(r"_|(?<=[a-z])(?=[A-Z])", node.name)}
            if words & {"utils", "helpers", "misc"}:
                yield f"line {node.lineno}: the name {node.name!r} says nothing"


def introduced(path: Path, source: str) -> Iterator[str]:
    """A module's docstring says what lives here."""
    if source.strip() and not (ast.get_docstring(ast.parse(source)) or "").strip():
        yield "no docstring says what lives here"


def documented(path: Path, source: str) -> Iterator[str]:
    """Public classes, functions and methods say what they do."""
    for outer in ast.walk(ast.parse(source)):
        if not isinstance(outer, ast.Module | ast.ClassDef) or getattr(outer, "name", "").startswith("_"):
            continue
        protocol = isinstance(outer, ast.ClassDef) and "Protocol" in {ast.unparse(parent) for parent in outer.bases}
        for node in outer.body:
            if (
                isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and not node.name.startswith("_")
                and ast.get_docstring(node) is None
                and not (protocol and _says_nothing_more(node))
                and "overload" not in {ast.unparse(mark) for mark in node.decorator_list}
            ):
                yield f"line {node.lineno}: {node.name} has no docstring"


def finished(path: Path, source: str) -> Iterator[str]:
    """Nothing is left for later."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := UNFINISHED.search(line):
            yield f"line {number}: {found.group(0)!r}"


def silent(path: Path, source: str) -> Iterator[str]:
    """Only ``cli`` prints."""
    if (ROOT / "platformctl" / "cli") in path.parents:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}:
            yield f"line {node.lineno}: prints"


INIT = ROOT / "platformctl" / "sandbox" / "hosts" / "host.py"
"""Another machine's first process: it starts nothing, it becomes sshd, with nothing of ours around it."""


def startless(path: Path, source: str) -> Iterator[str]:
    """Only ``process`` can start processes: others cannot even name what does."""
    if (ROOT / "platformctl" / "process") in path.parents or path == INIT:
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names = {alias.name.split(".")[0] for alias in node.names}
            case ast.ImportFrom():
                names = {(node.module or "").split(".")[0]}
                starting = {alias.name for alias in node.names if STARTING_CALLS.match(alias.name)}
                names |= STARTERS if node.module == "os" and starting else set()
            case ast.Attribute(value=ast.Name(id="os")) if STARTING_CALLS.match(node.attr):
                names = STARTERS
            case _:
                continue
        if names & STARTERS:
            yield f"line {node.lineno}: {ast.unparse(node)} can start processes"


def without_patching(path: Path, source: str) -> Iterator[str]:
    """Fakes are public classes that refuse what was not scripted; nobody patches our code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) and re.search(r"\bmock\b", ast.unparse(node)):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr":
            yield f"line {node.lineno}: patches {ast.unparse(node.args[0]) if node.args else 'something'}"


def _says_nothing_more(node: ast.stmt) -> bool:
    """A protocol's member whose name and type say all: its body is ``...``."""
    return isinstance(node, ast.FunctionDef) and [ast.unparse(part) for part in node.body] == ["..."]
