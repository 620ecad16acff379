"""What a start decides to do, from what shall run and what does."""

from __future__ import annotations

import pytest

from platformctl.core.command import Child
from platformctl.sandbox.part import OpenPort, Part
from platformctl.sandbox.repair import decide, levels
from platformctl.sandbox.state import Record


def part(name: str, *needs: str, empties_with: tuple[str, ...] = (), argv: tuple[str, ...] = ("program",)) -> Part:
    return Part(name, argv, OpenPort(1), needs=needs, empties_with=empties_with)


CLOUD = {
    one.name: one
    for one in (
        part("aws", empties_with=("aws",)),
        part("etcd", empties_with=("aws",)),
        part("apiserver", "etcd"),
        part("scheduler", "apiserver"),
        part("registry", empties_with=("aws",)),
        part("hosts"),
    )
}
RECORDS = {name: Record(one, Child(1, 1.0, "program", "h", "b"), one.fingerprint()) for name, one in CLOUD.items()}
EVERYTHING = frozenset(CLOUD)


def test_with_nothing_running_everything_is_started_and_nothing_stopped() -> None:
    repair = decide(CLOUD, {}, frozenset())
    assert repair.start == EVERYTHING
    assert not repair.stop


def test_with_everything_running_nothing_is_done() -> None:
    repair = decide(CLOUD, RECORDS, EVERYTHING)
    assert (repair.stop, repair.empty, repair.start) == (frozenset(), frozenset(), frozenset())


def test_a_dead_part_alone_is_started_with_what_it_kept() -> None:
    repair = decide(CLOUD, RECORDS, EVERYTHING - {"etcd"})
    assert repair.start == {"etcd"}
    assert repair.reasons["etcd"] == "it had died"
    assert not repair.empty
    assert not repair.stop


def test_when_aws_died_all_that_described_it_starts_from_nothing_and_what_stands_on_that_again() -> None:
    repair = decide(CLOUD, RECORDS, EVERYTHING - {"aws"})
    assert repair.empty == {"aws", "etcd", "registry"}
    assert repair.start == {"aws", "etcd", "registry", "apiserver", "scheduler"}
    assert repair.stop == {"etcd", "registry", "apiserver", "scheduler"}, "hosts know nothing of AWS"
    assert repair.reasons["scheduler"] == "apiserver starts from nothing"


def test_a_part_whose_settings_changed_is_started_again() -> None:
    changed = {**CLOUD, "scheduler": part("scheduler", "apiserver", argv=("program", "--more"))}
    repair = decide(changed, RECORDS, EVERYTHING)
    assert repair.stop == repair.start == {"scheduler"}
    assert repair.reasons == {"scheduler": "its settings changed"}


def test_a_part_that_is_no_longer_wanted_is_stopped() -> None:
    fewer = {name: one for name, one in CLOUD.items() if name != "hosts"}
    assert decide(fewer, RECORDS, EVERYTHING).stop == {"hosts"}


def test_levels_put_a_part_after_all_it_needs() -> None:
    assert levels(CLOUD, EVERYTHING) == [["aws", "etcd", "hosts", "registry"], ["apiserver"], ["scheduler"]]


def test_needs_that_are_not_asked_for_count_as_met() -> None:
    assert levels(CLOUD, frozenset({"scheduler", "etcd"})) == [["etcd", "scheduler"]]


def test_a_circle_of_needs_is_refused() -> None:
    with pytest.raises(ValueError, match="a, b form a circle"):
        levels({"a": part("a", "b"), "b": part("b", "a")}, frozenset({"a", "b"}))
