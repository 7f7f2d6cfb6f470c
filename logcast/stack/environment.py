"""Settings on their way to another process: every field as its environment variable, which wins over any file."""

import json
from typing import Any

from pydantic import SecretStr

from stores.settings import Settings


def environment(settings: Settings) -> dict[str, str]:
    """`LOGCAST_…` for every field that has a value; secrets included, so do not print it."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {f"LOGCAST_{name.upper()}": _text(value) for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case bool() | list() | dict():
            return json.dumps(value)
        case _:
            return str(value)
