"""A state that is not what we can read stops us; one that is gives outputs and addresses."""

from __future__ import annotations

import json

import pytest

from platformctl.core.errors import UnreadableOutput
from platformctl.tools.terraform.state import EMPTY, read_state


def test_no_state_is_an_empty_one() -> None:
    assert read_state(None, "here") == EMPTY


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"{}", b'{"version": 3}', b'{"version": 5}', b"\xff"])
def test_another_version_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(UnreadableOutput, match=r"s3://acme/dev/network\.tfstate"):
        read_state(content, "s3://acme/dev/network.tfstate")


def test_instances_have_their_addresses() -> None:
    resources = [
        {"mode": "managed", "module": "module.a", "type": "t", "name": "n", "instances": [
            {"index_key": 0, "attributes": {"id": "i-0"}},
            {"index_key": "b", "attributes": {"arn": "arn:x"}},
        ]},
        {"mode": "data", "type": "d", "name": "n", "instances": [{"attributes": {"id": "i-9"}}]},
    ]  # fmt: skip
    state = read_state(json.dumps({"version": 4, "resources": resources}).encode(), "here")
    assert sorted(state.resources) == ['module.a.t.n["b"]', "module.a.t.n[0]"]
    assert state.holds("arn:x")
    assert state.holds("i-0")
    assert not state.holds("i-9")
