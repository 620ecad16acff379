"""The tests' own proof can fail: product code that starts a process, and a secret in an argv, are both found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from platformctl.core.command import Command
from tests.audit.process_audit import STARTS, Audit, Refused, forbidding
from tests.integration.process.conftest import Bench
from tests.integration.process.programs import python

PRODUCT = Path(__file__).parents[3] / "platformctl"
STARTERS = [
    "import subprocess; subprocess.run([PYTHON, '-c', ''])",
    "import os; os.system('true')",
    "import os; os.posix_spawn(PYTHON, [PYTHON, '-c', ''], {})",
    "import os; os.fork() or os._exit(0)",
    "import os; os.execv(PYTHON, [PYTHON, '-c', ''])",
    "import platform, subprocess; subprocess.check_output(['uname'])",
]


def as_if_in(path: Path, source: str) -> None:
    exec(compile(source, str(path), "exec"), {"PYTHON": sys.executable})  # noqa: S102 - the file's name is the point


@pytest.mark.parametrize("source", STARTERS, ids=lambda source: source.split(";")[1].strip()[:24])
def test_product_code_that_starts_a_process_is_found(audit: Audit, source: str) -> None:
    with pytest.raises(Refused, match=r"steps/bad\.py:1 starts"):
        as_if_in(PRODUCT / "steps" / "bad.py", source)
    assert len(audit.take()) == 1


def test_it_is_found_even_if_the_error_is_swallowed(audit: Audit) -> None:
    as_if_in(PRODUCT / "tools" / "bad.py", "import os\ntry: os.system('true')\nexcept Exception: pass")
    assert len(audit.take()) == 1


def test_process_itself_and_tests_may(audit: Audit) -> None:
    as_if_in(PRODUCT / "process" / "good.py", STARTERS[0])
    subprocess.run((sys.executable, "-c", ""), check=True)
    assert audit.take() == []


def test_a_platformctl_that_a_test_starts_is_watched_too(audit: Audit, bench: Bench) -> None:
    source = f"exec(compile('import os; os.system(\"true\")', {str(PRODUCT / 'steps' / 'bad.py')!r}, 'exec'))"
    subprocess.run((sys.executable, "-c", source), stderr=subprocess.DEVNULL, check=False)
    assert len(audit.take()) == 1
    command = Command((sys.executable, "-c", f"platformctl = 1; {source}"), ok_codes=(0, 1))
    bench.runner.run(command)
    assert len(audit.take()) == 1


def test_a_canary_in_an_argv_is_found_wherever_it_stands(
    audit: Audit, bench: Bench, canary: Callable[[str], str]
) -> None:
    value = canary("token")
    with pytest.raises(Refused, match="a canary secret stands in the argv"):
        bench.runner.run(python("", f"--token={value}"))
    source = f"import subprocess; subprocess.run(['true', '{value[:20]}' + '{value[20:]}'])"
    subprocess.run((sys.executable, "-c", source), stderr=subprocess.DEVNULL, check=False)
    assert len(audit.take()) == 2


def test_a_canary_in_the_environment_is_fine(audit: Audit, bench: Bench, canary: Callable[[str], str]) -> None:
    bench.runner.run(python("", env={"TOKEN": canary("token")}))
    assert audit.take() == []


def test_a_tier_without_processes_refuses_them_even_to_tests(audit: Audit) -> None:
    with forbidding(audit, STARTS), pytest.raises(Refused, match="a unit test needs neither"):
        subprocess.run((sys.executable, "-c", ""), check=False)
    assert len(audit.take()) == 1
