"""Bad input, through the command line as a process: a cause in one line, what to do next, the documented exit code, and
nothing changed. Each command is said twice, for people and for machines, and has to say the same."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from platformctl.core.secret import Secret
from tests.integration.terraform.machine import Machine
from tests.simulated_aws import ACCOUNT, SimulatedAws

RUN = ("run", "provision", "--env", "dev")
STACKS = "  small: {source: small}\n"
SMALL = 'resource "terraform_data" "this" { input = 1 }\n'
ENVIRONMENT = "pipelines/environments/dev.yaml"
KEY, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


def prepare(machine: Machine, **changed: str) -> None:
    """A root that would work, but for what ``changed`` replaces in its environment file."""
    machine.prepare(STACKS, **changed)
    machine.write("terraform/stacks/small/main.tf", SMALL)
    # Whoever runs the tests may have credentials; platformctl must not find them.
    machine.variables.update(HOME=str(machine.root), AWS_EC2_METADATA_DISABLED="true")


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A root that works, with its bucket."""
    prepare(machine)
    machine.ok("env", "bootstrap", "--env", "dev")
    return machine


def refused(machine: Machine, code: int, *arguments: str) -> dict[str, Any]:
    """The error of a command that has to end with this code, in both forms."""
    text, document = machine.run(*arguments), machine.run(*arguments, "--output", "json")
    assert (text.returncode, document.returncode) == (code, code), text.stderr + document.stdout
    error: dict[str, Any] = json.loads(document.stdout)["error"]
    assert error["message"]
    assert error["hint"]
    assert "\n" not in error["message"]
    assert "Traceback" not in text.stderr + document.stderr
    said = [line for line in text.stderr.splitlines() if line.startswith(("error: ", "hint: "))]
    causes = [problem["message"] for problem in error.get("problems", [])] or [error["message"]]
    assert len(said) == len(causes) + 1, text.stderr
    # Ids of runs differ between the two.
    assert all(cause[:20] in line for cause, line in zip(causes, said, strict=False)), (said, causes)
    return error


def untouched(machine: Machine) -> bool:
    """No state, no lease that somebody holds, no run that seems to go on."""
    stored = [key for key in machine.stored() if not key.startswith(("leases/", "runs/"))]
    runs = machine.ok("runs", "list")["runs"]
    return (stored, machine.held(), [run for run in runs if run["status"] not in {"ERRORED", "FAILED"}]) == ([], [], [])


def no_run(machine: Machine) -> bool:
    """Not even a record: it was refused before anything began."""
    return not list((machine.root / ".platform/runs").glob("*")) and machine.stored() == []


FILES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "the file is empty", "env new"),
    "only comments": (b"# later\n", "the file is empty", "env new"),
    "binary": (bytes(range(256)) * 16, "is not text in UTF-8", "YAML"),
    "binary that decodes": (b"apiVersion: platform/v1\n\0\n", "is a binary file", "text in UTF-8"),
    "huge": (b"tags:\n" + b"".join(b"  t%d: x\n" % n for n in range(120_000)), "larger than 1 MiB", "people"),
    "no YAML": (b"name: [dev\n", "not YAML", "env new"),
    "a list": (b"- name: dev\n", "must be a mapping", "env new"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_environment(ready: Machine, kind: str) -> None:
    content, cause, hint = FILES[kind]
    (ready.root / ENVIRONMENT).write_bytes(content)
    for command in (("env", "validate", "dev"), RUN):
        error = refused(ready, 3, *command)
        assert cause in error["message"]
        assert hint in error["hint"]
        assert error["problems"][0]["file"] == ENVIRONMENT
    assert no_run(ready)


def test_a_file_that_is_missing(ready: Machine) -> None:
    error = refused(ready, 4, "run", "provision", "--env", "./other.yaml")
    assert "other.yaml" in error["message"]
    assert "env list" in error["hint"]
    assert no_run(ready)


def test_an_unknown_environment_is_answered_with_the_nearest_one(ready: Machine) -> None:
    (ready.root / "pipelines/environments/folder.yaml").mkdir()
    assert "did you mean 'dev'?" in refused(ready, 4, "run", "provision", "--env", "deev")["hint"]
    assert "there are: dev" in refused(ready, 4, "env", "validate", "folder")["hint"]
    assert no_run(ready)


@pytest.mark.parametrize(
    ("arguments", "cause", "hint"),
    [
        (("run", "provison", "--env", "dev"), "no pipeline 'provison'", "did you mean 'provision'?"),
        ((*RUN, "--param", "stacks=nope"), "stacks has no 'nope'", "there are: small"),
        ((*RUN, "--param", "stack=small"), "provision has no parameter 'stack'", "did you mean 'stacks'?"),
        ((*RUN, "--param", "stacks"), "not NAME=VALUE", "--param stacks="),
        ((*RUN, "--stage", "aply"), "provision has no stage 'aply'", "did you mean 'apply'?"),
        ((*RUN, "--run-id", "../up"), "'../up' is no id of a run", "letters"),
        ((*RUN, "--wait", "soon"), "soon", "run --help"),
        ((*RUN, "--approve", "sha256:1", "--auto-approve"), "exclude each other", "one of them"),
        (("stacks", "plan", "--env", "dev", "nope"), "stacks has no 'nope'", "there are: small"),
        (("rnu",), "No such command 'rnu'. Did you mean 'run'?", "--help"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    machine: Machine, arguments: tuple[str, ...], cause: str, hint: str
) -> None:
    prepare(machine)  # without its bucket: nothing has to be reached to see this
    error = refused(machine, 2, *arguments)
    assert cause in error["message"]
    assert hint in error["hint"]
    assert not list((machine.root / ".platform/runs").glob("*"))


def test_a_run_that_does_not_exist(ready: Machine) -> None:
    for command in (
        (*RUN, "--resume", "nope"),
        ("runs", "show", "nope"),
        ("runs", "show", "nope", "--env", "dev"),
        ("runs", "logs", "nope"),
        ("runs", "report", "nope"),
        ("runs", "close", "nope"),
        ("runs", "approve", "nope", "sha256:1"),
    ):
        error = refused(ready, 2, *command)
        assert (error["message"], error["hint"]) == ("no run 'nope'", "platformctl runs list")
    assert no_run(ready)


def test_a_region_that_there_is_not(machine: Machine) -> None:
    prepare(machine, region="ap-northeast-9")
    error = refused(machine, 4, "env", "bootstrap", "--env", "dev")
    assert "AWS has no region 'ap-northeast-9'; did you mean ap-northeast-" in error["message"]
    assert "cloud.region" in error["hint"]


def test_a_region_that_there_is_not_stops_a_run_before_any_plan(ready: Machine) -> None:
    prepare(ready, region="ap-northeast-9")
    assert "AWS has no region 'ap-northeast-9'" in refused(ready, 4, *RUN)["message"]
    assert untouched(ready)


def test_the_wrong_account(ready: Machine) -> None:
    prepare(ready, account="999999999999")
    error = refused(ready, 4, *RUN, "--auto-approve")
    assert f"belong to account {ACCOUNT} " in error["message"]
    assert error["message"].endswith("not to 999999999999")
    assert "cloud.account" in error["hint"]
    assert untouched(ready)


def test_a_bucket_of_another_account(machine: Machine) -> None:
    prepare(machine, bucket="sandbox-of-another-account")
    for command in (("env", "bootstrap", "--env", "dev"), RUN, ("stacks", "outputs", "--env", "dev")):
        error = refused(machine, 4, *command)
        assert "sandbox-of-another-account" in error["message"]
        assert f"another account than {ACCOUNT}" in error["message"] + error["hint"]
        assert "state.bucket" in error["hint"]
    assert not list((machine.root / ".platform/runs").glob("*"))


def test_a_bucket_that_was_not_made(machine: Machine) -> None:
    prepare(machine)
    error = refused(machine, 4, *RUN)
    assert f"the bucket {machine.bucket} does not exist" in error["message"]
    assert "platformctl env bootstrap --env" in error["hint"]
    assert not list((machine.root / ".platform/runs").glob("*"))


Credentials = Callable[[Machine], dict[str, str]]


def absent(machine: Machine) -> dict[str, str]:
    return {name: value for name, value in machine.aws.environment.items() if name not in {KEY, SECRET}}


def unknown(machine: Machine) -> dict[str, str]:
    return {**machine.aws.environment, KEY: "AKIAAAAAAAAAAAAAAAAA", SECRET: "x" * 40}


def expired(machine: Machine) -> dict[str, str]:
    taken = session_of(machine.aws)
    connection = http.client.HTTPConnection("127.0.0.1", machine.aws.port, timeout=10)
    body = json.dumps({"access_key_id": taken["AccessKeyId"]})
    connection.request("POST", "/_sandbox/credentials/expire", body)
    assert connection.getresponse().status == 200
    connection.close()
    session = {KEY: taken["AccessKeyId"], SECRET: taken["SecretAccessKey"], "AWS_SESSION_TOKEN": taken["SessionToken"]}
    return {**machine.aws.environment, **session}


def session_of(aws: SimulatedAws) -> dict[str, str]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/platform-plan"
    taken: dict[str, str] = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="tester")["Credentials"]
    return taken


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [
        (absent, "there are no AWS credentials"),
        (unknown, "AWS does not know the credentials"),
        (expired, "the AWS credentials have expired"),
    ],
)
def test_credentials_that_do_not_count(ready: Machine, credentials: Credentials, cause: str) -> None:
    values = credentials(ready)
    ready.connect(values)
    for command in ((*RUN, "--auto-approve"), ("stacks", "plan", "--env", "dev"), ("env", "bootstrap", "--env", "dev")):
        error = refused(ready, 4, *command)
        assert cause in error["message"]
        assert "sign in" in error["hint"]
        assert values.get(SECRET, "absent") not in json.dumps(error)
    assert ready.stored() == []
    ready.connect(ready.aws.environment)
    assert untouched(ready)


@pytest.mark.parametrize("command", [RUN, ("env", "bootstrap", "--env", "dev"), ("stacks", "outputs", "--env", "dev")])
def test_a_sandbox_that_is_down(machine: Machine, command: tuple[str, ...]) -> None:
    prepare(machine)
    connection = machine.root / ".platform/sandbox/connection.json"
    connection.unlink()
    error = refused(machine, 4, *command)
    assert (error["message"], error["hint"]) == ("the sandbox is not up", "platformctl sandbox up")


def test_a_sandbox_that_died_and_left_its_address(machine: Machine) -> None:
    prepare(machine)
    machine.connect({**machine.aws.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    error = refused(machine, 4, *RUN)
    assert error["message"] == "the sandbox does not answer at http://127.0.0.1:9"
    assert "platformctl sandbox up" in error["hint"]


def test_a_module_with_a_syntax_error(ready: Machine) -> None:
    ready.write("terraform/stacks/small/main.tf", 'module "this" { source = "../../modules/small" }\n')
    ready.write("terraform/modules/small/main.tf", 'resource "terraform_data" {\n  input = \n}\n')
    error = refused(ready, 3, *RUN, "--auto-approve")
    assert error["problems"][0]["file"] == "terraform/modules/small/main.tf"
    assert error["problems"][0]["line"] in {1, 2}
    assert untouched(ready)
    ready.write("terraform/modules/small/main.tf", SMALL)
    assert ready.ok(*RUN, "--auto-approve")["status"] == "SUCCEEDED", "nothing is in the way of the next one"


def test_a_secret_that_is_not_set_is_named(ready: Machine) -> None:
    path = ready.root / ENVIRONMENT
    path.write_text(
        path.read_text(encoding="utf-8") + "gitops: {repository: 'https://git.example.org/a.git', branch: main,\n"
        "         credentials: {env: THE_TOKEN}}\n",
        encoding="utf-8",
    )
    ready.variables["OTHER_TOKEN"] = Secret("not-this-one", "a test")
    error = refused(ready, 3, "env", "validate", "dev", "--secrets")
    assert "THE_TOKEN" in error["message"]
