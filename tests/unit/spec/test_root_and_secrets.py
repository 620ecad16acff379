"""The root's file, secret references, the JSON Schema, and the copy of an environment."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from platformctl.core.errors import PreconditionError, SpecError
from platformctl.core.secret import Secret, SecretRef, SecretSource
from platformctl.process.redact import KnownSecrets
from platformctl.spec.copy import copy_environment
from platformctl.spec.document import read_document
from platformctl.spec.loader import load
from platformctl.spec.root import find_root
from platformctl.spec.schema import schema_document
from platformctl.spec.secrets import LocalSecretResolver, missing

REPOSITORY = Path(__file__).parents[3]


class NoRemote:
    """Refuses every reference."""

    def resolve(self, reference: SecretRef) -> Secret:
        raise AssertionError(f"asked for {reference}")


def resolver(environ: dict[str, str], known: KnownSecrets | None = None) -> LocalSecretResolver:
    return LocalSecretResolver(known or KnownSecrets(), NoRemote(), environ)


def test_the_root_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    assert find_root(inside).path == tmp_path


def test_no_root_is_a_precondition_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError) as raised:
        find_root(tmp_path)
    assert "platformctl init" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schemaVersion: 2\n", "platform.yaml:1: schemaVersion 2 is not known; this platformctl reads 1"),
        (
            "schemaVersion: 1\ndefault: {}\n",
            "platform.yaml:2: unknown key 'default' in the file; did you mean 'defaults'?",
        ),
        (
            "schemaVersion: 1\nplatformctl: newest\n",
            "platform.yaml:2: platformctl: 'newest' is not a version range such as >=0.1,<0.3",
        ),
    ],
)
def test_a_faulty_root_file_is_told_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "platform.yaml").write_text(text)
    with pytest.raises(SpecError) as raised:
        find_root(tmp_path)
    assert [str(problem) for problem in raised.value.problems] == [expected]


def test_a_root_that_wants_another_version_is_not_worked_on(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text('schemaVersion: 1\nplatformctl: ">=99"\n')
    with pytest.raises(PreconditionError, match="wants platformctl >=99"):
        find_root(tmp_path)


def test_a_secret_is_redacted_from_the_moment_it_is_resolved(tmp_path: Path) -> None:
    known = KnownSecrets()
    secret = resolver({"TOKEN": "correct horse"}, known).resolve(SecretRef(SecretSource.ENV, "TOKEN"))
    assert secret.reveal() == "correct horse"
    assert "correct" not in known.redact("the token is correct horse")


def test_a_secret_file_loses_its_last_line_end_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("one\ntwo\n")
    assert resolver({}).resolve(SecretRef(SecretSource.FILE, str(path))).reveal() == "one\ntwo"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (SecretRef(SecretSource.ENV, "TOKEN"), "the secret env:TOKEN is not set"),
        (SecretRef(SecretSource.FILE, "/does/not/exist"), "the secret file:/does/not/exist cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_named_without_a_value(reference: SecretRef, message: str) -> None:
    with pytest.raises(PreconditionError, match=message):
        resolver({"TOKEN": ""}).resolve(reference)


def test_references_that_are_not_set_on_this_machine_are_listed_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n")
    open_file = tmp_path / "open"
    open_file.write_text("x")
    open_file.chmod(0o644)
    path = tmp_path / "dev.yaml"
    path.write_text(
        "apiVersion: platform/v1\nkind: Environment\nname: dev\ncloud: {provider: none}\nnotify:\n"
        f"  slack: {{channel: '#x', token: {{env: SLACK_TOKEN}}}}\n  webhook: {{url: {{file: {open_file}}}}}\n"
    )
    loaded = load(path, tmp_path)
    assert [str(problem) for problem in missing(loaded.environment, loaded.document, {})] == [
        "dev.yaml:6: notify.slack.token: the variable SLACK_TOKEN is not set",
        f"dev.yaml:7: notify.webhook.url: the file {open_file} can be read by others; chmod 600 it",
    ]
    assert len(list(missing(loaded.environment, loaded.document, {"SLACK_TOKEN": "x"}))) == 1


def test_the_json_schema_accepts_what_the_loader_accepts_and_refuses_unknown_keys() -> None:
    schema = schema_document()
    jsonschema.Draft202012Validator.check_schema(schema)
    full = read_document(REPOSITORY / "examples" / "environments" / "full.yaml", "full.yaml").value
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(full)) == []
    assert list(validator.iter_errors({**full, "protectd": True}))
    assert list(validator.iter_errors({**full, "cloud": {**full["cloud"], "account": 123456789012}}))


def test_the_committed_json_schema_is_the_models_own() -> None:
    committed = json.loads((REPOSITORY / "docs" / "reference" / "environment.schema.json").read_text(encoding="utf-8"))
    assert committed == schema_document(), "stale: python -m platformctl.cli.reference"


def test_a_copy_keeps_comments_quotes_and_order() -> None:
    text = '# above\nkind: Environment\nname: dev\n# below\ncloud: {account: "012345678901"}  # quoted\n'
    assert copy_environment(text, "stage") == text.replace("name: dev", "name: stage")
