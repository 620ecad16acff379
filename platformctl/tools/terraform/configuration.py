"""Reads the outline of a Terraform configuration: blocks, labels, attributes and where they stand.

Enough to know which variables, outputs, providers and module calls a stack declares. It evaluates nothing, and a fault
in the syntax is left for Terraform to report: what can't be read is skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LABELS = {"variable": 1, "output": 1, "module": 1, "provider": 1, "resource": 2, "data": 2}

_TOKEN = re.compile(
    r"""
      (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)
    | (?P<heredoc><<-?(?P<mark>[A-Za-z_][\w-]*)\n.*?^[ \t]*(?P=mark)[ \t]*$)
    | (?P<string>"(?:\\.|[^"\\])*")
    | (?P<word>[A-Za-z_][\w-]*)
    | (?P<newline>\n)
    | (?P<space>[ \t\r]+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """``kind "label" ... { attributes, blocks }``. ``attributes`` holds each expression's text, without comments."""

    kind: str
    labels: tuple[str, ...]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def each(self, kind: str) -> Iterator[Block]:
        """The blocks of a kind right inside this one."""
        return (block for block in self.blocks if block.kind == kind)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def read_configuration(folder: Path) -> Block:
    """The outline of a module's folder as one block whose blocks are the top-level ones of all its files."""
    root = Block(kind="", labels=(), line=0)
    for path in sorted(folder.glob("*.tf")):
        root.blocks.extend(read_text(path.read_text(encoding="utf-8", errors="replace")).blocks)
    for path in sorted(folder.glob("*.tf.json")):
        root.blocks.extend(_from_json(path))
    return root


def read_text(text: str) -> Block:
    """The outline of one file in Terraform's native syntax."""
    root = Block(kind="", labels=(), line=0)
    _read_body(list(_tokens(text)), 0, root)
    return root


def unquoted(expression: str) -> str:
    """The text of a plain string expression, the expression itself when it is none."""
    try:
        value = json.loads(expression)
    except ValueError:
        return expression
    return value if isinstance(value, str) else expression


def _tokens(text: str) -> Iterator[_Token]:
    line, position = 1, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:  # pragma: no cover - ``other`` takes any character
            return
        end = _end_of_string(text, position) if match.lastgroup == "string" or text[position] == '"' else match.end()
        taken, kind = text[position:end], match.lastgroup or "other"
        kind = "heredoc" if kind == "mark" else "string" if text[position] == '"' else kind
        if kind not in {"comment", "space"}:
            yield _Token(kind, taken, line)
        line += taken.count("\n")
        position = end


def _end_of_string(text: str, start: int) -> int:
    """Where a quoted template ends: quotes inside ``${...}`` do not end it."""
    position, depth = start + 1, 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text.startswith(("${", "%{"), position):
            depth, position = depth + 1, position + 2
            continue
        if depth and text[position] == "{":
            depth += 1
        elif depth and text[position] == "}":
            depth -= 1
        elif depth and text[position] == '"':
            position = _end_of_string(text, position)
            continue
        elif text[position] == '"':
            return position + 1
        position += 1
    return len(text)


def _read_body(tokens: list[_Token], position: int, into: Block) -> int:
    """Reads attributes and blocks up to the closing brace; returns the position behind it."""
    while position < len(tokens):
        token = tokens[position]
        if token.text == "}":
            return position + 1
        if token.kind != "word":
            position += 1
            continue
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        if following is not None and following.text == "=":
            position, expression = _read_expression(tokens, position + 2)
            into.attributes[token.text] = expression
        else:
            position = _read_block(tokens, position, into)
    return position


def _read_block(tokens: list[_Token], position: int, into: Block) -> int:
    head = tokens[position]
    labels = []
    position += 1
    while position < len(tokens) and tokens[position].kind in {"word", "string"}:
        labels.append(unquoted(tokens[position].text))
        position += 1
    if position >= len(tokens) or tokens[position].text != "{":
        return position + 1
    block = Block(kind=head.text, labels=tuple(labels), line=head.line)
    into.blocks.append(block)
    return _read_body(tokens, position + 1, block)


def _read_expression(tokens: list[_Token], position: int) -> tuple[int, str]:
    """An expression ends with its line, unless a bracket is open."""
    depth, parts = 0, []
    while position < len(tokens):
        token = tokens[position]
        if token.text in {"(", "[", "{"}:
            depth += 1
        elif token.text in {")", "]", "}"}:
            if depth == 0:
                break
            depth -= 1
        elif token.kind == "newline" and depth == 0:
            position += 1
            break
        parts.append(token.text)
        position += 1
    return position, "".join(part for part in parts if part != "\n")


def _from_json(path: Path) -> Iterator[Block]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return
    for kind, body in document.items() if isinstance(document, dict) else ():
        yield from _json_blocks(kind, body, _LABELS.get(kind, 0), ())


def _json_blocks(kind: str, body: Any, labels: int, found: tuple[str, ...]) -> Iterator[Block]:
    if isinstance(body, list):
        for item in body:
            yield from _json_blocks(kind, item, labels, found)
    elif isinstance(body, dict) and labels:
        for label, item in body.items():
            yield from _json_blocks(kind, item, labels - 1, (*found, label))
    elif isinstance(body, dict):
        block = Block(kind=kind, labels=found, line=1)
        for name, value in body.items():
            if isinstance(value, dict | list):
                block.blocks.extend(_json_blocks(name, value, 0, ()))
            block.attributes[name] = _json_expression(value)
        yield block


def _json_expression(value: Any) -> str:
    if isinstance(value, str) and value.startswith("${") and value.endswith("}") and value.count("${") == 1:
        return value[2:-1].strip()
    return json.dumps(value)
