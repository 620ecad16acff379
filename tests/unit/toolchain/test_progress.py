"""What is shown while programs are made, where nobody watches: a line per change, and now and then a sign of life."""

from __future__ import annotations

import io

from rich.console import Console

from platformctl.cli.tools import PlainProgress
from platformctl.toolchain.found import Phase, Progress


def shown(*signs: Progress) -> list[str]:
    file = io.StringIO()
    with PlainProgress(Console(file=file, soft_wrap=True)) as show:
        for sign in signs:
            show(sign)
    return file.getvalue().splitlines()


def test_each_change_is_a_line_with_the_time_it_took() -> None:
    lines = shown(
        Progress("kwok", Phase.WAITING, "process 7 is making registry", 0.5),
        Progress("kwok", Phase.FETCHING, "k8s.io/api v0.34.4", 2.0, 3),
        Progress("kwok", Phase.BUILDING, "k8s.io/api/core/v1", 9.0, 120),
        Progress("kwok", Phase.DONE, "0.7.0 at /cache/kwok", 61.2),
    )
    assert lines == [
        "kwok: waiting process 7 is making registry (0 s)",
        "kwok: fetching (3 modules) k8s.io/api v0.34.4 (2 s)",
        "kwok: building (120 packages) k8s.io/api/core/v1 (9 s)",
        "kwok: done 0.7.0 at /cache/kwok (61 s)",
    ]


def test_a_long_build_gives_a_line_now_and_then_not_one_a_second() -> None:
    lines = shown(*(Progress("kwok", Phase.BUILDING, "x", float(second), second) for second in range(1, 62)))
    assert len(lines) == 4


def test_a_program_that_is_there_gives_no_line() -> None:
    assert shown(Progress("kwok", Phase.FOUND, "0.7.0 at /cache/kwok")) == []


def test_a_download_shows_how_much_of_how_much() -> None:
    sign = Progress("terraform", Phase.FETCHING, "https://a.example.org/t.zip", 3.0, 10 * 1024**2, 26 * 1024**2)
    assert shown(sign) == ["terraform: fetching 10 MB of 26 MB https://a.example.org/t.zip (3 s)"]
