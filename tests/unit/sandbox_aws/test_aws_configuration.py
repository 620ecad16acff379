"""The file that the process is told to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.sandbox.aws.configuration import Configuration
from platformctl.sandbox.aws.eks.lifecycle import Delays, Schedule
from platformctl.testing.clock import FakeClock

LEAST = {"port": 1, "registry_port": 2, "state_directory": "/state"}


def test_the_least_that_is_needed_and_what_the_rest_is_then() -> None:
    read = Configuration.from_json({**LEAST, "registry_upstream": None, "kubernetes": None})
    assert (read.account, read.region, read.host, read.registry_upstream) == (
        "123456789012",
        "ap-northeast-2",
        "127.0.0.1",
        "",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [({"host": "192.0.2.1"}, "127.0.0.1 only"), ({"oops": 1}, "oops"), ({"kubernetes": {"endpoint": "x"}}, "ca_file")],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_with_the_reason(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "aws.json"
    path.write_text(json.dumps({**LEAST, **change}), encoding="utf-8")
    with pytest.raises(PreconditionError, match=said):
        Configuration.read(path)
    with pytest.raises(PreconditionError, match="No such file"):
        Configuration.read(tmp_path / "none.json")


def test_delays_are_changed_all_or_none() -> None:
    delays = Delays()
    delays.change({"cluster": 3, "update": 0.5})
    assert delays.to_json() == {"cluster": 3.0, "nodegroup": 0.0, "addon": 0.0, "update": 0.5, "delete": 0.0}
    for wrong in ({"cluster": -1.0}, {"clutser": 1.0}, {"addon": 1.0, "delete": 99_999.0}):
        with pytest.raises(ValueError, match=r"know|seconds"):
            delays.change(wrong)
    assert delays.addon == 0.0


def test_what_is_due_happens_in_its_order_when_somebody_looks() -> None:
    clock, happened = FakeClock(), list[str]()
    schedule = Schedule(clock)
    schedule.after(5.0, lambda: happened.append("later"))
    schedule.after(1.0, lambda: happened.append("soon"))
    assert (schedule.settle(), schedule.wait()) == (False, 1.0)
    clock.advance(2.0)
    assert schedule.settle()
    assert happened == ["soon"]
    assert schedule.wait() == 3.0
    clock.advance(9.0)
    assert schedule.settle()
    assert (happened, schedule.wait()) == (["soon", "later"], None)
