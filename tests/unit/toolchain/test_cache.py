"""The cache of programs: whole or not there."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.toolchain.cache import Cache, Cached, Making, unwritable
from platformctl.toolchain.found import Origin
from platformctl.toolchain.program import Program, load

PIN = "0123456789abcdef"
MAKING = Making(Origin.BUILD, "go 1.26.8", 1.0)


@pytest.fixture
def kwok() -> Program:
    return load()["kwok"]


def install(cache: Cache, program: Program, content: bytes = b"program") -> Cached:
    with cache.staging(program) as staged:
        (staged / program.executable).write_bytes(content)
        (staged / program.executable).chmod(0o755)
        return cache.install(staged, program, PIN, MAKING)


def test_an_installed_program_is_found_with_its_receipt(tmp_path: Path, kwok: Program) -> None:
    cache = Cache(tmp_path)
    installed = install(cache, kwok)
    found = cache.look_up(kwok, PIN)
    assert found == installed
    assert found is not None
    assert found.receipt.version == kwok.pinned
    assert cache.intact(found)


def test_nothing_is_left_in_staging(tmp_path: Path, kwok: Program) -> None:
    install(Cache(tmp_path), kwok)
    assert [path.name[0] for path in (tmp_path / "kwok").iterdir()] == [PIN[0]]


def test_a_program_whose_making_failed_was_never_there(tmp_path: Path, kwok: Program) -> None:
    cache = Cache(tmp_path)

    def fail() -> None:
        with cache.staging(kwok) as staged:
            (staged / "kwok").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert cache.look_up(kwok, PIN) is None
    assert list((tmp_path / "kwok").iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path, kwok: Program) -> None:
    stale = tmp_path / "registry" / ".making-abc"
    stale.mkdir(parents=True)
    (stale / "registry").write_bytes(b"half")
    install(Cache(tmp_path), kwok)
    assert not stale.exists()


def test_a_truncated_program_is_not_found_and_is_replaced(tmp_path: Path, kwok: Program) -> None:
    cache = Cache(tmp_path)
    install(cache, kwok).path.write_bytes(b"prog")
    assert cache.look_up(kwok, PIN) is None
    install(cache, kwok)
    assert cache.look_up(kwok, PIN) is not None


def test_a_changed_program_of_the_same_size_is_not_intact(tmp_path: Path, kwok: Program) -> None:
    cache = Cache(tmp_path)
    installed = install(cache, kwok)
    installed.path.write_bytes(b"PROGRAM")
    assert not cache.intact(installed)


@pytest.mark.parametrize("receipt", ["", "[]", "{}", '{"origin": "nowhere"}', "\x00"])
def test_a_program_with_a_broken_receipt_is_not_found(tmp_path: Path, kwok: Program, receipt: str) -> None:
    cache = Cache(tmp_path)
    installed = install(cache, kwok)
    (installed.path.parent / "receipt.json").write_text(receipt, encoding="utf-8")
    assert cache.look_up(kwok, PIN) is None


def test_who_waits_for_the_lock_is_told_who_holds_it(tmp_path: Path, kwok: Program) -> None:
    cache = Cache(tmp_path)
    told: list[str] = []

    class Released(Exception):
        pass

    def give_up(_seconds: float) -> None:
        raise Released

    with cache.exclusive(kwok, give_up, told.append):
        holder = json.loads((tmp_path / "holder.json").read_text(encoding="utf-8"))
        with pytest.raises(Released), Cache(tmp_path).exclusive(kwok, give_up, told.append):
            pass
    assert told == [f"process {holder['pid']} is making kwok"]
    with cache.exclusive(kwok, give_up, told.append):
        pass


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    error = unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, PreconditionError)
    assert error.message == f"the disk is full: {tmp_path} takes no more"
    assert error.hint


def test_a_cache_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path, kwok: Program) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    cache = Cache(tmp_path / "file" / "tools")
    with pytest.raises(PreconditionError, match="cannot be written") as raised, cache.staging(kwok):
        pass
    assert "XDG_CACHE_HOME" in raised.value.hint
