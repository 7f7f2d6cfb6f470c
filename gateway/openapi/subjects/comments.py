"""Comments of a video."""

from typing import Final

from gateway.feed_messages import MAX_TEXT_CHARS
from gateway.openapi.words import (
    COMMENT,
    LIMIT,
    OPTIONAL_TEXT,
    OPTIONAL_TIME_MS,
    TEXT,
    TIME_MS,
    VIDEO,
    WHOLE,
    WRITING,
    Schema,
    call,
    list_of,
    members,
)
from schemas.ids import COMMENT_ID

BEFORE: Final = {"name": "before", "in": "query", "schema": WHOLE, "description": "Numbers below this, newest first"}
AFTER: Final = {"name": "after", "in": "query", "schema": WHOLE, "description": "Numbers above this, oldest first"}

SCHEMAS: Final[dict[str, Schema]] = {
    "Comment": members(
        type={"const": "comment"},
        seq={**WHOLE, "description": "Number in the video's feed, dense, from 1"},
        id=TEXT,
        parent=OPTIONAL_TEXT,
        root=OPTIONAL_TEXT,
        user={"$ref": "#/components/schemas/User"},
        text=TEXT,
        at_ms=TIME_MS,
        media_ms=OPTIONAL_TIME_MS,
        likes=WHOLE,
    ),
    "Comments": {
        "type": "object",
        "properties": {"comments": list_of("Comment"), "next": {"type": ["integer", "null"]}},
        "required": ["comments"],
    },
    "NewComment": {
        "type": "object",
        "properties": {
            "id": {
                "type": "string",
                "pattern": f"^{COMMENT_ID.pattern}$",
                "description": "Made by the client; a repeat is the same comment",
            },
            "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS},
            "parent": {"type": ["string", "null"], "description": "The comment that it answers"},
            "media_ms": OPTIONAL_TIME_MS,
        },
        "required": ["id", "text"],
    },
    "Fate": {
        "type": "object",
        "properties": {"id": TEXT, "state": {"enum": ["accepted", "submitted"]}, "seq": WHOLE},
        "required": ["id", "state"],
    },
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/comments": {
        "get": call(
            "Comments, a page at a time",
            VIDEO,
            LIMIT,
            BEFORE,
            AFTER,
            answers={"200": "Comments"},
            problems=(400, 404, 503),
        ),
        "post": call(
            "Post a comment", VIDEO, body="NewComment", answers={"202": "Fate"}, problems=WRITING, security="guest"
        ),
    },
    "/v1/videos/{video}/comments/{comment}/replies": {
        "get": call(
            "Replies to a comment", VIDEO, COMMENT, LIMIT, answers={"200": "Comments"}, problems=(400, 404, 503)
        )
    },
}
