"""The runner against real programs: what they are given, what is heard of them, and how they are made to end."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.command import Child, Command, Stream
from platformctl.core.errors import CommandFailed, CommandTimedOut, Interrupted, LeaseHeld
from platformctl.core.secret import Secret
from platformctl.process import children
from tests.integration.process.conftest import Bench
from tests.integration.process.programs import FAMILY, STUBBORN, python, running, words

FOREVER = "import time; print('ready', flush=True); time.sleep(600)"


def stop_when_ready(bench: Bench, reason: Interrupted | LeaseHeld) -> list[str]:
    """Makes the scope stop as soon as the program says that it is ready; returns what it said."""
    said: list[str] = []

    def heard(stream: Stream, line: str) -> None:
        said.extend(line.split())
        threading.Thread(target=bench.cancel.stop, args=(reason,)).start()

    bench.runner = bench.host.bind(cancel=bench.cancel, on_line=heard, on_child=bench.children.append)
    return said


def test_lines_come_as_they_are_printed_and_the_result_holds_both_outputs(bench: Bench) -> None:
    source = "import sys; print('one'); print('two', file=sys.stderr); print('thr', end=''); print('ee')"
    result = bench.runner.run(python(source))
    assert (result.stdout, result.stderr, result.returncode) == ("one\nthree\n", "two\n", 0)
    assert [line for stream, line in bench.lines if stream is Stream.OUT] == ["one", "three"]
    assert (Stream.ERR, "two") in bench.lines


def test_nothing_interprets_the_arguments(bench: Bench) -> None:
    argument = "$HOME; echo `id` *\n'\""
    assert bench.runner.run(python("import sys; sys.stdout.write(sys.argv[1])", argument)).stdout == argument


def test_the_child_is_made_known_before_it_is_waited_for(bench: Bench) -> None:
    alive: list[bool] = []
    runner = bench.host.bind(
        cancel=bench.cancel, on_line=None, on_child=lambda child: alive.append(children.alive(child))
    )
    runner.run(python("import sys; sys.stdin.read()", stdin="x"))
    bench.runner.run(python(""))
    assert alive == [True]
    assert not children.alive(bench.children[0])
    assert bench.children[0].program.startswith("python")


@pytest.mark.parametrize("text", ["", "short", "long" * 500_000])
def test_standard_input_is_handed_over_whole(bench: Bench, text: str) -> None:
    assert bench.runner.run(python("import sys; print(len(sys.stdin.read()))", stdin=text)).stdout == f"{len(text)}\n"


def test_a_program_that_does_not_read_its_input_is_judged_by_its_code(bench: Bench) -> None:
    assert bench.runner.run(python("import os; os.close(0)", stdin="x" * 1_000_000)).returncode == 0


def test_both_pipes_full_at_once_block_nobody(bench: Bench) -> None:
    noise = "for _ in range(64): os.write(2, b'e' * 65536); os.write(1, b'o' * 65536)"
    source = f"import os, sys\n{noise}\nprint(sys.stdin.read())"
    result = bench.runner.run(python(source, stdin="end" * 100_000))
    assert len(result.stderr) == 4 * 1024 * 1024
    assert result.stdout.endswith("end\n")


def test_of_200_megabytes_the_end_is_kept(bench: Bench) -> None:
    source = "import os\nchunk = b'0123456789abcdef' * 65536\nfor _ in range(200): os.write(1, chunk)\nprint('the end')"
    runner = bench.host.bind(cancel=bench.cancel, on_line=None, on_child=None)
    result = runner.run(python(source, capture=1_000_000))
    assert result.truncated
    assert len(result.stdout) == 1_000_000
    assert result.stdout.endswith("the end\n")


def test_binary_output_is_text_with_replacements(bench: Bench) -> None:
    result = bench.runner.run(python("import os; os.write(1, bytes(range(256)) * 4)"))
    assert result.stdout.count("\ufffd") >= 4 * 128
    assert not result.truncated


def test_a_code_that_means_failure_raises_with_the_last_lines_of_both_outputs(bench: Bench) -> None:
    source = "import sys\nfor n in range(20): print(n, flush=True)\nprint('cause', file=sys.stderr); sys.exit(4)"
    with pytest.raises(CommandFailed) as caught:
        bench.runner.run(python(source))
    assert caught.value.returncode == 4
    assert len(caught.value.tail) == 10
    assert "cause" in caught.value.tail
    assert bench.runner.run(python(source, ok_codes=(0, 4))).returncode == 4


def test_a_program_ended_by_a_signal_says_so(bench: Bench) -> None:
    with pytest.raises(CommandFailed, match="was ended by SIGKILL"):
        bench.runner.run(python("import os; os.kill(os.getpid(), 9)"))


def test_secrets_handed_to_a_program_are_replaced_in_all_that_comes_back(bench: Bench) -> None:
    token, key = Secret("hunter2-hunter2"), Secret("line-one-secret\nline-two-secret")
    source = "import os, sys; print(os.environ['TOKEN']); print(sys.stdin.read(), file=sys.stderr); sys.exit(1)"
    with pytest.raises(CommandFailed) as caught:
        bench.runner.run(python(source, env={"TOKEN": token}, stdin=key))
    assert sorted(caught.value.tail) == ["***", "***"]
    assert "hunter2" not in f"{caught.value} {bench.lines}"
    with pytest.raises(CommandFailed) as caught:
        bench.runner.run(python("import sys; sys.exit(1)", "https://me:pw@example.org"))
    assert "https://***@example.org" in str(caught.value)


def test_secret_output_reaches_the_caller_alone(bench: Bench) -> None:
    token = Secret("hunter2-hunter2")
    bench.host.redactor.add(token)
    source = "import sys; print(sys.stdin.read()); sys.exit(int(sys.argv[1]))"
    assert bench.runner.run(python(source, "0", stdin=token, secret_output=True)).stdout == "hunter2-hunter2\n"
    with pytest.raises(CommandFailed) as caught:
        bench.runner.run(python(source, "1", stdin=token, secret_output=True))
    assert caught.value.tail == ()
    assert bench.lines == []


def test_a_program_that_outlives_its_deadline_is_ended(bench: Bench) -> None:
    with pytest.raises(CommandTimedOut, match=r"still running after 0\.2 s"):
        bench.runner.run(python(FOREVER, timeout=0.2))
    assert not children.alive(bench.children[0])


@pytest.mark.parametrize(
    ("ends_at", "heard"),
    [("SIGINT", ["SIGINT"]), ("SIGTERM", ["SIGINT", "SIGTERM"]), ("SIGKILL", ["SIGINT", "SIGTERM"])],
)
def test_who_must_stop_is_interrupted_then_terminated_then_killed(
    bench: Bench, tmp_path: Path, ends_at: str, heard: list[str]
) -> None:
    stop_when_ready(bench, Interrupted(2))
    with pytest.raises(Interrupted):
        bench.runner.run(python(STUBBORN, str(tmp_path / "heard"), ends_at, grace=0.3))
    assert words(tmp_path / "heard") == heard
    assert not children.alive(bench.children[0])


def test_the_reason_to_stop_is_passed_on(bench: Bench) -> None:
    stop_when_ready(bench, LeaseHeld("taken over"))
    with pytest.raises(LeaseHeld, match="taken over"):
        bench.runner.run(python(FOREVER))


def test_a_scope_that_was_stopped_starts_nothing(bench: Bench) -> None:
    bench.cancel.stop(Interrupted(15))
    with pytest.raises(Interrupted):
        bench.runner.run(python(""))
    assert bench.children == []


def test_stopping_a_scope_stops_the_programs_of_all_threads(bench: Bench) -> None:
    inner, caught, ready = [Cancel(bench.cancel) for _ in range(4)], list[Interrupted](), threading.Semaphore(0)

    def said(stream: Stream, line: str) -> None:
        ready.release()

    def run(cancel: Cancel) -> None:
        runner = bench.host.bind(cancel=cancel, on_line=said, on_child=bench.children.append)
        try:
            runner.run(python(FOREVER))
        except Interrupted as error:
            caught.append(error)

    threads = [threading.Thread(target=run, args=(cancel,), daemon=True) for cancel in inner]
    for thread in threads:
        thread.start()
    assert all(ready.acquire(timeout=15) for _ in threads)
    bench.cancel.stop(Interrupted(2))
    for thread in threads:
        thread.join()
    assert len(caught) == 4
    assert not any(children.alive(child) for child in bench.children)


def test_a_grandchild_that_holds_the_output_open_neither_hangs_us_nor_stays(bench: Bench) -> None:
    result = bench.runner.run(python(FAMILY, "tame", "ends"))
    assert not running(int(result.stdout.split()[1]))


def test_a_grandchild_that_hears_nothing_is_killed(bench: Bench) -> None:
    said = stop_when_ready(bench, Interrupted(2))
    with pytest.raises(Interrupted):
        bench.runner.run(python(FAMILY, "deaf", "waits", grace=0.3))
    assert not running(int(said[1]))


def test_a_handler_that_raises_ends_the_program_and_its_error_is_passed_on(bench: Bench) -> None:
    def full(stream: Stream, line: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        bench.runner.run(python(FOREVER), on_line=full)
    assert not children.alive(bench.children[0])


def test_a_journal_that_cannot_be_written_ends_the_program(bench: Bench) -> None:
    def journal(child: Child) -> None:
        bench.children.append(child)
        raise OSError(28, "No space left on device")

    runner = bench.host.bind(cancel=bench.cancel, on_line=None, on_child=journal)
    with pytest.raises(OSError, match="No space left"):
        runner.run(python(FOREVER))
    assert not children.alive(bench.children[0])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc, which only Linux has")
def test_no_descriptor_is_inherited_and_none_is_left_open(bench: Bench, tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        listed = bench.runner.run(python("import os; print(len(os.listdir('/proc/self/fd')))", stdin=""))
        assert listed.stdout == "4\n"  # the three pipes and the folder that it lists
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        bench.runner.run(python("", stdin="x"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_program_sees_the_allowed_variables_and_those_of_its_command(bench: Bench) -> None:
    bench.host.environ = {"PATH": os.environ["PATH"], "AWS_PROFILE": "prod", "LC_ALL": "C"}
    command = Command(("env",), env={"ADDED": "yes"})
    names = {line.partition("=")[0] for line in bench.runner.run(command).stdout.splitlines()}
    assert names == {"PATH", "LC_ALL", "ADDED", "PLATFORMCTL_CHILD"}


def test_the_working_directory_is_the_commands(bench: Bench, tmp_path: Path) -> None:
    assert bench.runner.run(python("import os; print(os.getcwd())", cwd=tmp_path)).stdout == f"{tmp_path}\n"
