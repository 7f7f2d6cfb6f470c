"""Likes and reactions."""

from typing import Final

from gateway.feed_messages import MAX_REACTIONS, REACTIONS
from gateway.openapi.words import (
    COMMENT,
    COUNTS,
    OPTIONAL_TEXT,
    OPTIONAL_TIME_MS,
    TEXT,
    VIDEO,
    WRITING,
    Schema,
    call,
    members,
)
from stores.own_marks import MOST_LIKED

LIKING: Final = (400, 401, 404, 429, 503)

SCHEMAS: Final[dict[str, Schema]] = {
    "NewReaction": {
        "type": "object",
        "properties": {
            "kind": {"enum": sorted(REACTIONS)},
            "count": {"type": "integer", "minimum": 1, "maximum": MAX_REACTIONS},
            "media_ms": {
                **OPTIONAL_TIME_MS,
                "minimum": 0,
                "description": "Wall clock of the picture that is reacted to",
            },
        },
        "required": ["kind"],
    },
    "Mine": members(
        user=TEXT,
        liked={"type": "boolean", "description": "The video"},
        comments={"type": "array", "items": TEXT, "maxItems": MOST_LIKED, "description": "Ids of the liked ones"},
        votes={**COUNTS, "description": "Option by poll"},
        held={
            "type": "array",
            "items": members(id=TEXT, text=TEXT, parent=OPTIONAL_TEXT, message=TEXT),
            "description": "One's comments that wait for a moderator",
        },
    ),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/comments/{comment}/like": {
        "put": call("Like a comment", VIDEO, COMMENT, answers={"202": None}, problems=LIKING, security="guest"),
        "delete": call("Like it no more", VIDEO, COMMENT, answers={"202": None}, problems=LIKING, security="guest"),
    },
    "/v1/videos/{video}/like": {
        "put": call("Like a video", VIDEO, answers={"202": None}, problems=LIKING, security="guest"),
        "delete": call("Like it no more", VIDEO, answers={"202": None}, problems=LIKING, security="guest"),
    },
    "/v1/videos/{video}/me": {
        "get": call(
            "What one likes oneself, voted for, and wrote that waits for a moderator",
            VIDEO,
            answers={"200": "Mine"},
            problems=(401, 404, 429, 503),
            security="guest",
        )
    },
    "/v1/videos/{video}/reactions": {
        "post": call("React", VIDEO, body="NewReaction", answers={"202": None}, problems=WRITING, security="guest")
    },
}
