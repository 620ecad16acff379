"""Building for real, and being disturbed while building: by another process, by SIGKILL, by a full disk."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Child, Command, CommandRunner, Completed, Stream
from platformctl.core.errors import CommandFailed, PreconditionError
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.toolchain import Origin, Progress, Toolchain
from platformctl.toolchain.found import Phase
from platformctl.toolchain.program import load

SYNC_ONCE = Path(__file__).with_name("sync_once.py")
DEADLINE = 30.0
StandIn = Callable[[Path, str, str], Path]


class SlowGo:
    """A ``go`` on PATH that writes half a program, waits until it may go on, and then writes the rest."""

    def __init__(self, folder: Path, stand_in: StandIn) -> None:
        self.folder = folder
        self.builds = folder / "builds"
        stand_in(
            folder,
            "go",
            f"""
if [ "$1" = version ]; then echo "go version go1.26.8 linux/amd64"; exit; fi
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' > "$2"
echo built >> {self.builds}
while [ ! -e {folder}/may-go-on ]; do sleep 0.05; done
printf 'echo hello 1.2.3\\n' >> "$2"
""",
        )

    def go_on(self) -> None:
        (self.folder / "may-go-on").touch()


class Syncing:
    """One ``sync_once.py`` in a process of its own."""

    def __init__(self, pool: ThreadPoolExecutor, catalogue: Path, cache: Path, path: str) -> None:
        self.lines: list[str] = []
        self.child: Child | None = None
        self._news = threading.Condition()
        environ = {**os.environ, "PATH": path}
        host = ProcessHost(KnownSecrets(), SystemClock(), environ)
        runner = host.bind(cancel=Cancel(), on_line=self._hear, on_child=self._meet)
        argv = (sys.executable, str(SYNC_ONCE), str(catalogue), str(cache), "hello")
        self.ended: Future[Completed] = pool.submit(runner.run, Command(argv, cwd=Path(__file__).parents[3]))

    def _hear(self, _stream: Stream, line: str) -> None:
        with self._news:
            self.lines.append(line)
            self._news.notify_all()

    def _meet(self, child: Child) -> None:
        self.child = child

    def said(self, words: str) -> bool:
        """Waits until a line with these words was printed."""
        with self._news:
            return self._news.wait_for(lambda: any(words in line for line in self.lines), DEADLINE)


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + DEADLINE
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def slow_go(tmp_path: Path, stand_in: StandIn) -> Iterator[SlowGo]:
    slow = SlowGo(tmp_path / "bin", stand_in)
    yield slow
    slow.go_on()  # whatever happened: nothing of this test waits for ever


@pytest.fixture
def start(tmp_path: Path, catalogue: Path, slow_go: SlowGo) -> Iterator[Callable[[], Syncing]]:
    path = f"{slow_go.folder}:/usr/bin:/bin"
    with ThreadPoolExecutor() as pool:
        yield lambda: Syncing(pool, catalogue, tmp_path / "cache", path)
        slow_go.go_on()


def nothing_on_path(tmp_path: Path, catalogue: Path, runner: CommandRunner) -> Toolchain:
    return Toolchain(None, tmp_path / "cache", runner, environ={"PATH": ""}, catalogue=load(catalogue))


def test_two_syncs_at_once_build_once_and_the_second_says_what_it_waits_for(
    tmp_path: Path, catalogue: Path, runner: CommandRunner, slow_go: SlowGo, start: Callable[[], Syncing]
) -> None:
    first = start()
    assert until(slow_go.builds.exists)
    second = start()
    assert first.child is not None
    assert second.said(f"hello waiting process {first.child.pid} is making hello")
    with pytest.raises(PreconditionError, match="not in the cache"):
        nothing_on_path(tmp_path, catalogue, runner).find("hello")  # half a program is none
    slow_go.go_on()
    assert [one.ended.result(DEADLINE).returncode for one in (first, second)] == [0, 0]
    assert slow_go.builds.read_text(encoding="utf-8").splitlines() == ["built"]
    assert second.said("hello done 1.2.3")
    found = nothing_on_path(tmp_path, catalogue, runner).find("hello")
    assert runner.run(Command((str(found),))).stdout == "hello 1.2.3\n"


def test_after_a_sigkill_in_mid_build_nothing_is_found_and_the_next_sync_makes_it(
    tmp_path: Path, catalogue: Path, runner: CommandRunner, slow_go: SlowGo, start: Callable[[], Syncing]
) -> None:
    first = start()
    assert until(slow_go.builds.exists)
    assert first.child is not None
    os.kill(first.child.pid, signal.SIGKILL)
    with pytest.raises(CommandFailed, match="SIGKILL"):
        first.ended.result(DEADLINE)
    assert not nothing_on_path(tmp_path, catalogue, runner).look("hello").accepted
    left = list((tmp_path / "cache/hello").iterdir())
    assert [path.name.startswith(".making-") for path in left] == [True]
    slow_go.go_on()
    assert start().ended.result(DEADLINE).returncode == 0
    assert nothing_on_path(tmp_path, catalogue, runner).look("hello").accepted
    assert not left[0].exists()


def test_a_module_is_built_with_the_real_go_once(tmp_path: Path, catalogue: Path, runner: CommandRunner) -> None:
    tools = Toolchain(None, tmp_path / "cache", runner, catalogue=load(catalogue))
    signs: list[Progress] = []
    made = tools.sync(["hello"], signs.append)["hello"]
    assert (made.version, made.origin, made.accepted) == ("1.2.3", Origin.BUILD, True)
    assert made.size > 500_000
    assert made.path == tools.find("hello")
    assert [sign.phase for sign in signs if sign.program == "hello"][-1] is Phase.DONE
    signs.clear()
    assert tools.sync(["hello"], signs.append)["hello"] == made
    assert [sign.phase for sign in signs] == [Phase.FOUND]


def test_a_damaged_program_is_made_again(tmp_path: Path, catalogue: Path, runner: CommandRunner) -> None:
    tools = Toolchain(None, tmp_path / "cache", runner, catalogue=load(catalogue))
    path = tools.sync(["hello"])["hello"].path
    assert path is not None
    path.write_bytes(bytes(path.stat().st_size))
    assert tools.sync(["hello"])["hello"].path == path
    assert runner.run(Command((str(path),))).stdout == "hello 1.2.3\n"


def test_a_module_that_does_not_compile_fails_with_gos_words_and_leaves_nothing(
    tmp_path: Path, catalogue: Path, runner: CommandRunner
) -> None:
    (catalogue.parent / "go/hello/main.go").write_text("package main\n\nfunc main() { nope() }\n", encoding="utf-8")
    with pytest.raises(CommandFailed) as raised:
        Toolchain(None, tmp_path / "cache", runner, catalogue=load(catalogue)).sync(["hello"])
    assert "undefined: nope" in "\n".join(raised.value.tail)
    assert list((tmp_path / "cache/hello").iterdir()) == []


def test_a_program_that_says_another_version_than_the_pinned_is_not_installed(
    tmp_path: Path, catalogue: Path, runner: CommandRunner
) -> None:
    text = catalogue.read_text(encoding="utf-8").replace('"main.version" = "1.2.3"', '"main.version" = "1.2.2"')
    catalogue.write_text(text, encoding="utf-8")
    with pytest.raises(Exception, match=r"made as 1\.2\.3 but says that it is 1\.2\.2"):
        Toolchain(None, tmp_path / "cache", runner, catalogue=load(catalogue)).sync(["hello"])
    assert list((tmp_path / "cache/hello").iterdir()) == []


def test_without_a_network_the_cause_is_one_line_with_what_to_set(
    tmp_path: Path, catalogue: Path, runner: CommandRunner
) -> None:
    module = catalogue.parent / "go/hello"
    (module / "go.mod").write_text("module hello\n\ngo 1.24\n\nrequire example.org/x v1.0.0\n", encoding="utf-8")
    (module / "go.sum").write_text(
        f"example.org/x v1.0.0 h1:{'A' * 43}=\nexample.org/x v1.0.0/go.mod h1:{'A' * 43}=\n", encoding="utf-8"
    )
    (module / "main.go").write_text('package main\n\nimport _ "example.org/x"\n\nfunc main() {}\n', encoding="utf-8")
    environ = {**os.environ, "GOPROXY": "off", "GOFLAGS": "", "GOMODCACHE": str(tmp_path / "modules")}
    with pytest.raises(PreconditionError, match=r"hello cannot be made without a network: .*GOPROXY=off") as raised:
        Toolchain(None, tmp_path / "cache", runner, environ=environ, catalogue=load(catalogue)).sync(["hello"])
    assert "GOPROXY" in raised.value.hint


@pytest.mark.root
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, catalogue: Path, runner: CommandRunner) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    runner.run(Command(("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(cache))))
    try:
        with pytest.raises(PreconditionError, match="the disk is full"):
            Toolchain(None, cache, runner, catalogue=load(catalogue)).sync(["hello"])
        assert list((cache / "hello").iterdir()) == []
    finally:
        runner.run(Command(("umount", str(cache))))
