"""How a sandbox chooses its ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.sandbox.ports import FIRST, LAST, choose

HERE = Path("/somewhere/.platform/sandbox")


def everything(_: int) -> bool:
    return True


def test_each_name_gets_its_own_port_below_the_ephemeral_ones() -> None:
    chosen = choose(("a", "b", "c"), kept={}, movable=True, directory=HERE, free=everything)
    assert len(set(chosen.values())) == 3
    assert all(FIRST <= port <= LAST < 32_768 for port in chosen.values())


def test_two_directories_begin_at_different_ports() -> None:
    other = choose(("a",), kept={}, movable=True, directory=HERE.parent, free=everything)
    assert other != choose(("a",), kept={}, movable=True, directory=HERE, free=everything)


def test_ports_are_kept() -> None:
    kept = {"a": 25_000, "b": 25_001}
    assert choose(("a", "b"), kept=kept, movable=True, directory=HERE, free=everything, free_soon=everything) == kept


def test_a_new_name_gets_no_port_that_is_kept_for_another() -> None:
    first = choose(("a",), kept={}, movable=True, directory=HERE, free=everything)
    both = choose(("a", "b"), kept=first, movable=False, directory=HERE, free=everything, free_soon=everything)
    assert both["a"] == first["a"] != both["b"]


def test_a_taken_port_is_replaced_while_nothing_runs() -> None:
    chosen = choose(
        ("a",), kept={"a": 25_000}, movable=True, directory=HERE, free=everything, free_soon=lambda port: port != 25_000
    )
    assert chosen["a"] != 25_000


def test_a_taken_port_is_refused_while_other_parts_know_it() -> None:
    with pytest.raises(PreconditionError, match="port 25000 of a is taken by another program"):
        choose(("a",), kept={"a": 25_000}, movable=False, directory=HERE, free_soon=lambda port: port != 25_000)


def test_a_port_our_own_part_serves_on_is_not_taken() -> None:
    chosen = choose(
        ("a",),
        kept={"a": 25_000},
        movable=False,
        directory=HERE,
        serving=frozenset({25_000}),
        free_soon=lambda _: False,
    )
    assert chosen == {"a": 25_000}


def test_no_free_port_at_all_is_told() -> None:
    with pytest.raises(PreconditionError, match="no free port"):
        choose(("a",), kept={}, movable=True, directory=HERE, free=lambda _: False)
