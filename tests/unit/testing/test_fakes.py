"""The fakes keep the contracts of what they stand for, and refuse what was not scripted."""

from __future__ import annotations

import threading

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.command import Command, Stream
from platformctl.core.errors import CommandFailed, CommandTimedOut, Interrupted, TransientError
from platformctl.core.objects import ABSENT, ObjectChanged
from platformctl.core.secret import Secret
from platformctl.testing import FakeClock, MemoryObjectStore, Reply, ScriptedRunner, SteppedClock, Unscripted


def test_a_command_no_script_covers_is_refused() -> None:
    runner = ScriptedRunner()
    runner.on("terraform", "version")
    with pytest.raises(Unscripted, match="terraform plan"):
        runner.run(Command(("/usr/bin/terraform", "plan")))


def test_programs_are_known_by_file_name_and_ellipses_stand_for_arguments() -> None:
    runner = ScriptedRunner()
    runner.on("git", "-C", ..., "status", reply=Reply("clean"))
    runner.on("git", "log", ...)
    assert runner.run(Command(("/usr/bin/git", "-C", "/x", "status"))).stdout == "clean"
    runner.run(Command(("git", "log")))
    runner.run(Command(("git", "log", "-1", "--format=%H")))
    with pytest.raises(Unscripted):
        runner.run(Command(("git", "-C", "/x", "status", "-s")))
    assert runner.argvs()[1] == ("git", "log")


def test_scripts_of_the_same_command_are_used_up_in_order() -> None:
    runner = ScriptedRunner()
    runner.on("x", reply=Reply("first"), times=1)
    runner.on("x", reply=Reply("then"))
    assert [runner.run(Command(("x",))).stdout for _ in range(3)] == ["first", "then", "then"]
    runner.assert_used()


def test_a_script_nobody_used_is_told() -> None:
    runner = ScriptedRunner()
    runner.on("x", "y", ..., times=2)
    runner.run(Command(("x", "y")))
    with pytest.raises(AssertionError, match=r"x y \.\.\."):
        runner.assert_used()


def test_a_code_that_means_failure_raises_with_the_last_lines() -> None:
    runner = ScriptedRunner()
    runner.on("x", reply=Reply("\n".join(map(str, range(20))), "cause\n", returncode=2))
    with pytest.raises(CommandFailed) as caught:
        runner.run(Command(("x",)))
    assert caught.value.tail[-2:] == ("19", "cause")
    assert len(caught.value.tail) == 10
    assert runner.run(Command(("x",), ok_codes=(0, 2))).returncode == 2


def test_lines_reach_the_handlers_redacted_but_not_those_of_secret_output() -> None:
    runner, heard = ScriptedRunner(), list[tuple[Stream, str]]()
    runner.redactor.add(Secret("hunter2-hunter2"))
    runner.on("x", reply=Reply("one\nhunter2-hunter2\n", "two"))
    result = runner.run(Command(("x",)), on_line=lambda stream, line: heard.append((stream, line)))
    assert heard == [(Stream.OUT, "one"), (Stream.OUT, "***"), (Stream.ERR, "two")]
    assert result.stdout == "one\n***\n"
    heard.clear()
    secret = runner.run(Command(("x",), secret_output=True), on_line=lambda stream, line: heard.append((stream, line)))
    assert heard == []
    assert secret.stdout == "one\nhunter2-hunter2\n"


def test_a_reply_longer_than_the_timeout_times_out_on_the_clock() -> None:
    runner = ScriptedRunner(clock=FakeClock())
    runner.on("x", reply=Reply(seconds=90))
    with pytest.raises(CommandTimedOut):
        runner.run(Command(("x",), timeout=60))
    assert runner.clock.monotonic() == 60


def test_a_scope_that_was_stopped_runs_nothing_and_a_blocking_command_ends_with_it() -> None:
    runner, cancel, begun = ScriptedRunner(), Cancel(), threading.Event()
    runner.on("x", reply=Reply(blocks=True))
    bound = runner.bind(cancel=cancel, on_line=None, on_child=lambda child: begun.set())
    caught: list[BaseException] = []

    def run() -> None:
        try:
            bound.run(Command(("x",)))
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(5)
    cancel.stop(Interrupted(2))
    thread.join(5)
    assert len(caught) == 1
    with pytest.raises(Interrupted):
        bound.run(Command(("x",)))
    assert len(runner.calls) == 1


def test_a_scripted_command_may_do_what_the_program_would_have_done() -> None:
    runner, seen = ScriptedRunner(), list[str]()

    def plan(command: Command) -> Reply:
        seen.append(command.argv[-1])
        return Reply("planned")

    runner.on("terraform", "plan", ..., reply=plan)
    assert runner.run(Command(("terraform", "plan", "-out=x"))).stdout == "planned"
    assert seen == ["-out=x"]


def test_a_reply_may_raise_what_no_program_could_tell() -> None:
    runner = ScriptedRunner()
    runner.on("x", reply=Reply(raises=TransientError("throttled")))
    with pytest.raises(TransientError):
        runner.run(Command(("x",)))


def test_waiting_on_the_fake_clock_takes_no_time_and_time_has_passed() -> None:
    clock = FakeClock()
    before = clock.now()
    assert clock.wait(3600) is False
    assert (clock.now() - before).total_seconds() == 3600
    wake = threading.Event()
    wake.set()
    assert clock.wait(3600, wake) is True
    assert clock.monotonic() == 3600
    assert clock.waits == [3600, 3600]


def test_the_stepped_clock_stands_still_until_it_is_advanced() -> None:
    clock, done = SteppedClock(), list[bool]()
    thread = threading.Thread(target=lambda: done.append(clock.wait(10)))
    thread.start()
    clock.until_waiting()
    clock.advance(9)
    clock.until_waiting()
    assert done == []
    clock.advance(1)
    thread.join(5)
    assert done == [False]


def test_the_stepped_clock_lets_go_of_who_is_woken() -> None:
    clock, wake, done = SteppedClock(), threading.Event(), list[bool]()
    thread = threading.Thread(target=lambda: done.append(clock.wait(10, wake)))
    thread.start()
    clock.until_waiting()
    wake.set()
    thread.join(5)
    assert done == [True]


def test_of_many_writers_on_one_version_one_wins() -> None:
    store, wins = MemoryObjectStore(), list[int]()
    version = store.put_if("k", b"0", ABSENT)

    def write(number: int) -> None:
        try:
            store.put_if("k", b"by %d" % number, version)
        except ObjectChanged:
            return
        wins.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1


def test_creating_never_overwrites_and_versions_are_those_of_the_content() -> None:
    store = MemoryObjectStore()
    first = store.put("k", b"a")
    with pytest.raises(ObjectChanged):
        store.put_if("k", b"b", ABSENT)
    second = store.put_if("k", b"b", first)
    assert store.put("k", b"a") == first != second
    store.delete("k")
    with pytest.raises(ObjectChanged):
        store.put_if("k", b"c", first)
    assert store.get("k") is None


def test_keys_come_sorted_as_bytes() -> None:
    store = MemoryObjectStore()
    for key in ("a/é", "a/z", "a/b", "b"):
        store.put(key, b"")
    assert list(store.list("a/")) == ["a/b", "a/z", "a/é"]


def test_faults_and_other_writers_come_when_they_were_asked_for() -> None:
    store = MemoryObjectStore()
    store.fail("get", TransientError("throttled"), times=2)
    for _ in range(2):
        with pytest.raises(TransientError):
            store.get("k")
    assert store.get("k") is None
    store.before = lambda method, key: store._objects.update({key: b"theirs"}) if method == "put_if" else None
    with pytest.raises(ObjectChanged):
        store.put_if("k", b"ours", ABSENT)
    assert store.calls[-1] == ("put_if", "k")
