"""A kubeconfig that shall stand in for the control plane, and does not."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from platformctl.core.errors import PreconditionError
from platformctl.sandbox import standin
from platformctl.sandbox.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout.of(tmp_path)
    layout.make()
    return layout


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\x00",
        b"just text",
        b"- a\n- list\n",
        b"{",
        b"apiVersion: v1\nkind: Config\ncurrent-context: gone\n",
    ],
    ids=["empty", "binary", "text", "list", "cut off", "unknown context"],
)
def test_a_file_that_is_no_kubeconfig_is_told_in_one_line(layout: Layout, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)
    with pytest.raises(PreconditionError, match="is not a usable kubeconfig") as caught:
        standin.adopt(layout, path)
    assert "\n" not in caught.value.message


def test_a_kubeconfig_that_is_gone_is_told(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(PreconditionError, match="is gone"):
        standin.adopt(layout, tmp_path / "nowhere")


def test_a_cluster_that_does_not_answer_is_told(layout: Layout, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        server = f"https://127.0.0.1:{taken.getsockname()[1]}"
        path = tmp_path / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "one", "cluster": {"server": server}}],
                    "users": [{"name": "one", "user": {}}],
                    "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
                    "current-context": "one",
                }
            )
        )
        with pytest.raises(PreconditionError, match=f"{server} does not answer") as caught:
            standin.adopt(layout, path)
    assert "\n" not in caught.value.message
