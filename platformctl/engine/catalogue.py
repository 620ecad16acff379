"""Finds and loads pipelines: ``pipelines/<folder>/pipeline.py``, each with exactly one PIPELINE value.

The only place that runs a pipeline's file. Its shape is checked here, so that the rest of the engine may rely on it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from platformctl.core.errors import PlatformError, Problem, SpecError, UsageError
from platformctl.engine.pipeline import Pipeline

FILE = "pipeline.py"
_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")


def find_pipelines(roots: Iterable[Path]) -> dict[str, Path]:
    """Name -> file of every pipeline, sorted by name. Of the same folder in several roots the first counts: the user's
    before the wheel's. The name is the folder's with ``-`` for ``_``; no file is run."""
    found: dict[str, Path] = {}
    for root in roots:
        folder = root / "pipelines"
        for file in sorted(folder.glob(f"*/{FILE}")) if folder.is_dir() else ():
            found.setdefault(file.parent.name.replace("_", "-"), file)
    return dict(sorted(found.items()))


def load_pipeline(path: Path) -> Pipeline:
    """Runs the file and returns its PIPELINE.

    Raises SpecError with ``file:line`` of every fault: no such file, a syntax error, an exception while it runs, no or
    more than one pipeline, a name that does not match its folder, stages or parameters of one name.
    """
    module = _run(path)
    values = [name for name, value in vars(module).items() if isinstance(value, Pipeline)]
    pipeline = getattr(module, "PIPELINE", None)
    if not isinstance(pipeline, Pipeline) or len(values) != 1:
        named = f"found: {', '.join(values)}" if values else "found none"
        raise SpecError([Problem(str(path), 0, f"wants exactly one pipeline, in a value named PIPELINE; {named}")])
    problems = [Problem(str(path), _line(path, word), message) for word, message in _faults(pipeline, path)]
    if problems:
        raise SpecError(problems)
    return pipeline


def named_pipeline(name: str, roots: Iterable[Path]) -> Pipeline:
    """The pipeline of that name. Raises UsageError with "did you mean", SpecError."""
    import difflib

    found = find_pipelines(roots)
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no pipeline {name!r}", hint=f"{meant}there are: {', '.join(found) or 'none'}")
    return load_pipeline(found[name])


def _run(path: Path) -> ModuleType:
    # A name of its own: two roots may both have a pipeline of one name, and nothing may import it by accident.
    name = f"_platformctl_pipeline_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SpecError([Problem(str(path), 0, "no such file")], hint="a pipeline is pipelines/<name>/pipeline.py")
    module = importlib.util.module_from_spec(spec)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # the root is the user's; we leave no __pycache__ in it
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise SpecError([Problem(str(path), error.lineno or 0, f"syntax error: {error.msg}")]) from error
    except Exception as error:
        raise SpecError([Problem(str(path), _raised_at(path, error), _said(error))]) from error
    finally:
        sys.dont_write_bytecode = before
        del sys.modules[name]
    return module


def _faults(pipeline: Pipeline, path: Path) -> Iterator[tuple[str, str]]:
    """A word to find the line by, and the message."""
    if not _KEBAB.fullmatch(pipeline.name):
        yield pipeline.name, f"the pipeline's name {pipeline.name!r} is not kebab-case"
    elif path.parent.name != pipeline.name.replace("-", "_"):
        yield pipeline.name, f"pipeline {pipeline.name!r} lives in the folder {pipeline.name.replace('-', '_')!r}"
    if not pipeline.description.strip():
        yield "PIPELINE", "the pipeline has no description"
    if not pipeline.stages:
        yield "PIPELINE", "the pipeline has no stages"
    parameters = [parameter.name for parameter in pipeline.parameters]
    for stage in pipeline.stages:
        if not _KEBAB.fullmatch(stage.name):
            yield stage.name, f"the stage's name {stage.name!r} is not kebab-case"
        if stage.gate is not None and stage.gate.confirm and stage.gate.confirm not in parameters:
            yield stage.gate.confirm, f"stage {stage.name!r} wants the parameter {stage.gate.confirm!r} to confirm"
    for name in parameters:
        if not _PARAMETER.fullmatch(name):
            yield name, f"the parameter's name {name!r} is not snake_case"
    yield from ((name, f"two stages are named {name!r}") for name in _twice(stage.name for stage in pipeline.stages))
    yield from ((name, f"two parameters are named {name!r}") for name in _twice(parameters))


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _line(path: Path, word: str) -> int:
    """The line that names it last in quotes or bare; 0 when none does."""
    lines = path.read_text(encoding="utf-8").splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if f'"{word}"' in line or line.startswith(word)]
    return numbers[-1] if numbers else 0


def _raised_at(path: Path, error: BaseException) -> int:
    """The line of the pipeline's own file that the exception went through last."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return frames[-1].lineno or 0 if frames else 0


def _said(error: Exception) -> str:
    return error.message if isinstance(error, PlatformError) else f"{type(error).__name__}: {error}"
