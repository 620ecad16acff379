"""References to secrets: resolved here or handed on, and named without a value when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.core.secret import Secret, SecretRef, SecretSource
from platformctl.process.redact import KnownSecrets
from platformctl.spec.secrets import LARGEST, LocalSecretResolver, exposed, missing, references
from tests.unit.spec.sample_roots import AWS, HEAD, read


class Remote:
    """Answers for AWS what it was given, and refuses every other reference."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets

    def resolve(self, reference: SecretRef) -> Secret:
        if reference.name not in self.secrets:
            raise AssertionError(f"asked for {reference}")
        return Secret(self.secrets[reference.name], str(reference))


def resolver(environ: dict[str, str], known: KnownSecrets | None = None, **remote: str) -> LocalSecretResolver:
    return LocalSecretResolver(known or KnownSecrets(), Remote(**remote), environ)


def test_a_secret_is_redacted_from_the_moment_it_is_resolved() -> None:
    known = KnownSecrets()
    secret = resolver({"TOKEN": "correct horse"}, known).resolve(SecretRef(SecretSource.ENV, "TOKEN"))
    assert secret.reveal() == "correct horse"
    assert "correct" not in known.redact("the token is correct horse")


@pytest.mark.parametrize("source", [SecretSource.AWS_SECRETS_MANAGER, SecretSource.SSM])
def test_secrets_that_live_in_aws_are_asked_of_the_other_resolver(source: SecretSource) -> None:
    assert resolver({"TOKEN": "wrong"}, TOKEN="right").resolve(SecretRef(source, "TOKEN")).reveal() == "right"


@pytest.mark.parametrize(
    ("content", "value"), [("one\ntwo\n", "one\ntwo"), ("one\r\n", "one"), ("one\n\n", "one\n"), ("one", "one")]
)
def test_a_secret_file_loses_its_last_line_end_only(tmp_path: Path, content: str, value: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content.encode())
    assert resolver({}).resolve(SecretRef(SecretSource.FILE, str(path))).reveal() == value


def test_a_tilde_is_the_home_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("value")
    assert resolver({"HOME": str(tmp_path)}).resolve(SecretRef(SecretSource.FILE, "~/key")).reveal() == "value"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (SecretRef(SecretSource.ENV, "TOKEN"), "the secret env:TOKEN is not set"),
        (SecretRef(SecretSource.FILE, "~/absent"), "the secret file:~/absent does not exist"),
        (SecretRef(SecretSource.FILE, "~/empty"), "the secret file:~/empty is not set"),
        (SecretRef(SecretSource.FILE, "~/pipe"), "the secret file:~/pipe is not a file"),
        (SecretRef(SecretSource.FILE, "~/binary"), "the secret file:~/binary is not text in UTF-8"),
        (SecretRef(SecretSource.FILE, "~/large"), "the secret file:~/large is larger than 64 KiB"),
    ],
)
def test_a_secret_that_cannot_be_had_is_named_without_a_value(
    tmp_path: Path, reference: SecretRef, message: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    (tmp_path / "large").write_bytes(b"hunter2" * LARGEST)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PreconditionError) as raised:
        resolver({"TOKEN": "", "HOME": str(tmp_path)}).resolve(reference)
    assert raised.value.message == message


def test_references_that_are_not_set_on_this_machine_are_listed_with_their_lines(root: Path) -> None:
    loaded = read(
        root,
        f"{HEAD}notify:\n  slack: {{channel: '#x', token: {{env: SLACK_TOKEN}}}}\n"
        "  webhook: {url: {file: /does/not/exist}, secret: {ssm: /elsewhere}}\n",
    )
    assert [str(problem) for problem in missing(loaded.environment, loaded.document, {})] == [
        "dev.yaml:6: notify.slack.token: the variable SLACK_TOKEN is not set",
        "dev.yaml:7: notify.webhook.url: the secret file:/does/not/exist does not exist",
    ]
    assert len(list(missing(loaded.environment, loaded.document, {"SLACK_TOKEN": "x"}))) == 1


def test_a_file_that_others_may_read_is_a_warning_and_no_fault(root: Path) -> None:
    path = root / "key"
    path.write_text("value")
    loaded = read(root, f"{HEAD}notify: {{webhook: {{url: {{file: {path}}}}}}}\n")
    path.chmod(0o644)
    assert [str(problem) for problem in exposed(loaded.environment, loaded.document, {})] == [
        f"dev.yaml:5: notify.webhook.url: the file {path} can be read by others; chmod 600 it"
    ]
    assert list(missing(loaded.environment, loaded.document, {})) == []
    path.chmod(0o600)
    assert list(exposed(loaded.environment, loaded.document, {})) == []


def test_references_are_found_wherever_they_stand(root: Path) -> None:
    text = f"{AWS}stacks: {{a: {{source: sample, inputs: {{x: {{env: dev}}}}, secrets: {{y: {{env: Y}}}}}}}}\n"
    environment = read(root, text).environment
    # What looks like a reference among a stack's inputs is the stack's own business: a tag may be called env.
    assert environment.stacks["a"].inputs == {"x": {"env": "dev"}}
    assert [(path, str(reference)) for path, reference in references(environment)] == [
        (("stacks", "a", "secrets", "y"), "env:Y")
    ]
