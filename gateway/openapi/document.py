"""The whole description (OpenAPI 3.1), at `/v1/openapi.json`: what the modules of `subjects/` say, put together."""

from functools import cache
from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules
from types import ModuleType

from gateway.openapi import subjects
from gateway.openapi.words import Schema, refusals


def subject_modules() -> list[ModuleType]:
    """The modules of `subjects/`, by name."""
    return [import_module(f"{subjects.__name__}.{module.name}") for module in iter_modules(subjects.__path__)]


def put_together(parts: list[dict[str, Schema]]) -> dict[str, Schema]:
    """The parts as one; operations of one path may come from several.

    Raises:
        ValueError: two parts say the same thing.
    """
    whole: dict[str, Schema] = {}
    for part in parts:
        for name, value in part.items():
            known = whole.get(name, {})
            if name in whole and (not name.startswith("/") or known.keys() & value.keys()):
                raise ValueError(f"{name} is described twice")
            whole[name] = known | value
    return whole


def with_guards(paths: dict[str, Schema]) -> dict[str, Schema]:
    """With what the gateway may answer before any endpoint: 503 while it reads the log, 403 for a private video."""
    return {
        path: {
            method: operation | {"responses": _guards(path) | operation["responses"]}
            for method, operation in operations.items()
        }
        for path, operations in paths.items()
    }


def _guards(path: str) -> dict[str, Schema]:
    return refusals(403, 503) if path.startswith("/v1/videos/{video}") else refusals(503)


@cache
def openapi_document() -> Schema:
    """The whole description."""
    modules = subject_modules()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Logcast",
            "version": version("logcast"),
            "description": "Live streaming where the log is the stream. The WebSocket feed is described in docs/feed.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": with_guards(put_together([module.PATHS for module in modules])),
        "components": {
            "schemas": put_together([module.SCHEMAS for module in modules]),
            "securitySchemes": put_together([getattr(module, "SECURITY", {}) for module in modules]),
        },
    }
