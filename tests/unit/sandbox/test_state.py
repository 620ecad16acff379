"""What is remembered between two commands, and who may change it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from platformctl.core.command import Child
from platformctl.core.errors import PreconditionError, TransientError
from platformctl.sandbox.layout import Layout
from platformctl.sandbox.part import OpenPort, Part
from platformctl.sandbox.state import Record, State, exclusively, load, save, write_private


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

        with exclusively(layout, "sandbox down", patience=30.0, on_wait=wait):
            order.append("second")

    with exclusively(layout, "sandbox up", patience=30.0, on_wait=order.append):
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
        exclusively(layout, "sandbox up", patience=0.0, on_wait=lambda _: None),
        pytest.raises(TransientError, match="still being changed by `sandbox up`"),
        exclusively(layout, "sandbox down", patience=0.0, on_wait=lambda _: None),
    ):
        pass
