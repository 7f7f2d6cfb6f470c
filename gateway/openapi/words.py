"""The words that the descriptions of all subjects share: small schemas, parameters, operations."""

from typing import Any, Final

from schemas.events import Visibility
from schemas.ids import CHANNEL_NAME, COMMENT_ID, VIDEO_ID
from schemas.video_settings import MAX_KEEP_DAYS
from stores.descriptions import MAX_DESCRIPTION, MAX_TAG, MAX_TAGS

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
TIME_MS: Final[Schema] = {"type": "integer", "description": "Wall clock, ms since 1970 UTC"}
OPTIONAL_TIME_MS: Final[Schema] = {"type": ["integer", "null"], "description": TIME_MS["description"]}
OPTIONAL_TEXT: Final[Schema] = {"type": ["string", "null"]}
OPTIONAL_WHOLE: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
KEEP_DAYS: Final[Schema] = {
    "type": "integer",
    "minimum": -1,
    "maximum": MAX_KEEP_DAYS,
    "description": "Days that the recording is kept after the end; 0: not kept, -1: for ever",
}
VISIBILITY: Final[Schema] = {
    "enum": [visibility.value for visibility in Visibility],
    "description": "public: listed and open; unlisted: open to who has the address; private: with a signed link or its owner",
}
TAGS: Final[Schema] = {
    "type": "array",
    "maxItems": MAX_TAGS,
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG},
    "description": "What it is about: no commas, each once",
}
DESCRIPTION: Final[Schema] = {"type": "string", "maxLength": MAX_DESCRIPTION}
COUNTS: Final[Schema] = {"type": "object", "additionalProperties": WHOLE}


def members(**named: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "properties": named, "required": list(named)}


def list_of(item: str) -> Schema:
    """A list of what has this name in `SCHEMAS`."""
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}


CHANNEL: Final = {
    "name": "channel",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{CHANNEL_NAME.pattern}$"},
}
VIDEO: Final = {
    "name": "video",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{VIDEO_ID.pattern}$"},
}
COMMENT: Final = {
    "name": "comment",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{COMMENT_ID.pattern}$"},
}
WRITING: Final = (400, 401, 404, 408, 413, 422, 429, 503)
CHOOSING: Final = (400, 401, 404, 408, 413, 422, 503)


def json_of(schema: str) -> Schema:
    """The content of a body or an answer in JSON."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def refusals(*codes: int) -> dict[str, Schema]:
    """Answers that are problems."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(code): {"description": "See `reason` and `detail`", "content": content} for code in codes}


def call(
    summary: str,
    *parameters: Schema,
    body: str | None = None,
    answers: dict[str, str | None],
    problems: tuple[int, ...] = (),
    security: str | None = None,
) -> Schema:
    """One operation."""
    responses: dict[str, Schema] = {}
    for status, schema in answers.items():
        responses[status] = {"description": summary} | ({"content": json_of(schema)} if schema else {})
    if security == "streamKey" and 403 not in problems:  # an account that does not own the channel
        problems = (*problems, 403)
    responses |= refusals(*problems)
    operation: Schema = {"summary": summary, "parameters": list(parameters), "responses": responses}
    if body:
        operation["requestBody"] = {"required": True, "content": json_of(body)}
    if security:
        operation["security"] = [{security: []}]
    return operation


def file(summary: str, *parameters: Schema, types: tuple[str, ...], problems: tuple[int, ...]) -> Schema:
    """One operation that answers with bytes of one of these types."""
    operation = call(summary, *parameters, answers={"200": None, "304": None}, problems=problems)
    operation["responses"]["200"]["content"] = {name: {"schema": {"contentMediaType": name}} for name in types}
    return operation


def query(name: str, description: str, **schema: Any) -> Schema:
    """A parameter after the question mark."""
    return {"name": name, "in": "query", "schema": schema, "description": description}
