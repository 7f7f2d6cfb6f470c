"""docs/asyncapi.yaml, and whether messages are as it says."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema_rs import Draft202012Validator

PATH = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"


@cache
def document() -> dict[str, Any]:
    """The document."""
    loaded: dict[str, Any] = yaml.safe_load(PATH.read_text())
    return loaded


def names_of(operation: str) -> list[str]:
    """The messages of an operation (`say` is the server's, `hear` the client's), as `components/messages` has them."""
    return [ref["$ref"].rpartition("/")[2] for ref in document()["operations"][operation]["messages"]]


@cache
def validator(name: str) -> Draft202012Validator:
    """Checks messages against the payload of one message."""
    whole = document()
    schema = {"$ref": f"#/components/messages/{name}/payload", "components": whole["components"]}
    return Draft202012Validator(schema)


def check(message: dict[str, Any]) -> dict[str, Any]:
    """The message, which is one that the server may say."""
    assert message["type"] in names_of("say"), f"docs/asyncapi.yaml has no {message['type']}"
    errors = [error.message for error in validator(message["type"]).iter_errors(message)]
    assert not errors, f"{message} is not as docs/asyncapi.yaml says: {errors}"
    return message
