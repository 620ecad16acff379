"""Environment files: what is accepted, and every kind of fault with its file, line and words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.core.clock import Duration
from platformctl.core.errors import PreconditionError, SpecError
from platformctl.core.secret import SecretRef, SecretSource
from platformctl.spec.document import LARGEST, parse_document
from platformctl.spec.loader import environment_path, load, load_environment

REPOSITORY = Path(__file__).parents[3]
HEAD = "apiVersion: platform/v1\nkind: Environment\nname: dev\ncloud: {provider: none}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "platform.yaml").write_text("schemaVersion: 1\n")
    stack = tmp_path / "terraform" / "stacks" / "sample"
    stack.mkdir(parents=True)
    (stack / "outputs.tf").write_text('output "vpc_id" {\n  value = 1\n}\noutput "names" {\n  value = {}\n}\n')
    return tmp_path


def faults(root: Path, text: str) -> list[str]:
    """The problems of an environment file named dev.yaml, without the file's name."""
    path = root / "dev.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        load_environment(path, root)
    return [str(problem).removeprefix("dev.yaml:").strip() for problem in raised.value.problems]


def test_the_full_example_holds_every_key_and_is_valid() -> None:
    loaded = load(REPOSITORY / "examples" / "environments" / "full.yaml", REPOSITORY)
    written = set(loaded.document.value)
    assert written == set(type(loaded.environment).model_fields)
    assert loaded.environment.approvers.expires == Duration(86_400)
    slack = loaded.environment.notify.slack
    assert slack is not None
    assert slack.token == SecretRef(SecretSource.AWS_SECRETS_MANAGER, "platform/slack", key="token")


def test_the_sandboxs_own_environment_is_valid() -> None:
    environment = load_environment(REPOSITORY / "pipelines" / "environments" / "sandbox.yaml", REPOSITORY)
    assert environment.cloud.sandbox
    assert environment.graph("stacks")["access"] == ("network",)


def test_all_faults_are_named_at_once_each_with_its_line(root: Path) -> None:
    text = """\
apiVersion: platform/v2
kind: Environment
name: dev
cloud: {provider: aws, regon: x, account: 12345}
protectd: true
timezone: Mars/Base
approvers: {quorum: 0, expires: 5}
notify: {slack: {channel: "#x", token: swordfish}}
stacks:
  a: {source: sample, input: {}}
  b: [1]
guards: {max_destroys: many}
"""
    assert faults(root, text) == [
        "1: apiVersion: 'platform/v2' must be 'platform/v1'",
        "4: cloud.account: must be quoted: '000000012345' (a number loses leading zeros)",
        "4: unknown key 'regon' in cloud; did you mean 'region'?",
        "5: unknown key 'protectd' in the file; did you mean 'protected'?",
        "6: timezone: must be a time zone of the IANA database, such as Asia/Seoul",
        "7: approvers.expires: must be a duration such as 90s, 1h30m or 2d",
        "7: approvers.quorum must be at least 1",
        "8: notify.slack.token: must be a reference such as {env: NAME}; a secret's value is never written here",
        "10: unknown key 'input' in stacks.a; did you mean 'inputs'?",
        "11: stacks.b must be a mapping of keys to values",
        "12: guards.max_destroys must be a whole number",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x\n", "1: anchors and aliases are not allowed; write the value where it is used"),
        ("a: 1\na: 2\n", "2: the key 'a' stands here a second time"),
        ("? [1, 2]\n: x\n", "1: a key must be a text, not a list or a mapping"),
        ("1: x\n", "1: a key must be a text: quote 1"),
        ("<<: {a: 1}\n", "1: merge keys (<<) are not allowed; write the values where they are used"),
        ("a: !!python/name:os.system x\n", "1: the tag tag:yaml.org,2002:python/name:os.system is not allowed"),
        ("a: .nan\n", "1: .nan is not a number that can be stored; quote it if it is a text"),
        ("--- {a: 1}\n--- {b: 1}\n", "2: not YAML: but found another document"),
        ("- a\n- b\n", "1: must be a mapping of keys to values"),
        ("a: [\n", "2: not YAML: expected the node content, but found '<stream end>'"),
        ("\ta: 1\n", "1: not YAML: found character '\\t' that cannot start any token"),
        ("", "the file is empty"),
        ("# only words\n", "the file is empty"),
        ("a: b\0c\n", "1: is a binary file"),
        ("[" * 40 + "]" * 40, "1: is nested deeper than 30 levels"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(root: Path, text: str, expected: str) -> None:
    assert expected in faults(root, text)


def test_a_file_over_one_mebibyte_is_refused_before_it_is_parsed(root: Path) -> None:
    assert faults(root, "[" * (LARGEST + 1)) == ["is larger than 1 MiB"]


def test_a_file_that_is_not_text_is_refused(root: Path) -> None:
    path = root / "dev.yaml"
    path.write_bytes(b"a: 1\n\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"dev.yaml:2: is not text in UTF-8"):
        load_environment(path, root)


@pytest.mark.parametrize(
    ("stacks", "expected"),
    [
        ("a: {source: sample, needs: {x: b.vpc_id}}", "5: b.vpc_id: there is no stack 'b'"),
        ("a: {source: sampel}", "5: there is no terraform/stacks/sampel; did you mean 'sample'?"),
        (
            "a: {source: sample, needs: {x: net.vpcid}}, net: {source: sample}",
            "5: net.vpcid: the stack net has no output 'vpcid'; did you mean 'vpc_id'?",
        ),
        ("a: {source: sample, inputs: {x: 1}, needs: {x: a.vpc_id}}", "5: x stands in both inputs and needs of a"),
        (
            "a: {source: sample, needs: {x: b.vpc_id}}, b: {source: sample, needs: {x: a.vpc_id}}",
            "5: needs go in a circle: a -> b -> a",
        ),
        ("a: {source: sample, account: dns}", "5: cloud.accounts has no 'dns'"),
        (
            "a: {source: sample, inputs: {kubernetes_version: 1.30}}",
            "5: kubernetes_version: 1.30 is read as a number; quote it: '1.30'",
        ),
        (
            "A_b: {source: sample}",
            "5: stacks.A_b: must be lower-case letters, digits and single dashes, and begin with a letter",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(root: Path, stacks: str, expected: str) -> None:
    assert expected in faults(root, f"{HEAD}stacks: {{{stacks}}}\n")


def test_one_value_of_an_output_that_is_a_map_can_be_needed(root: Path) -> None:
    path = root / "dev.yaml"
    path.write_text(f"{HEAD}stacks: {{a: {{source: sample}}, b: {{source: sample, needs: {{x: a.names.orders}}}}}}\n")
    assert load_environment(path, root).graph("stacks") == {"a": (), "b": ("a",)}


def test_a_module_from_elsewhere_is_terraforms_to_resolve(root: Path) -> None:
    path = root / "dev.yaml"
    source = "git::https://git.example.org/x.git"
    path.write_text(f"{HEAD}stacks: {{a: {{source: '{source}'}}, b: {{source: sample, needs: {{x: a.anything}}}}}}\n")
    assert list(load_environment(path, root).graph("stacks")) == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("addons: [metrics]", "5: there is no helm/addons/metrics.yaml"),
        ("hosts: {inventory: ansible/none}", "5: there is no inventory ansible/none"),
        ("required_tags: [owner]", "1: the tag 'owner' is required and not set"),
        ("cluster: {name: a.cluster}", "5: a.cluster: there is no stack 'a'"),
        (
            "state: {bucket: Not_A_Bucket}",
            "5: state.bucket: 'Not_A_Bucket' does not look right: it must match ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        ),
    ],
)
def test_what_the_rest_of_the_root_must_hold_is_checked(root: Path, line: str, expected: str) -> None:
    assert expected in faults(root, f"{HEAD}{line}\n")


def test_the_name_must_be_the_files_name(root: Path) -> None:
    assert faults(root, HEAD.replace("dev", "prod")) == ["3: name: 'prod' must be the file's name, 'dev'"]


def test_aws_needs_region_and_account(root: Path) -> None:
    assert faults(root, HEAD.replace("none", "aws")) == ["4: cloud: region and account must be given for provider aws"]


def test_defaults_of_the_root_stand_below_and_each_value_says_where_it_comes_from(root: Path) -> None:
    (root / "platform.yaml").write_text(
        "schemaVersion: 1\ndefaults:\n  timezone: Asia/Seoul\n  tags:\n    owner: us\n    team: x\n"
    )
    path = root / "dev.yaml"
    path.write_text(f"{HEAD}tags:\n  owner: me\n")
    loaded = load(path, root)
    origins = {".".join(map(str, place)): (value, origin) for place, value, origin in loaded.explain()}
    assert origins["timezone"] == ("Asia/Seoul", "platform.yaml:3")
    assert origins["tags.owner"] == ("me", "dev.yaml:6")
    assert origins["tags.team"] == ("x", "platform.yaml:6")
    assert origins["protected"] == (False, "default")


def test_a_fault_in_the_roots_defaults_is_placed_there(root: Path) -> None:
    (root / "platform.yaml").write_text("schemaVersion: 1\ndefaults:\n  timezone: Mars/Base\n")
    path = root / "dev.yaml"
    path.write_text(HEAD)
    with pytest.raises(SpecError, match=r"platform.yaml:3: timezone"):
        load_environment(path, root)


def test_an_environment_that_is_not_there_is_named_with_those_that_are(root: Path) -> None:
    folder = root / "pipelines" / "environments"
    folder.mkdir(parents=True)
    (folder / "dev.yaml").write_text(HEAD)
    with pytest.raises(PreconditionError) as raised:
        environment_path(root, "dve")
    assert raised.value.hint == "did you mean 'dev'?"
    assert environment_path(root, "dev") == folder / "dev.yaml"


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=200)
    | st.from_regex(r"[\[\]{}:,&*!|>'\"%@`\n\t a-c0-9.?-]{0,60}")
)
def test_no_text_at_all_leads_to_anything_but_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        parse_document(text, "any.yaml")
