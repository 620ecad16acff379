"""Every file keeps the habits of the house; and each check can fail, which is shown on a bad sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import house
from tests.conformance.house import Check

PRODUCT_CHECKS: tuple[Check, ...] = (
    house.short_file,
    house.short_functions,
    house.named_by_subject,
    house.introduced,
    house.documented,
    house.finished,
    house.silent,
    house.startless,
)
TEST_CHECKS: tuple[Check, ...] = (
    house.short_file,
    house.named_by_subject,
    house.introduced,
    house.finished,
    house.without_patching,
)

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 41
BAD: tuple[tuple[Check, str, str], ...] = (
    (house.short_file, "steps/x.py", "x = 1\n" * 400),
    (house.short_functions, "steps/x.py", LONG_FUNCTION),
    (house.short_functions, "steps/x.py", "class A:\n    async " + LONG_FUNCTION.replace("\n    ", "\n        ")),
    (house.named_by_subject, "steps/utils.py", ""),
    (house.named_by_subject, "common/x.py", ""),
    (house.named_by_subject, "steps/x.py", "class StringHelpers: ..."),
    (house.introduced, "steps/x.py", "x = 1\n"),
    (house.documented, "steps/x.py", "def run(): ...\n"),
    (house.documented, "steps/x.py", "class A:\n    '''An A.'''\n    def run(self): ...\n"),
    (house.finished, "steps/x.py", "x = 1  # TO" + "DO: later\n"),
    (house.finished, "steps/x.py", "'FIX" + "ME'\n"),
    (house.silent, "steps/x.py", "print(1)\n"),
    (house.silent, "steps/x.py", "import sys\nsys.stdout.write('')\n"),
    (house.startless, "steps/x.py", "import subprocess\n"),
    (house.startless, "steps/x.py", "from subprocess import run\n"),
    (house.startless, "cli/x.py", "import os\nos.execv('/bin/true', ['true'])\n"),
    (house.startless, "cli/x.py", "import os\nos.system('true')\n"),
    (house.startless, "cli/x.py", "from os import fork\n"),
    (house.without_patching, "x.py", "from unittest import mo" + "ck\n"),
    (house.without_patching, "x.py", "import unittest.mo" + "ck\n"),
    (house.without_patching, "x.py", "def test(monkeypatch):\n    monkeypatch.setattr(a, 'b', 1)\n"),
)


def shown(path: Path) -> str:
    return str(path.relative_to(house.ROOT))


@pytest.mark.parametrize("check", PRODUCT_CHECKS, ids=lambda check: check.__name__)
def test_every_product_file_is(check: Check) -> None:
    wrong = [
        f"{shown(path)}: {fault}"
        for path in house.product_files()
        for fault in check(path, path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("check", TEST_CHECKS, ids=lambda check: check.__name__)
def test_every_test_file_is(check: Check) -> None:
    wrong = [
        f"{shown(path)}: {fault}"
        for path in house.test_files()
        for fault in check(path, path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("check", "name", "source"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_a_bad_sample_is_found(check: Check, name: str, source: str) -> None:
    assert list(check(house.ROOT / "platformctl" / name, source))


def test_there_is_something_to_check() -> None:
    assert len(house.product_files()) > 50
    assert len(house.test_files()) > 50


def test_process_may_start_processes_and_cli_may_print() -> None:
    assert not list(house.startless(house.ROOT / "platformctl/process/x.py", "import subprocess\n"))
    assert not list(house.silent(house.ROOT / "platformctl/cli/x.py", "print(1)\n"))
