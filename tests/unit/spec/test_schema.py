"""The JSON Schema and the reference page: made from the models, committed, and true."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from platformctl.spec.document import read_document
from platformctl.spec.environment import Environment
from platformctl.spec.schema import reference_page, schema_document
from tests.unit.spec.sample_roots import FULL, REPOSITORY

VALIDATOR = jsonschema.Draft202012Validator(schema_document())
REFERENCE = REPOSITORY / "docs" / "reference"


def full(**changes: Any) -> dict[str, Any]:
    return {**read_document(FULL, "full.yaml").value, **changes}


def test_the_schema_is_of_the_draft_it_says() -> None:
    jsonschema.Draft202012Validator.check_schema(schema_document())


def test_the_schema_accepts_what_the_loader_accepts() -> None:
    assert list(VALIDATOR.iter_errors(full())) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"protectd": True},
        {"name": "Not A Name"},
        {"cloud": {"region": "ap-northeast-2", "account": 123456789012}},
        {"stacks": {"a": {"source": "git::https://example.org/no-ref.git"}}},
        {"approvers": {"expires": "soon"}},
        {"gitops": {"repository": "https://h/x", "credentials": "hunter2"}},
        {"gitops": {"repository": "https://h/x", "credentials": {"env": "A", "file": "/b"}}},
        {"addons": [3]},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(changes: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors(full(**changes)))


def test_every_key_and_every_model_is_described() -> None:
    schema = schema_document()
    models = {"Environment": schema, **schema["$defs"]}
    assert [name for name, model in models.items() if not model.get("description")] == []
    # pydantic leaves out of a key what its model says in the same words.
    bare = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, field in model["properties"].items()
        if "description" not in field and "$ref" not in field
    ]
    assert bare == []


def test_the_committed_schema_and_page_are_the_models_own() -> None:
    committed = json.loads((REFERENCE / "environment.schema.json").read_text(encoding="utf-8"))
    assert committed == schema_document(), "stale: python -m platformctl.cli.reference"
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    assert page.strip() == reference_page().strip(), "stale: python -m platformctl.cli.reference"


def test_the_page_has_a_row_for_every_key_and_a_table_for_every_model() -> None:
    page = reference_page()
    for key in Environment.model_fields:
        assert f"| `{key}` |" in page
    for model in schema_document()["$defs"]:
        assert f"## {model}\n" in page
