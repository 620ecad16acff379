"""What of YAML an environment file may use, and that everything else is refused by name and line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platformctl.core.errors import Problem, SpecError
from platformctl.spec.document import LARGEST, parse_document, read_document
from tests.unit.spec.sample_roots import HEAD, faults

ANCHORS = "anchors and aliases are not allowed; write the value where it is used"
MERGE = "merge keys (<<) are not allowed; write the values where they are used"
KEY = "a key must be a text, not a list or a mapping"


def problems(text: str) -> list[str]:
    """The problems of a text, with their lines."""
    with pytest.raises(SpecError) as raised:
        parse_document(text, "f")
    return [str(problem).removeprefix("f:").strip() for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x\n", [f"1: {ANCHORS}", f"2: {ANCHORS}"]),
        ("b: *nowhere\n", [f"1: {ANCHORS}"]),
        ("&x a: 1\n", [f"1: {ANCHORS}"]),
        ("a: 1\nb: 2\na: 3\n", ["3: the key 'a' stands here a second time"]),
        ("? [1, {a: &x b}]\n: x\n", [f"1: {KEY}", f"1: {ANCHORS}"]),
        ("1: x\n", ["1: a key must be a text: quote 1"]),
        ("~: x\n", ["1: a key must be a text: quote ~"]),
        ("? \n: x\n", ["1: a key must be a text: quote it"]),
        ("true: x\n", ["1: a key must be a text: quote true"]),
        ("<<: {a: 1}\n", [f"1: {MERGE}"]),
        ("a: !!python/name:os.system x\n", ["1: the tag tag:yaml.org,2002:python/name:os.system is not allowed"]),
        ("a: !secret x\n", ["1: the tag !secret is not allowed"]),
        ("!!str a: x\n", ["1: the tag tag:yaml.org,2002:str is not allowed"]),
        ("a: .nan\n", ["1: .nan is not a number that can be stored; quote it if it is a text"]),
        ("a: -.INF\n", ["1: -.INF is not a number that can be stored; quote it if it is a text"]),
        ('a: "\\ud800"\n', ["1: holds half a character (a surrogate)"]),
        ("a: 1e999\n", ["1: 1e999 is not a number that can be stored; quote it if it is a text"]),
        (f"a: {'9' * 5000}\n", ["1: 9999999999... is too long for a number; quote it if it is a text"]),
        ("--- {a: 1}\n--- {b: 1}\n", ["2: a second document is not allowed; one environment, one file"]),
        ("%YAML 1.1\n---\na: 1\n", ["2: directives (%YAML, %TAG) are not allowed"]),
        ("- a\n- b\n", ["1: must be a mapping of keys to values"]),
        ("words\n", ["1: must be a mapping of keys to values"]),
        ("a: [\n", ["2: not YAML: expected the node content, but found '<stream end>'"]),
        ("\ta: 1\n", ["1: not YAML: found character '\\t' that cannot start any token"]),
        ("a: 1\nb: \x07\n", ["2: not YAML: the character U+0007 stands in it"]),
        ("", ["the file is empty"]),
        ("# only words\n", ["the file is empty"]),
        ("a: " + "[" * 31 + "]" * 31, ["1: is nested deeper than 30 levels"]),
        ("a: " + "[" * 100_000, ["1: is nested deeper than 30 levels"]),
    ],
)  # fmt: skip
def test_what_is_not_plain_yaml_is_refused(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_scalars_mean_what_yaml_1_2_says() -> None:
    text = """\
texts: [yes, "no", On, 2026-11-21, 1_000, 0b1, 12:30:45, =, 1.2.3, '1', "true", null ish]
numbers: [1, -2, +3, 0o17, 0x1F, 1.5, .5, 1., 1e3]
others: [true, False, null, ~, ]
block: |
  one
  two
"""
    assert parse_document(text, "f").value == {
        "texts": ["yes", "no", "On", "2026-11-21", "1_000", "0b1", "12:30:45", "=", "1.2.3", "1", "true", "null ish"],
        "numbers": [1, -2, 3, 15, 31, 1.5, 0.5, 1.0, 1000.0],
        "others": [True, False, None, None],
        "block": "one\ntwo\n",
    }


def test_every_key_and_item_knows_its_line() -> None:
    document = parse_document("a:\n  b:\n    - x\n    - {c: 1.30}\n", "f")
    assert document.lines == {
        (): 1, ("a",): 1, ("a", "b"): 2, ("a", "b", 0): 3, ("a", "b", 1): 4, ("a", "b", 1, "c"): 4,
    }  # fmt: skip
    assert document.written(("a", "b", 1, "c")) == "1.30"


def test_what_leaves_the_rest_readable_can_be_told_later() -> None:
    collected: list[Problem] = []
    document = parse_document("a: 1\na: 2\nb: 3\n", "f", collect=collected)
    assert (document.value, [problem.line for problem in collected]) == ({"a": 1, "b": 3}, [2])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" * (LARGEST + 1), "is larger than 1 MiB"),
        (b"", "the file is empty"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "1: is a binary file"),
        (b"a: 1\n\xff\xfe\x00", "2: is not text in UTF-8"),
        ("a: 한글".encode("euc-kr"), "1: is not text in UTF-8"),
    ],
)
def test_what_is_no_text_is_refused_before_it_is_parsed(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(SpecError) as raised:
        read_document(path, "f")
    assert str(raised.value.problems[0]).removeprefix("f:").strip() == expected


def test_a_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="d: is not a file"):
        read_document(tmp_path, "d")
    with pytest.raises(SpecError, match="m: no such file"):
        read_document(tmp_path / "m", "m")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes("a: 1\n".encode("utf-8-sig"))
    assert read_document(path, "f").value == {"a": 1}


json_texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), json_values, min_size=1, max_size=3))
def test_json_reads_as_itself(value: object) -> None:
    assert parse_document(json.dumps(value, ensure_ascii=False), "f").value == value


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=200)
    | st.from_regex(r"[\[\]{}:,&*!|>'\"%@`\n\t a-c0-9.?<~-]{0,60}")
)
def test_no_text_at_all_leads_to_anything_but_a_spec_error(text: str) -> None:
    with contextlib.suppress(SpecError):
        parse_document(text, "any.yaml")


def test_faults_of_the_text_and_of_the_values_are_told_together(root: Path) -> None:
    assert faults(root, f"{HEAD}tags: {{a: b, a: c}}\nprotcted: true\n") == [
        "5: the key 'a' stands here a second time",
        "6: unknown key 'protcted' in the file; did you mean 'protected'?",
    ]
