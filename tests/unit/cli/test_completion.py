"""What a shell hears when somebody presses the tab key; driven through the protocol that the shells' scripts speak."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from platformctl.cli import main
from platformctl.cli.completion import answer
from platformctl.cli.reference import commands

Complete = Callable[[str], list[str]]
COMMANDS = {
    context.command_path.removeprefix("platformctl "): context.command
    for context in commands(click.Context(main.cli, info_name="platformctl"))
}


def spellings(command: click.Command) -> set[str]:
    """How the command's parameters are written."""
    return {spelling for parameter in command.params for spelling in parameter.opts}


ENVIRONMENT = """\
apiVersion: platform/v1
stacks:
  network:
    source: network
    inputs: {cidr: 10.0.0.0/16}
  # the cluster stands in it
  cluster:
    source: eks-cluster
addons: [argo-cd]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with two environments, a pipeline and two runs."""
    files = {
        "platform.yaml": "schemaVersion: 1\n",
        "pipelines/environments/dev.yaml": ENVIRONMENT,
        "pipelines/environments/prod.yaml": ENVIRONMENT,
        "pipelines/night_check/pipeline.py": "raise RuntimeError('completion runs no pipeline')\n",
        ".platform/runs/20260926T101500Z-provision-7f3a/events.jsonl": "",
        ".platform/runs/20260927T101500Z-provision-0b1c/events.jsonl": "",
        ".platform/runs/half-made/lock": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def complete(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """Asks as bash does: the last word is the one being typed."""

    def ask(line: str) -> list[str]:
        words = f"platformctl -C {root} {line}"
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - (not line.endswith(" ")) * 1))
        assert answer(main.cli, "bash_complete") == 0
        return [item.partition(",")[2] for item in capsys.readouterr().out.split()]

    return ask


def test_commands_complete_without_being_imported(complete: Complete) -> None:
    assert {"doctor", "run", "runs", "pipelines"} <= set(complete(" "))
    assert complete("run") == ["run", "runs"]


def test_environments_complete_from_their_file_names(complete: Complete) -> None:
    assert complete("pipelines show provision --env ") == ["dev", "prod"]
    assert complete("pipelines show provision --env p") == ["prod"]
    assert complete("pipelines show provision --env=p") == ["prod"]


def test_pipelines_complete_by_name_and_none_of_them_is_run(complete: Complete) -> None:
    assert "night-check" in complete("pipelines show ")


def test_runs_complete_newest_first_and_only_those_that_were_recorded(complete: Complete) -> None:
    newest_first = ["20260927T101500Z-provision-0b1c", "20260926T101500Z-provision-7f3a"]
    assert complete("runs show ") == newest_first
    assert complete("run provision --env dev --resume 20260926") == newest_first[1:]


def test_stacks_complete_from_the_environment_named_before(complete: Complete) -> None:
    assert complete("steps run stack-plan --env dev --stack ") == ["network", "cluster"]
    assert complete("steps run stack-plan --stack ") == []


def test_kinds_of_steps_complete(complete: Complete) -> None:
    assert complete("steps run stack-v") == ["stack-verify"]
    assert complete("steps show stack-v") == ["stack-verify"]


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if "--env" in spellings(command)])
def test_every_option_that_names_an_environment_completes(path: str, complete: Complete) -> None:
    assert complete(f"{path} --env ") == ["dev", "prod"]


def test_options_and_choices_still_complete(complete: Complete) -> None:
    assert complete("pipelines show --out") == ["--output"]
    assert complete("completion ") == ["bash", "zsh", "fish"]


def test_outside_a_root_nothing_is_offered_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("COMP_WORDS", f"platformctl -C {empty} pipelines show --env ")
    monkeypatch.setenv("COMP_CWORD", "6")
    assert answer(main.cli, "bash_complete") == 0
    assert capsys.readouterr().out.strip() == ""


@pytest.mark.parametrize("instruction", ["powershell_complete", "bash_source", "nonsense"])
def test_what_no_script_of_ours_asks_is_refused(instruction: str) -> None:
    assert answer(main.cli, instruction) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_back_under_our_variable(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", shell]) == 0
    assert f"_PLATFORMCTL_COMPLETE={shell}_complete" in capsys.readouterr().out
    assert main.run(["completion", shell, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["shell"] == shell
