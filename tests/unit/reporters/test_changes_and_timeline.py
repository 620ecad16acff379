"""Proposals read by their keys, and the geometry of the time axis."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from platformctl.reporters import changes
from platformctl.reporters.changes import Action, Proposal, ValueKind
from platformctl.reporters.timeline import Axis
from platformctl.reporters.view import Span
from platformctl.reporters.wording import clean, duration
from tests.unit.reporters.sample_runs import START, UNKNOWN, secret


def proposal(directory: Path, document: Any) -> Proposal:
    path = directory / "plan.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return changes.read(path, "plan.json")


def span(begin: float, end: float) -> Span:
    return Span(START + timedelta(seconds=begin), START + timedelta(seconds=end))


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DELETE),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["forget"], Action.FORGET),
        (["something-new"], Action.OTHER),
    ],
)
def test_terraform_s_actions_get_one_word(actions: list[str], expected: Action, tmp_path: Path) -> None:
    read = proposal(tmp_path, {"changes": {"x.y": {"actions": actions}}})
    assert [resource.action for resource in read.resources] == [expected]


def test_moves_and_imports_are_told_though_they_change_no_object(tmp_path: Path) -> None:
    moved = {"actions": ["no-op"], "after": {}, "previous_address": "x.old"}
    imported = {"actions": ["no-op"], "after": {}, "importing": "vpc-1"}
    read = proposal(tmp_path, {"changes": {"x.new": moved, "x.vpc": imported, "x.same": {"actions": ["no-op"]}}})
    told = [(resource.address, resource.action, resource.notes) for resource in read.resources]
    assert told == [
        ("x.vpc", Action.IMPORT, ("imported from vpc-1",)),
        ("x.new", Action.MOVE, ("moved from x.old",)),
    ]


def test_attributes_that_do_not_change_are_left_out(tmp_path: Path) -> None:
    update = {"actions": ["update"], "before": {"a": 1, "b": [1, {"c": 2}]}, "after": {"a": 1, "b": [1, {"c": 3}]}}
    read = proposal(tmp_path, {"changes": {"x.y": update}})
    assert [[attribute.path for attribute in resource.attributes] for resource in read.resources] == [["b[1].c"]]


def test_an_update_that_does_not_tell_what_was_there_does_not_claim_that_nothing_was(tmp_path: Path) -> None:
    read = proposal(tmp_path, {"changes": {"x.y": {"actions": ["update"], "after": {"a": 1}}}})
    (attribute,) = read.resources[0].attributes
    assert (attribute.before.kind, attribute.after.text) == (ValueKind.UNTOLD, "1")


def test_the_dangerous_comes_first(tmp_path: Path) -> None:
    kinds = (["create"], ["update"], ["delete"], ["delete", "create"])
    read = proposal(tmp_path, {"changes": {f"x.{number}": {"actions": kind} for number, kind in enumerate(kinds)}})
    assert [resource.action for resource in read.resources] == [
        Action.DELETE, Action.REPLACE, Action.UPDATE, Action.CREATE,
    ]  # fmt: skip


def test_unknown_values_are_marked_wherever_they_stand(tmp_path: Path) -> None:
    created = {"actions": ["create"], "after": {"id": UNKNOWN, "net": {"ips": ["10.0.0.1", UNKNOWN]}, "$$k": "v"}}
    read = proposal(tmp_path, {"changes": {"x.y": created}})
    after = {attribute.path: attribute.after.kind for attribute in read.resources[0].attributes}
    shown, unknown = ValueKind.SHOWN, ValueKind.UNKNOWN
    assert after == {"id": unknown, "net.ips[0]": shown, "net.ips[1]": unknown, "$k": shown}


def test_a_mask_is_never_shown(tmp_path: Path) -> None:
    before = {"rotated": secret("a"), "kept": secret("5")}
    after = {"rotated": secret("b"), "kept": secret("5")}
    read = proposal(tmp_path, {"changes": {"x.y": {"actions": ["update"], "before": before, "after": after}}})
    (attribute,) = read.resources[0].attributes
    assert (attribute.path, attribute.before.kind, attribute.before.text) == ("rotated", ValueKind.MASKED, "")


def test_huge_values_and_very_many_attributes_are_cut(tmp_path: Path) -> None:
    wide = {"actions": ["create"], "after": {f"a{number:03}": "v" * 5000 for number in range(300)}}
    (resource,) = proposal(tmp_path, {"changes": {"x.y": wide}}).resources
    assert (len(resource.attributes), resource.left_out) == (200, 100)
    assert resource.attributes[0].after.text.endswith("… (3000 more characters)")


@pytest.mark.parametrize(
    "document", [[], "text", 3, {"changes": "none"}, {"changes": {"a": 1, "b": {"actions": 2}}}, {}]
)
def test_a_shape_that_nobody_knows_does_not_break_the_report(document: Any, tmp_path: Path) -> None:
    assert proposal(tmp_path, document).resources == ()


def test_output_changes_are_read_alike(tmp_path: Path) -> None:
    read = proposal(tmp_path, {"outputs": {"url": {"actions": ["update"], "before": "a", "after": "b"}}})
    (output,) = read.outputs
    assert (output.address, output.attributes[0].before.text, output.attributes[0].after.text) == ("url", "a", "b")


def test_the_axis_spreads_the_work_over_the_whole_width() -> None:
    axis = Axis([span(0, 10), span(10, 40)], START)
    assert (axis.bar(span(0, 10)).x, axis.bar(span(0, 10)).width) == (0.0, 25.0)
    assert (axis.bar(span(10, 40)).x, axis.bar(span(10, 40)).width) == (25.0, 75.0)
    assert axis.breaks == ()


def test_a_night_of_waiting_takes_a_twentieth_of_the_width() -> None:
    axis = Axis([span(0, 30), span(40_000, 40_030)], START)
    (cut,) = axis.breaks
    assert (cut.bar.x, cut.bar.width, cut.seconds) == (47.5, 5.0, 39_970)
    assert axis.bar(span(40_000, 40_030)).x == 52.5


def test_an_instant_can_still_be_seen_and_nothing_leaves_the_axis() -> None:
    axis = Axis([span(0, 1000), span(1000, 1000)], START)
    bar = axis.bar(span(1000, 1000))
    assert bar.width == 0.4
    assert bar.x + bar.width <= 100.0


def test_an_axis_without_any_step_has_no_bars() -> None:
    assert Axis([], START).breaks == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0s"), (9.94, "9.9s"), (59.4, "59s"), (59.6, "1m00s"), (3725, "1h02m"), (100_000, "1d03h"), (-1, "0.0s")],
)
def test_durations_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("hostile", "text"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        ("a\x08\x00\x9bb", "ab"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("line\r\nnext\ttab", "line\nnext\ttab"),
        ("lone \ud800 surrogate", "lone  surrogate"),
    ],
)
def test_text_from_outside_loses_what_a_terminal_would_obey(hostile: str, text: str) -> None:
    assert clean(hostile) == text
