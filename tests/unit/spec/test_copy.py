"""A copy of an environment under another name."""

from __future__ import annotations

import pytest

from platformctl.spec.copy import copy_environment, mentions
from tests.unit.spec.sample_roots import FULL


@pytest.mark.parametrize(
    "text",
    [
        '# above\nkind: Environment\nname: dev  # mine\n\n# below\ncloud:   {account: "012345678901"}\n',
        "tags: {name: dev}\nname: dev\n",
        "stacks:\n  a:\n    inputs:\n      - name: dev\nname:   'dev'\r\nkind: Environment\r\n",
        'kind: name\n"name": "dev"\n',
        "{kind: Environment, name: dev, tags: {name: dev}}",
        "# 한글\nname: dev\nlist:\n- x\n-   y\n",
    ],
)
def test_nothing_but_the_name_is_changed(text: str) -> None:
    copied = copy_environment(text, "stage")
    before, _, after = copied.partition("stage")
    assert text.startswith(before)
    assert text.endswith(after)
    assert len(copied) - len(text) in {len("stage") - len("dev"), len("stage") - len("'dev'")}


def test_the_full_example_keeps_every_comment() -> None:
    text = FULL.read_text(encoding="utf-8")
    assert copy_environment(text, "prod") == text.replace("\nname: full ", "\nname: prod ")


def test_a_text_without_a_name_cannot_be_copied() -> None:
    with pytest.raises(ValueError, match="there is no name"):
        copy_environment("kind: name\ntags: {name: dev}\n", "stage")


def test_values_that_speak_of_the_old_name_are_found_and_longer_words_are_not() -> None:
    document = {"name": "stage", "bucket": "acme-dev-state", "tags": {"a": "device", "b": ["x", "dev"]}, "n": 1}
    assert list(mentions(document, "dev")) == [(("bucket",), "acme-dev-state"), (("tags", "b", 1), "dev")]
