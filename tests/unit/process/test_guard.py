"""The guard's protocol: what it believes to run when the pipe ends. Its signals meet real processes elsewhere."""

from __future__ import annotations

from platformctl.process import guard


def test_a_child_is_known_from_its_announcement_to_its_end() -> None:
    groups = guard.read([b"? one 10\n", b"+ one 4711 99\n", b"? two 0.5\n", b"- one\n"])
    assert list(groups) == ["two"]
    assert (groups["two"].pid, groups["two"].grace) == (0, 0.5)


def test_a_child_that_was_reported_has_pid_and_start_time() -> None:
    groups = guard.read([b"? one 10\n", b"+ one 4711 99\n"])
    assert (groups["one"].pid, groups["one"].start) == (4711, "99")


def test_reports_about_children_nobody_announced_are_left_out() -> None:
    assert guard.read([b"+ one 4711 99\n", b"- two\n"]) == {}


def test_a_group_whose_number_belongs_to_another_process_now_is_gone() -> None:
    import os

    ours = guard.Group(1.0)
    ours.pid, ours.start = os.getpgrp(), "1"
    assert ours.gone()


def test_nobody_left_is_nothing_to_do() -> None:
    guard.end({})
