"""Environments for the engine's tests: a name, stacks and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platformctl.spec.environment import Environment


def an_environment(stacks: Mapping[str, tuple[str, ...]], **more: Any) -> Environment:
    """An environment ``dev`` with these stacks; ``more`` are further keys of its file."""
    return Environment.model_validate(
        {
            "apiVersion": "platform/v1",
            "kind": "Environment",
            "name": "dev",
            "cloud": {"provider": "aws", "region": "ap-northeast-2", "account": "123456789012"},
            "stacks": {
                name: {"source": name, "needs": {f"from_{need}": f"{need}.id" for need in needs}}
                for name, needs in stacks.items()
            },
            **more,
        }
    )
