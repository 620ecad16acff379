"""What Terraform 1.11.4 really printed, and what we make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from platformctl.core.command import Command, Stream
from platformctl.core.errors import PlatformError, PreconditionError, SpecError, StepFailed, TransientError
from platformctl.testing import Reply, ScriptedRunner
from platformctl.tools.terraform.adapter import Terraform
from platformctl.tools.terraform.commands import Place
from platformctl.tools.terraform.failures import Doing, Failure, TerraformFailed
from platformctl.tools.terraform.messages import Diagnostic, Messages
from platformctl.tools.terraform.normalise import UNKNOWN, normalise
from platformctl.tools.terraform.state import read_lock, read_state

RECORDED = Path(__file__).parent / "recorded"
ROOT = Path("/root")
PLAN_FLAGS = ("plan", "-json", "-input=false", "-lock=false", "-detailed-exitcode", "-out=/p")


def recorded(name: str) -> str:
    return (RECORDED / name).read_text(encoding="utf-8")


def heard(name: str, **settings: object) -> Messages:
    messages = Messages(**settings)  # type: ignore[arg-type]
    for line in recorded(name).splitlines():
        messages(Stream.OUT, line)
    return messages


def failed(name: str, doing: Doing) -> PlatformError:
    command = Command(argv=("terraform", str(doing)), cwd=ROOT / "terraform/stacks/network")
    diagnostics = heard(name).errors
    assert diagnostics
    return Failure(command, 1, doing, "network", ROOT, diagnostics).error()


def terraform(runner: ScriptedRunner) -> Terraform:
    place = Place(Path("terraform"), ROOT, ROOT / "data", ROOT / "cli.tfrc")
    return Terraform(runner, place, "network", ROOT)


def test_a_plans_messages_give_its_version_and_its_changes() -> None:
    messages = heard("plan-create.jsonl")
    assert (messages.version, messages.changes["add"], messages.errors) == ("1.11.4", 2, ())


def test_an_applys_messages_become_progress() -> None:
    said: list[str] = []
    messages = heard("apply-create.jsonl", progress=said.append)
    assert said[0] == "terraform_data.a: Creating..."
    assert messages.applied == 2
    assert not any("canary" in text for text in said)


def test_the_start_of_an_apply_is_told_once_and_before_the_first_resource() -> None:
    order: list[str] = []
    heard("apply-create.jsonl", progress=order.append, on_start=lambda: order.append("locked"))
    assert order[0] == "locked"
    assert order.count("locked") == 1


def test_an_unchanged_plan_is_not_shown() -> None:
    runner = ScriptedRunner()
    runner.on("terraform", *PLAN_FLAGS, reply=Reply(stdout=recorded("plan-empty.jsonl"), returncode=0))
    planned = terraform(runner).plan(Path("/p"))
    plan = terraform(runner).show(planned, b"key", {"aws": "5.100.0"})
    assert plan.empty
    assert (plan.terraform, plan.providers) == ("1.11.4", {"aws": "5.100.0"})
    assert len(runner.calls) == 1


def test_a_changed_plan_is_shown_and_its_secrets_stay_behind() -> None:
    runner = ScriptedRunner()
    runner.on("terraform", *PLAN_FLAGS, reply=Reply(stdout=recorded("plan-create.jsonl"), returncode=2))
    runner.on("terraform", "show", "-json", "/p", reply=Reply(stdout=recorded("show-create.json")))
    plan = terraform(runner).show(terraform(runner).plan(Path("/p")), b"key", {})
    assert plan.summary == "+2 ~0 -0, 2 outputs"
    assert plan.changes["terraform_data.a"]["after"]["id"] == UNKNOWN
    assert "canary" not in f"{plan.to_json()}"


def test_a_shown_plan_has_our_format() -> None:
    plan = normalise(recorded("show-create.json"), b"key", {})
    assert sorted(plan.changes) == ["terraform_data.a", "terraform_data.b"]
    assert plan.changes["terraform_data.b"]["after"]["input"]["ids"] == ["const", UNKNOWN]


def test_a_state_gives_its_outputs_and_keeps_its_secrets() -> None:
    state = read_state(recorded("state-v4.json").encode(), "here")
    assert state.outputs == {"a": "x"}
    assert state.secrets["s"].reveal() == "canary-secret"
    assert sorted(state.resources) == ["terraform_data.a", "terraform_data.b"]
    assert "canary" not in repr(state)


def test_a_syntax_error_is_named_with_file_and_line() -> None:
    error = failed("init-syntax-error.jsonl", Doing.INIT)
    assert isinstance(error, SpecError)
    assert str(error.problems[0]).startswith("terraform/stacks/network/bad.tf:1: ")
    assert any("Unclosed configuration block" in problem.message for problem in error.problems)


def test_a_fault_in_the_configuration_is_named_with_file_and_line() -> None:
    error = failed("plan-configuration-error.jsonl", Doing.PLAN)
    assert isinstance(error, SpecError)
    assert str(error.problems[0]).startswith("terraform/stacks/network/bad.tf:1: Reference to undeclared module")


def test_a_held_lock_names_its_holder() -> None:
    error = failed("apply-locked.jsonl", Doing.APPLY)
    assert isinstance(error, TransientError)
    assert "locked by root@vm since 2026-11-21" in error.message
    assert "9287103c-fa82-6444-8ac4-3551a10d6510" in error.message


def test_a_stale_plan_was_not_applied() -> None:
    error = failed("apply-stale.jsonl", Doing.APPLY)
    assert isinstance(error, StepFailed)
    assert "nothing was applied" in error.message


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("init-no-credentials.jsonl", "there are no AWS credentials", "sign in"),
        ("init-no-bucket.jsonl", "the state bucket does not exist", ""),
        ("init-no-provider.jsonl", "could not connect to registry.terraform.io", "mirror"),
        ("init-other-platform.jsonl", "doesn't match any of the checksums", "terraform providers lock"),
        ("init-no-lock-file.jsonl", "Provider dependency changes detected", "terraform providers lock"),
    ],
)
def test_what_must_be_put_right_first_says_how(name: str, said: str, hint: str) -> None:
    error = failed(name, Doing.INIT)
    assert isinstance(error, PreconditionError)
    assert said in error.message
    assert "\n" not in error.message
    assert hint in error.hint


THROTTLED = Diagnostic("error", "reading EC2 VPC", "api error RequestLimitExceeded: Request limit exceeded.")
DENIED = Diagnostic("error", "creating ECR", "StatusCode: 403, AccessDeniedException: not authorized", "m.tf", 3, "a.b")
BROKEN = Diagnostic("error", "creating ECR", "InvalidParameter: no such thing.", "m.tf", 3, "aws_ecr.a")


@pytest.mark.parametrize(
    ("diagnostic", "doing", "kind"),
    [
        (THROTTLED, Doing.PLAN, TransientError),
        (THROTTLED, Doing.APPLY, TerraformFailed),
        (DENIED, Doing.APPLY, PreconditionError),
        (BROKEN, Doing.PLAN, TerraformFailed),
        (BROKEN, Doing.APPLY, TerraformFailed),
    ],
)
def test_throttling_is_transient_in_a_plan_and_never_in_an_apply(
    diagnostic: Diagnostic, doing: Doing, kind: type[PlatformError]
) -> None:
    command = Command(argv=("terraform", str(doing)), cwd=ROOT)
    assert type(Failure(command, 1, doing, "network", ROOT, (diagnostic,)).error()) is kind


def test_a_failed_resource_is_named_with_its_place() -> None:
    command = Command(argv=("terraform", "apply"), cwd=ROOT)
    error = Failure(command, 1, Doing.APPLY, "registry", ROOT, (BROKEN, BROKEN)).error()
    assert error.message == (
        "terraform apply of registry failed: m.tf:3: aws_ecr.a: creating ECR: InvalidParameter: no such thing. "
        "(and 1 more)"
    )


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b"{}", b"\xff"])
def test_what_is_no_lock_is_none(content: bytes) -> None:
    assert read_lock(content) is None


def test_a_lock_gives_who_and_since_when() -> None:
    lock = read_lock(
        b'{"ID":"9287103c","Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4",'
        b'"Created":"2026-11-21T10:12:21.860130226Z","Path":"acme/dev/net.tfstate"}'
    )
    assert lock is not None
    assert (lock.id, lock.who, lock.operation) == ("9287103c", "root@vm", "Apply")
