"""A copy of an environment file under another name: comments, order and spelling stay as somebody wrote them."""

from __future__ import annotations

import io

from ruamel.yaml import YAML


def copy_environment(text: str, name: str) -> str:
    """The text of an environment file with ``name`` as its name."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 120
    content = yaml.load(text)
    content["name"] = name
    written = io.StringIO()
    yaml.dump(content, written)
    return written.getvalue()
