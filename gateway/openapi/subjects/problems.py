"""What went wrong."""

from typing import Final

from gateway.openapi.words import TEXT, WHOLE, Schema, members

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": {
        **members(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, reason=TEXT),
        "description": "RFC 9457; `reason` is stable and for programs, `detail` for people.",
    },
}

PATHS: Final[dict[str, Schema]] = {}
