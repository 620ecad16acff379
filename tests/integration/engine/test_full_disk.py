"""A run directory on a disk that fills up, or that can't be written at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.clock import SystemClock
from platformctl.core.command import Command
from platformctl.core.errors import PreconditionError, exit_code
from platformctl.engine.step import StepContext
from platformctl.process.redact import KnownSecrets
from platformctl.process.runner import ProcessHost
from platformctl.testing.pipeline import Bench
from tests.pipelines.engine.environments import an_environment
from tests.pipelines.engine.worlds import World

STACKS = {"network": (), "cluster": ("network",)}
ENVIRONMENT = an_environment(STACKS)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounts a small file system"),
]


class SmallDisk:
    """A tmpfs of 256 KiB."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.host = ProcessHost(KnownSecrets(), SystemClock())
        path.mkdir()
        self.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path))

    def run(self, *argv: str) -> None:
        self.host.bind(cancel=Cancel(), on_line=None, on_child=None).run(Command(argv))

    def fill(self) -> None:
        with (self.path / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 512):
                    pass
            except OSError:
                pass

    def release(self) -> None:
        self.run("umount", str(self.path))
        self.host.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "small")
    yield made
    made.release()


def test_a_disk_that_fills_up_stops_the_run_and_leaves_a_record_that_can_go_on(disk: SmallDisk) -> None:
    bench = Bench(root=disk.path)

    def fill(context: StepContext) -> None:
        if context.step_name == "apply/network":
            disk.fill()
            context.progress("x" * 5000)  # more than is left of the last page of the events

    world = World(wanted=dict.fromkeys(STACKS, "v1"), hook=fill)
    result = bench.run(world.pipeline(), ENVIRONMENT, auto_approve=True)
    assert isinstance(result.error, PreconditionError)
    assert exit_code(result.error) == 4
    assert "No space left on device" in result.error.message
    assert "free some space" in result.error.hint
    assert "apply/cluster" not in world.done
    text = (result.directory / "events.jsonl").read_text()
    assert text.endswith("\n")
    assert all(json.loads(line) for line in text.splitlines())
    json.loads((result.directory / "run.json").read_text())
    assert not list(result.directory.glob(".*.tmp"))

    (disk.path / "ballast").unlink()
    world.hook = lambda _context: None
    again = bench.run(world.pipeline(), ENVIRONMENT, resume=result.run_id, auto_approve=True)
    assert again.error is None
    assert world.real == dict.fromkeys(STACKS, "v1")


def test_a_full_disk_at_the_start_starts_nothing(disk: SmallDisk) -> None:
    disk.fill()
    world = World(wanted=dict.fromkeys(STACKS, "v1"))
    result = Bench(root=disk.path).run(world.pipeline(), ENVIRONMENT, auto_approve=True)
    assert isinstance(result.error, PreconditionError)
    assert "No space left on device" in result.error.message
    assert world.done == []
    assert not result.directory.exists()


def test_a_disk_that_can_not_be_written_is_named(disk: SmallDisk) -> None:
    disk.run("mount", "-o", "remount,ro", str(disk.path))
    with pytest.raises(PreconditionError, match="Read-only file system") as caught:
        Bench(root=disk.path).run(World().pipeline(), ENVIRONMENT)
    assert caught.value.hint == "the file system is mounted read-only"
