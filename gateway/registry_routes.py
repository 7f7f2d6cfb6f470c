"""The read side of the Schema Registry API at `/registry`, so that other tools can decode what is on the log."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.state import GatewayState
from schemas.registry import Schema, all_schemas

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
SUBJECT_NOT_FOUND: Final = 40401
VERSION_NOT_FOUND: Final = 40402
SCHEMA_NOT_FOUND: Final = 40403
BAD_VERSION: Final = 42202


def install(_state: GatewayState) -> list[BaseRoute]:
    """The routes; the schemas are those of this version of Logcast."""
    registry = Registry(all_schemas().values())
    return [
        Route("/registry/schemas/ids/{id}", registry.by_id),
        Route("/registry/subjects", registry.subjects),
        Route("/registry/subjects/{subject}/versions", registry.versions),
        Route("/registry/subjects/{subject}/versions/{version}", registry.version),
    ]


class Registry:
    """Answers from a set of schemas, in the form and with the error codes of the Schema Registry API."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self._by_id = {schema.id: schema for schema in schemas}
        self._by_subject: dict[str, dict[int, Schema]] = {}
        for schema in sorted(self._by_id.values(), key=lambda s: s.version):
            self._by_subject.setdefault(schema.subject, {})[schema.version] = schema

    async def by_id(self, request: Request) -> Response:
        """The schema with an id."""
        text = request.path_params["id"]
        schema = self._by_id.get(int(text)) if _is_number(text) else None
        if schema is None:
            return _error(404, SCHEMA_NOT_FOUND, f"Schema {text[:20]!r} not found; known are {sorted(self._by_id)}")
        return _json({"schema": schema.text})

    async def subjects(self, _request: Request) -> Response:
        """The names of all subjects."""
        return _json(sorted(self._by_subject))

    async def versions(self, request: Request) -> Response:
        """The versions of a subject."""
        subject = request.path_params["subject"]
        found = self._by_subject.get(subject)
        return _json(sorted(found)) if found else _no_subject(subject)

    async def version(self, request: Request) -> Response:
        """One version of a subject, or the `latest`."""
        subject, wanted = request.path_params["subject"], request.path_params["version"]
        found = self._by_subject.get(subject)
        if not found:
            return _no_subject(subject)
        if wanted != "latest" and not _is_number(wanted):
            return _error(422, BAD_VERSION, f"expected a version number or latest, found {wanted[:20]!r}")
        schema = found.get(max(found) if wanted == "latest" else int(wanted))
        if schema is None:
            return _error(404, VERSION_NOT_FOUND, f"Version {wanted} not found, the newest is {max(found)}")
        return _json({"subject": subject, "version": schema.version, "id": schema.id, "schema": schema.text})


def _no_subject(subject: str) -> Response:
    return _error(404, SUBJECT_NOT_FOUND, f"Subject {subject[:80]!r} not found")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _json(value: Mapping[str, Any] | list[Any], status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, {"Access-Control-Allow-Origin": "*"}, MEDIA_TYPE)


def _error(status: int, code: int, message: str) -> Response:
    """An error in the registry's own form, which its clients read."""
    return _json({"error_code": code, "message": message}, status)
