"""Secrets that cannot be printed, durations, canonical JSON, events and the request to stop."""

from __future__ import annotations

import json
import pickle
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platformctl.core.cancel import Cancel
from platformctl.core.canonical import canonical, digest
from platformctl.core.clock import Duration, SystemClock
from platformctl.core.command import Command
from platformctl.core.errors import Interrupted, StepFailed
from platformctl.core.events import Event, EventKind
from platformctl.core.secret import Secret, SecretRef, SecretSource


def test_a_secret_shows_its_source_and_never_its_value() -> None:
    secret = Secret("hunter2-hunter2", "env:TOKEN")
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret:>40}", f"{[secret]}"):
        assert "hunter2" not in shown
        assert "env:TOKEN" in shown


def test_a_secret_is_not_serialised() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2-hunter2"))
    with pytest.raises(TypeError):
        json.dumps({"token": Secret("hunter2-hunter2")})


def test_secrets_compare_by_value_and_an_empty_one_is_false() -> None:
    assert Secret("a", "one") == Secret("a", "two")
    assert hash(Secret("a", "one")) == hash(Secret("a", "two"))
    assert Secret("a") != Secret("b")
    assert not Secret("")


def test_a_secret_reference_names_the_field_it_picks() -> None:
    assert str(SecretRef(SecretSource.AWS_SECRETS_MANAGER, "db", key="password")) == "aws_secret:db#password"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("2d", 172_800), ("250ms", 0.25), ("1.5h", 5400), (" 5m ", 300)]
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert Duration.parse(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "5 m", "-5s", "5s!", "1h 30m", "five minutes"])
def test_a_duration_without_unit_or_with_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)


@given(st.integers(min_value=0, max_value=10**7))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    assert Duration.parse(str(Duration(seconds))).seconds == seconds


def test_canonical_json_sorts_keys_and_keeps_large_integers_exact() -> None:
    assert canonical({"b": 1, "a": [True, None, 2**60]}) == b'{"a":[true,null,"1152921504606846976"],"b":1}'


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": (2,)}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({}).startswith("sha256:")


def test_an_event_survives_its_json_form() -> None:
    event = Event(
        datetime(2026, 9, 26, 10, 15, tzinfo=UTC), EventKind.STEP_STARTED, "run", "plan", "plan/a", {"attempt": 1}
    )
    document = json.loads(json.dumps(event.to_json()))
    assert document["time"] == "2026-09-26T10:15:00.000Z"
    assert Event.from_json(document) == event


def test_a_command_is_shown_quoted_and_by_the_programs_name() -> None:
    assert str(Command(("/usr/bin/helm", "upgrade", "a b"))) == "helm upgrade 'a b'"


def test_the_first_reason_to_stop_wins_and_reaches_inner_scopes() -> None:
    outer = Cancel()
    inner = Cancel(outer)
    outer.stop(Interrupted(2))
    outer.stop(StepFailed("later"))
    assert inner.event.is_set()
    assert isinstance(inner.reason, Interrupted)
    with pytest.raises(Interrupted):
        inner.check()


def test_a_scope_opened_inside_a_stopped_one_is_stopped_at_once() -> None:
    outer = Cancel()
    outer.stop(StepFailed("no"))
    assert Cancel(outer).event.is_set()


def test_stopping_an_inner_scope_leaves_the_outer_one_alone() -> None:
    outer = Cancel()
    Cancel(outer).stop(StepFailed("no"))
    assert outer.reason is None
    outer.check()


def test_the_system_clock_wakes_up_when_asked() -> None:
    wake = threading.Event()
    wake.set()
    clock = SystemClock()
    assert clock.wait(3600, wake)
    assert not clock.wait(0)
    assert clock.now().tzinfo is UTC
