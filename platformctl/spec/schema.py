"""The environment file for editors and readers: JSON Schema (draft 2020-12) and reference page, from the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from platformctl.spec.environment import Environment
from platformctl.spec.root import RootFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


_PREFACE = """\
# The environment file

Generated from the models; do not edit. One YAML 1.2 file per environment, `pipelines/environments/<name>.yaml`, at most
1 MiB: no anchors, no merge keys, no tags, no templating; unknown keys are errors. What all environments of a root share
stands in `platform.yaml` below `defaults`. [A full example](../../examples/environments/full.yaml);
[JSON Schema](environment.schema.json) for editors.

A secret is never written here but referred to: `{env: NAME}`, `{file: PATH}`, `{aws_secret: NAME, key: FIELD}` or
`{ssm: NAME}`; `account` names one of `cloud.accounts`. A duration is written `90s`, `1h30m` or `2d`."""

_ROOT = """\
Marks the root; commands look for it in the working directory and above. Of a value, the command line's word (`--set`,
for what differs from machine to machine) stands over the environment file's, that over `defaults` here (mappings key by
key, everything else as a whole; `null` takes a default away), and that over the defaults of this page:
`platformctl env show NAME --explain` tells of each value where it came from."""

_WORDS = {"integer": "whole number", "boolean": "true or false", "string": "text", None: "any value"}


def schema_document() -> dict[str, Any]:
    """The JSON Schema of an environment file."""
    schema = Environment.model_json_schema(mode="validation")
    return {"$schema": DIALECT, **schema, "title": "platformctl environment"}


def reference_page() -> str:
    """The reference as Markdown: a table for the file and one for each mapping in it."""
    schema = schema_document()
    definitions = schema["$defs"]
    lines = [*_PREFACE.splitlines(), "", *_table(schema, definitions)]
    for name in _in_order(schema, definitions):
        definition = definitions[name]
        lines += [f"## {name}", "", str(definition.get("description", "")), "", *_table(definition, definitions)]
    lines += ["## platform.yaml", "", *_ROOT.splitlines(), "", *_table(RootFile.model_json_schema(), {})]
    return "\n".join(lines)


def _table(definition: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    yield from ("| key | type | default | meaning |", "|---|---|---|---|")
    required = definition.get("required", ())
    for key, field in definition.get("properties", {}).items():
        default = "**required**" if key in required else _default(field, definitions)
        # pydantic leaves a field's description out where it repeats its model's.
        meaning = field.get("description") or next(
            (definitions[name].get("description", "") for name in _models(field, definitions)), ""
        )
        yield f"| `{key}` | {_type(field, definitions)} | {default} | {meaning} |"
    yield ""


def _default(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    value = field.get("default")
    if value in (None, "", [], {}) or _models(field, definitions):
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{text.lower() if isinstance(value, bool) else text}`"


def _type(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    options = [one for one in field.get("anyOf", []) if one.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_type(one, definitions) for one in options))
    if values := field.get("enum", [field["const"]] if "const" in field else []):
        return ", ".join(f"`{value}`" for value in values)
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), definitions)}"
    if field.get("type") == "object":
        return _mapping(field, definitions)
    return "duration" if field.get("examples") == ["90s", "1h30m"] else _WORDS[field.get("type")]


def _mapping(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "oneOf" in field:
        return "secret"
    patterns: dict[str, Any] = field.get("patternProperties", {})
    inner: Any = field.get("additionalProperties") or next(iter(patterns.values()), {})
    return f"name to {_type(inner, definitions)}" if isinstance(inner, dict) and inner else "mapping"


def _models(field: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    found = []
    for key, value in field.items():
        if key == "$ref" and value.rpartition("/")[2] in definitions:
            found.append(value.rpartition("/")[2])
        elif isinstance(value, dict):
            found += _models(value, definitions)
        elif isinstance(value, list):
            found += [name for one in value if isinstance(one, dict) for name in _models(one, definitions)]
    return found


def _in_order(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """The definitions in the order in which a reader meets them."""
    waiting, seen = _models(schema.get("properties", {}), definitions), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            yield name
            waiting = [*_models(definitions[name].get("properties", {}), definitions), *waiting]
