"""Renditions, and asking for more of them."""

from typing import Final

from gateway.openapi.words import OPTIONAL_TEXT, TEXT, TIME_MS, VIDEO, WHOLE, Schema, call, list_of, members

RENDITION: Final = {
    "name": "rendition",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9]{1,16}$"},
}

SCHEMAS: Final[dict[str, Schema]] = {
    "NewRendition": {
        "type": "object",
        "properties": {
            "height": {"type": "integer", "minimum": 64, "maximum": 4320, "multipleOf": 2},
            "bitrate_kbps": {"type": "integer", "minimum": 50, "maximum": 100_000},
        },
        "required": ["height"],
    },
    "Rendition": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "state": {
                "enum": ["there", "submitted", "running", "done", "failed"],
                "description": "there: in the playlists; done: about to be",
            },
            "track": {"enum": ["video", "audio"]},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "codecs": OPTIONAL_TEXT,
            "width": WHOLE,
            "height": WHOLE,
            "tasks": WHOLE,
            "finished": WHOLE,
            "lost_segments": WHOLE,
            "requested_ms": TIME_MS,
            "changed_ms": TIME_MS,
        },
        "required": ["name", "state", "track", "progress"],
    },
    "Renditions": members(renditions=list_of("Rendition")),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/renditions": {
        "get": call(
            "The renditions of a video, and those under way", VIDEO, answers={"200": "Renditions"}, problems=(404, 503)
        ),
        "post": call(
            "Ask for a rendition that a kept video does not have",
            VIDEO,
            body="NewRendition",
            answers={"200": "Rendition", "202": "Rendition"},
            problems=(400, 401, 403, 404, 408, 409, 413, 422, 429, 503),
        ),
    },
    "/v1/videos/{video}/renditions/{rendition}": {
        "get": call(
            "One rendition, and how far it is", VIDEO, RENDITION, answers={"200": "Rendition"}, problems=(404, 503)
        )
    },
}
