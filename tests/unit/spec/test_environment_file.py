"""Environment files as a whole: what is accepted, faults of values, where each value comes from."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platformctl.core.clock import Duration
from platformctl.core.errors import PreconditionError, SpecError, UsageError
from platformctl.core.secret import SecretRef, SecretSource
from platformctl.spec.environment import Environment
from platformctl.spec.loader import environment_path, load, load_environment
from tests.unit.spec.sample_roots import AWS, FULL, HEAD, REPOSITORY, faults, full_root, read, write


def test_the_full_example_is_valid_and_holds_every_key(tmp_path: Path) -> None:
    loaded = load(FULL, full_root(tmp_path))
    environment = loaded.environment
    unset = [location for location, _, origin in loaded.explain() if origin == "default"]
    # Written shorter than it could be: things that exclude each other, and those whose default says enough.
    short = {"addons", "cluster", "argocd.cluster", "cloud.accounts", "stacks", "services"}
    assert [".".join(map(str, path)) for path in unset if not any(_inside(path, name) for name in short)] == []
    assert environment.approvers.expires == Duration(86_400)
    assert environment.stacks["zone"].secrets["registrar_token"] == SecretRef(
        SecretSource.AWS_SECRETS_MANAGER, "platform/registrar", key="token", account="dns"
    )
    assert environment.graph("addons") == {"metrics-server": (), "external-dns": ("metrics-server",)}
    assert environment.graph("services") == {"orders": (), "storefront": ("orders",)}


def _inside(path: tuple[str | int, ...], name: str) -> bool:
    return ".".join(map(str, path)).startswith(name)


def test_the_sandboxs_own_environment_is_valid() -> None:
    environment = load_environment(REPOSITORY / "pipelines" / "environments" / "sandbox.yaml", REPOSITORY)
    assert environment.cloud.sandbox
    assert environment.graph("stacks")["access"] == ("network",)


def test_all_faults_are_named_at_once_each_with_its_line(root: Path) -> None:
    text = """\
apiVersion: platform/v2
kind: Environment
name: dev
cloud: {provider: aws, regon: x, account: 012345678901}
protectd: true
timezone: Mars/Base
approvers: {quorum: 0, expires: 5}
notify: {slack: {channel: "#x", token: swordfish}}
stacks:
  a: {source: sample, input: {}}
  b: [1]
  c: {source: sample, needs: {x: d.vpc_id}}
  d: {source: sample, needs: {x: c.vpcid}}
guards: {max_destroys: many}
"""
    assert faults(root, text) == [
        "1: apiVersion: 'platform/v2' must be 'platform/v1'",
        "4: cloud.account must be a text; quote it: '012345678901'",
        "4: cloud.region is missing: provider aws needs it",
        "4: unknown key 'regon' in cloud; did you mean 'region'?",
        "5: unknown key 'protectd' in the file; did you mean 'protected'?",
        "6: timezone: must be a time zone of the IANA database, such as Asia/Seoul",
        "7: approvers.expires: must be a duration such as 90s, 1h30m or 2d",
        "7: approvers.quorum must be at least 1",
        "8: notify.slack.token: must be a reference such as {env: NAME}; a secret's value is never written here",
        "10: unknown key 'input' in stacks.a; did you mean 'inputs'?",
        "11: stacks.b must be a mapping of keys to values",
        "12: needs go in a circle: c -> d -> c",
        "13: c.vpcid: the stack c has no output 'vpcid'; did you mean 'vpc_id'?",
        "14: guards.max_destroys must be a whole number",
    ]


def _golden(name: str) -> list[tuple[str, str]]:
    """Pairs of a line and, indented below it, the message."""
    lines = (Path(__file__).parent / "cases" / name).read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line and not line.startswith("#")]
    return [(line, message.strip()) for line, message in zip(said[::2], said[1::2], strict=True)]


@pytest.mark.parametrize(("line", "expected"), _golden("faulty_values.txt"))
def test_a_value_that_may_not_stand_there_is_named_with_what_may(root: Path, line: str, expected: str) -> None:
    assert f"5: {expected}" in faults(root, f"{HEAD}{line}\n")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("hunter2", "must be a reference such as {env: NAME}; a secret's value is never written here"),
        ("{}", "must be a reference with one of env, file, aws_secret, ssm, such as {env: NAME}"),
        ("{vault: x}", "must be a reference with one of env, file, aws_secret, ssm, such as {env: NAME}"),
        ("{env: A, file: /b}", "must be a reference with one of env, file, aws_secret, ssm, such as {env: NAME}"),
        (
            "{env: [hunter2]}",
            "a secret reference holds texts only: one of env, file, aws_secret, ssm, and key or account",
        ),
        ("{env: hunter2 hunter2}", "must be the name of an environment variable"),
        ("{file: hunter2}", "must be a path of the machine: absolute, or below ~/"),
        ("{env: A, key: hunter2}", "key can't stand beside env"),
        ("{ssm: /a, key: hunter2}", "key can't stand beside ssm"),
    ],
)
def test_a_faulty_secret_reference_is_told_without_what_was_written(root: Path, reference: str, expected: str) -> None:
    found = faults(root, f"{HEAD}gitops: {{repository: 'https://h/x', credentials: {reference}}}\n")
    assert found == [f"5: gitops.credentials: {expected}"]
    assert "hunter2" not in "".join(found)


def test_a_name_must_be_the_files_name(root: Path) -> None:
    assert faults(root, HEAD.replace("dev", "prod")) == ["3: name: 'prod' must be the file's name, 'dev'"]


def test_the_graph_puts_what_is_needed_first(root: Path) -> None:
    text = """\
stacks:
  c: {source: sample, needs: {x: b.vpc_id}}
  b: {source: sample, needs: {x: a.names.orders, y: a.vpc_id}}
  a: {source: sample}
"""
    assert list(read(root, HEAD + text).environment.graph("stacks").items()) == [
        ("a", ()),
        ("b", ("a",)),
        ("c", ("b",)),
    ]


def test_defaults_of_the_root_stand_below_and_each_value_says_where_it_comes_from(root: Path) -> None:
    (root / "platform.yaml").write_text(
        "schemaVersion: 1\ndefaults:\n  timezone: Asia/Seoul\n  tags:\n    owner: us\n    team: x\n"
        "  guards: {never_destroy: [a]}\n"
    )
    text = f"{HEAD}tags:\n  owner: me\nguards:\n  never_destroy: []\napprovers: {{expires: 36h}}\n"
    loaded = read(root, text, {"timezone": "Europe/Vienna"})
    origins = {".".join(map(str, place)): (value, origin) for place, value, origin in loaded.explain()}
    assert origins["timezone"] == ("Europe/Vienna", "command line")
    assert origins["tags.owner"] == ("me", "dev.yaml:6")
    assert origins["tags.team"] == ("x", "platform.yaml:6")
    assert origins["guards.never_destroy"] == ([], "dev.yaml:8")
    assert origins["approvers.expires"] == ("1d12h", "dev.yaml:9")
    assert origins["protected"] == (False, "default")


def test_a_null_in_the_file_takes_a_default_of_the_root_away(root: Path) -> None:
    (root / "platform.yaml").write_text("schemaVersion: 1\ndefaults:\n  state: {bucket: shared-state}\n")
    assert read(root, f"{AWS}").environment.state is not None
    assert read(root, f"{AWS}state: null\n").environment.state is None


def test_a_fault_in_the_roots_defaults_is_placed_there(root: Path) -> None:
    (root / "platform.yaml").write_text("schemaVersion: 1\ndefaults:\n  timezone: Mars/Base\n")
    with pytest.raises(SpecError, match=r"^platform.yaml:3: timezone"):
        read(root, HEAD)


def test_the_command_line_may_not_change_what_is_reviewed(root: Path) -> None:
    with pytest.raises(UsageError, match="protected can't be set on the command line"):
        read(root, HEAD, {"protected": "false"})
    with pytest.raises(SpecError, match=r"^command line: timezone: must be a time zone"):
        read(root, HEAD, {"timezone": "Mars"})


def test_the_digest_tells_environments_apart_and_not_their_spelling(root: Path) -> None:
    plain = read(root, f"{HEAD}tags: {{a: b}}\n").environment.digest()
    assert plain == read(root, f"# said otherwise\n{HEAD}tags:\n  'a': \"b\"\n").environment.digest()
    assert plain != read(root, f"{HEAD}tags: {{a: c}}\n").environment.digest()


def test_an_environment_that_is_not_there_is_named_with_those_that_are(root: Path) -> None:
    folder = root / "pipelines" / "environments"
    folder.mkdir(parents=True)
    (folder / "dev.yaml").write_text(HEAD)
    with pytest.raises(PreconditionError) as raised:
        environment_path(root, "dve")
    assert raised.value.hint == "did you mean 'dev'?"
    assert environment_path(root, "dev") == folder / "dev.yaml"


WORDS = ["name", "source", "needs", "inputs", "kind", "users", "env", "version", "kakao", "a"]
SECTIONS = [name for name in Environment.model_fields if name not in {"apiVersion", "kind", "name"}]


def _flow(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"


anything = st.recursive(
    st.sampled_from(["dev", "a.b", "sample", "1.30", "[", "~", "true", "24h", "-1"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3).map(_flow)
    ),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(SECTIONS), anything, max_size=4))
def test_no_value_of_any_key_leads_to_anything_but_a_spec_error(root: Path, content: dict[str, str]) -> None:
    lines = "".join(f"{key}: {value}\n" for key, value in content.items())
    with contextlib.suppress(SpecError):
        load(write(root, f"apiVersion: platform/v1\nkind: Environment\nname: dev\n{lines}"), root, content=())
