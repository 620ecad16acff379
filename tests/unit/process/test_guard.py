"""The guard's protocol: what it believes to run when the pipe ends. Its signals meet real processes elsewhere."""

from __future__ import annotations

import os

import pytest

from platformctl.process import guard


def noted(*lines: bytes) -> dict[str, guard.Group]:
    groups: dict[str, guard.Group] = {}
    for line in lines:
        guard.note(groups, line, [])
    return groups


def test_a_child_is_known_from_its_announcement_to_its_end() -> None:
    groups = noted(b"? one 10", b"+ one 4711 99", b"? two 0.5", b"- one")
    assert list(groups) == ["two"]
    assert (groups["two"].pid, groups["two"].grace) == (0, 0.5)


def test_a_child_that_was_reported_has_pid_and_start_time() -> None:
    groups = noted(b"? one 10", b"+ one 4711 99")
    assert (groups["one"].pid, groups["one"].start) == (4711, "99")


def test_each_childs_pipes_come_in_the_order_of_the_reports_and_are_closed_at_its_end() -> None:
    pipes = [os.dup(0) for _ in range(4)]
    groups: dict[str, guard.Group] = {}
    waiting = list(pipes)
    for line in (b"? one 1", b"? two 1", b"+ two 2 -", b"+ one 1 -", b"- two"):
        guard.note(groups, line, waiting)
    assert (groups["one"].pipes, waiting) == (pipes[2:], [])
    groups["one"].close()
    for pipe in pipes:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(pipe)


def test_reports_about_children_nobody_announced_are_left_out() -> None:
    assert noted(b"+ one 4711 99", b"- two") == {}


def test_a_group_whose_number_belongs_to_another_process_now_is_gone() -> None:
    ours = guard.Group(1.0)
    ours.pid, ours.start = os.getpid(), "1"
    assert ours.gone()


def test_nobody_left_is_nothing_to_do() -> None:
    guard.end({})
