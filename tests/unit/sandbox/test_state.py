"""What is remembered between two commands, and who may change it."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import Clock, SystemClock
from platformctl.core.command import Child
from platformctl.core.errors import Interrupted, PreconditionError, TransientError
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import OpenPort, Part
from platformctl.sandbox.state import Record, State, exclusively, load, save, write_private
from platformctl.testing import FakeClock


def hold(
    layout: Layout,
    action: str,
    clock: Clock,
    on_wait: Callable[[str], None] = lambda _: None,
    cancel: Cancel | None = None,
) -> AbstractContextManager[None]:
    return exclusively(layout, action, clock=clock, cancel=cancel or Cancel(), patience=30.0, on_wait=on_wait)


def test_a_state_survives_the_file(tmp_path: Path) -> None:
    record = Record(Part("etcd", ("etcd",), OpenPort(1)), Child(7, 1.5, "etcd", "here", "boot"), "sha256:0")
    state = State(ports={"etcd": 1}, kubeconfig="/k").with_record(record)
    save(tmp_path / "state.json", state)
    assert load(tmp_path / "state.json") == state


def test_no_file_is_an_empty_state(tmp_path: Path) -> None:
    assert load(tmp_path / "state.json") == State()


def test_only_the_owner_may_read_what_is_written(tmp_path: Path) -> None:
    write_private(tmp_path / "key", "secret")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreconditionError, match="cannot be written: Not a directory"):
        write_private(tmp_path / "file" / "state.json", "{}")


def test_the_second_command_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    layout, told, order = Layout.of(tmp_path), threading.Event(), list[str]()

    def second() -> None:
        def wait(holder: str) -> None:
            order.append(holder)
            told.set()

        with hold(layout, "sandbox down", SystemClock(), wait):
            order.append("second")

    with hold(layout, "sandbox up", SystemClock(), order.append):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(30.0)
        order.append("first")
    thread.join(30.0)
    assert order[0].startswith("`sandbox up` (pid ")
    assert order[1:] == ["first", "second"]


def test_patience_ends(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    with (
        hold(layout, "sandbox up", FakeClock()),
        pytest.raises(TransientError, match=r"still being changed by `sandbox up` .* after 30 s"),
        hold(layout, "sandbox down", FakeClock()),
    ):
        pass


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    layout, cancel = Layout.of(tmp_path), Cancel()
    with (
        hold(layout, "sandbox up", FakeClock()),
        pytest.raises(Interrupted),
        hold(layout, "sandbox down", FakeClock(), lambda _: cancel.stop(Interrupted(2)), cancel),
    ):
        pass
