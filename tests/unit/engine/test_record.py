"""The run directory: what is written how, what a crash or a full disk leaves, who may write."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from platformctl.core.errors import LeaseHeld, PlatformError, PreconditionError, UsageError
from platformctl.core.events import EventKind
from platformctl.core.secret import Secret
from platformctl.engine.disk import write_whole
from platformctl.engine.journal import Journal
from platformctl.engine.record import RunDirectory, check_run_id, local_runs, new_run_id, parse_events
from platformctl.engine.step import ArtifactKind
from platformctl.process.redact import KnownSecrets
from platformctl.testing import FakeClock

EVENT = '{"time":"2026-01-01T00:00:00.000Z","kind":"warning","run":"r1","detail":{}}'


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "r1")


def test_ids_sort_by_time_and_name_their_pipeline() -> None:
    made = new_run_id(datetime(2026, 9, 26, 10, 15, tzinfo=UTC), "provision")
    assert made.startswith("20260926T101500Z-provision-")
    assert check_run_id(made) == made


@pytest.mark.parametrize("bad", ["", "../x", "a/b", ".hidden", "a..b", "x" * 129, "a b"])
def test_an_id_that_could_leave_the_folder_is_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        check_run_id(bad)


def test_lines_are_appended_and_read_back(directory: RunDirectory) -> None:
    with directory.claim():
        directory.append(EVENT, durable=True)
        directory.append(EVENT, durable=False)
    assert len(directory.read().events) == 2


def test_a_torn_last_line_is_reported_and_cut_off_by_the_next_writer(directory: RunDirectory) -> None:
    with directory.claim():
        directory.append(EVENT, durable=True)
    events = directory.path / "events.jsonl"
    events.write_text(events.read_text() + EVENT[:20])
    assert (directory.read().torn, len(directory.read().events)) == (True, 1)
    with directory.claim():
        directory.append(EVENT, durable=True)
    assert (directory.read().torn, len(directory.read().events)) == (False, 2)


def test_a_damaged_line_is_counted_and_left_out() -> None:
    recorded = parse_events(f"{EVENT}\n\x00\x00\x00\n{EVENT}\n")
    assert (len(recorded.events), recorded.damaged) == (2, 1)


def test_one_process_at_a_time_writes(directory: RunDirectory) -> None:
    with directory.claim():
        directory.append(EVENT, durable=True)
        with (
            pytest.raises(LeaseHeld, match="run r1 is driven by another process"),
            RunDirectory(directory.path).claim(),
        ):
            raise AssertionError("not reached")
    with directory.claim():
        pass


def test_a_claim_in_which_nothing_happened_leaves_nothing(directory: RunDirectory) -> None:
    with directory.claim():
        pass
    assert not directory.path.exists()


def test_what_is_private_is_for_the_owner_only(directory: RunDirectory) -> None:
    with directory.claim():
        assert directory.private.stat().st_mode & 0o777 == 0o700
        path = directory.artifact_path("plans/a.tfplan", ArtifactKind.PRIVATE)
        assert path == directory.private / "plans" / "a.tfplan"


@pytest.mark.parametrize("bad", ["../x", "/etc/passwd", "a/../../x", ""])
def test_an_artifact_stays_in_the_run(directory: RunDirectory, bad: str) -> None:
    with pytest.raises(ValueError, match="is no name of an artifact"):
        directory.artifact_path(bad, ArtifactKind.FILE)


def test_slashes_in_a_steps_name_become_dots_in_its_log(directory: RunDirectory) -> None:
    assert directory.log_path("apply/network/plan").name == "apply.network.plan.log"


def test_only_folders_with_events_are_runs(tmp_path: Path) -> None:
    for name in ("20260101T000000Z-a-0000", "20260102T000000Z-a-0000"):
        with RunDirectory(tmp_path / name).claim():
            pass
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").write_text(f"{EVENT}\n")
    (tmp_path / "stray").mkdir()
    assert [run.id for run in local_runs(tmp_path)] == ["20260102T000000Z-a-0000", "20260101T000000Z-a-0000"]
    assert local_runs(tmp_path / "absent") == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_whole(path, b"one")
    write_whole(path, b"two", mode=0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_that_is_a_file_is_a_one_line_cause(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(PreconditionError, match="Not a directory"), RunDirectory(tmp_path / "runs" / "r1").claim():
        raise AssertionError("not reached")


class FullRecord(RunDirectory):
    """A disk that is full from the third event on."""

    left = 2

    def append(self, line: str, *, durable: bool) -> None:
        if not self.left:
            raise PreconditionError(f"{self.path}: No space left on device", hint="free some space there")
        self.left -= 1
        super().append(line, durable=durable)


def test_a_record_that_can_no_longer_be_written_stops_the_run_once_and_is_not_half_written(tmp_path: Path) -> None:
    directory, stopped = FullRecord(tmp_path / "r1"), list[PlatformError]()
    with directory.claim():
        journal = Journal(directory, redactor=KnownSecrets(), clock=FakeClock(), reporters=(), on_broken=stopped.append)
        for number in range(5):
            journal.emit(EventKind.WARNING, detail={"message": str(number)})
        journal.close()
    assert [error.message for error in stopped] == [f"{directory.path}: No space left on device"]
    assert [event.detail["message"] for event in directory.read().events] == ["0", "1"]
    assert not directory.read().torn


def test_events_hold_no_secret_however_deep(directory: RunDirectory) -> None:
    known = KnownSecrets()
    known.add(Secret("canary-4711-canary"))
    with directory.claim():
        journal = Journal(directory, redactor=known, clock=FakeClock(), reporters=(), on_broken=lambda _error: None)
        detail = {"a": [{"b": "x canary-4711-canary y", "canary-4711-canary": 1}], "n": 3, "t": True, "none": None}
        journal.emit(EventKind.WARNING, detail=detail)
        journal.close()
    text = (directory.path / "events.jsonl").read_text()
    assert "canary-4711" not in text
    recorded = json.loads(text)["detail"]
    assert (recorded["n"], recorded["t"], recorded["none"]) == (3, True, None)
