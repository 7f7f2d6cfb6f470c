"""The description of the API holds together, whoever adds to it."""

import json
from typing import Any

import pytest

from gateway.openapi.document import openapi_document, put_together, subject_modules


def references(value: Any) -> set[str]:
    """Every `$ref` below a value."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if "$ref" in value else set()
    return own.union(*map(references, value.values()))


def test_every_subject_is_in_the_document() -> None:
    document = openapi_document()
    assert len(subject_modules()) > 10
    for module in subject_modules():
        assert module.SCHEMAS.items() <= document["components"]["schemas"].items()
        for path, operations in module.PATHS.items():
            for method, operation in operations.items():
                described = document["paths"][path][method]
                assert described | {"responses": operation["responses"]} == operation
                assert operation["responses"].items() <= described["responses"].items()


def test_what_guards_answer_before_any_endpoint_is_described() -> None:
    paths = openapi_document()["paths"]
    assert "503" in paths["/v1/channels"]["get"]["responses"], "while the log is read"
    assert {"403", "404", "503"} <= paths["/v1/videos/{video}/comments"]["get"]["responses"].keys(), "a private video"


def test_every_reference_leads_somewhere() -> None:
    document = openapi_document()
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= named


def test_every_scheme_of_security_that_a_call_asks_for_is_described() -> None:
    document = openapi_document()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    asked = {name for operation in operations for option in operation.get("security", []) for name in option}
    assert asked <= set(document["components"]["securitySchemes"])


def test_the_document_is_json() -> None:
    assert json.loads(json.dumps(openapi_document())) == openapi_document()


def test_operations_of_a_path_may_come_from_two_subjects_but_not_the_same_one() -> None:
    get: dict[str, Any] = {"/v1/x": {"get": {}}}
    put: dict[str, Any] = {"/v1/x": {"put": {}}}
    assert put_together([get, put]) == {"/v1/x": {"get": {}, "put": {}}}
    with pytest.raises(ValueError, match="/v1/x is described twice"):
        put_together([get, get])
    with pytest.raises(ValueError, match="Thing is described twice"):
        put_together([{"Thing": {"type": "string"}}, {"Thing": {"description": "?"}}])
