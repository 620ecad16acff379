"""Proposals read by their keys, and the geometry of the time axis."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from platformctl.reporters import changes
from platformctl.reporters.changes import Action, Proposal, ValueKind
from platformctl.reporters.history import Span
from platformctl.reporters.timeline import Axis
from platformctl.reporters.wording import clean, duration
from tests.unit.reporters.sample_runs import START, change


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
    read = proposal(tmp_path, {"stack": "a", "resources": [change("x.y", actions, {}, {})]})
    assert [resource.action for resource in read.resources] == [expected]


def test_what_does_not_change_is_left_out(tmp_path: Path) -> None:
    same = change("x.same", ["no-op"], {"a": 1}, {"a": 1})
    update = change("x.y", ["update"], {"a": 1, "b": [1, {"c": 2}]}, {"a": 1, "b": [1, {"c": 3}]})
    read = proposal(tmp_path, {"resources": [same, update]})
    assert [[attribute.path for attribute in resource.attributes] for resource in read.resources] == [["b[1].c"]]


def test_the_dangerous_comes_first(tmp_path: Path) -> None:
    kinds = (["create"], ["update"], ["delete"], ["delete", "create"])
    resources = [change(f"x.{number}", kind, {}, {}) for number, kind in enumerate(kinds)]
    read = proposal(tmp_path, {"resources": resources})
    assert [resource.action for resource in read.resources] == [
        Action.DELETE, Action.REPLACE, Action.UPDATE, Action.CREATE,
    ]  # fmt: skip


def test_unknown_values_are_marked_and_nested_marks_are_found(tmp_path: Path) -> None:
    created = change("x.y", ["create"], None, {"name": "n", "net": {}}, unknown={"id": True, "net": {"ip": True}})
    read = proposal(tmp_path, {"resources": [created]})
    after = {attribute.path: attribute.after.kind for attribute in read.resources[0].attributes}
    assert after["id"] is ValueKind.UNKNOWN
    assert after["net.ip"] is ValueKind.UNKNOWN


def test_a_mask_is_never_shown(tmp_path: Path) -> None:
    rotated = change("x.y", ["update"], {"p": "hmac:aaa", "q": "hmac:same"}, {"p": "hmac:bbb", "q": "hmac:same"})
    read = proposal(tmp_path, {"resources": [rotated]})
    (attribute,) = read.resources[0].attributes
    assert (attribute.path, attribute.before.kind, attribute.before.text) == ("p", ValueKind.MASKED, "")


def test_huge_values_and_very_many_attributes_are_cut(tmp_path: Path) -> None:
    wide = change("x.y", ["create"], None, {f"a{number:03}": "v" * 5000 for number in range(300)})
    read = proposal(tmp_path, {"resources": [wide]})
    (resource,) = read.resources
    assert (len(resource.attributes), resource.left_out) == (200, 100)
    assert resource.attributes[0].after.text.endswith("… (3000 more characters)")


@pytest.mark.parametrize("document", [[], "text", 3, {"resources": "none"}, {"resources": [1, None]}, {}])
def test_a_shape_that_nobody_knows_does_not_break_the_report(document: Any, tmp_path: Path) -> None:
    assert proposal(tmp_path, document).resources == ()


def test_output_changes_may_be_a_list_or_an_object_by_name(tmp_path: Path) -> None:
    entry = {"actions": ["update"], "before": "a", "after": "b"}
    by_name = proposal(tmp_path, {"outputs": {"url": entry}})
    listed = proposal(tmp_path, {"outputs": [{"name": "url", **entry}]})
    assert by_name.outputs == listed.outputs
    assert by_name.outputs[0].address == "url"


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
