"""Polls."""

from typing import Final

from gateway.openapi.words import (
    OPTIONAL_TIME_MS,
    TEXT,
    TIME_MS,
    VIDEO,
    WHOLE,
    Schema,
    call,
    list_of,
    members,
)
from gateway.poll_requests import LEAST_OPTIONS, MAX_OPTION, MAX_POLLS, MAX_QUESTION, MAX_SECONDS, MOST_OPTIONS
from schemas.ids import COMMENT_ID

POLL: Final = {
    "name": "poll",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{COMMENT_ID.pattern}$"},
}

SCHEMAS: Final[dict[str, Schema]] = {
    "NewPoll": {
        "type": "object",
        "properties": {
            "id": {
                "type": "string",
                "pattern": f"^{COMMENT_ID.pattern}$",
                "description": "Made by the client, so that a repeat is the same poll; else the server makes one",
            },
            "question": {"type": "string", "minLength": 1, "maxLength": MAX_QUESTION},
            "options": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": MAX_OPTION},
                "minItems": LEAST_OPTIONS,
                "maxItems": MOST_OPTIONS,
                "uniqueItems": True,
            },
            "seconds": {
                "type": ["integer", "null"],
                "minimum": 5,
                "maximum": MAX_SECONDS,
                "description": "After which it closes by itself",
            },
        },
        "required": ["question", "options"],
        "description": f"At most {MAX_POLLS} a video",
    },
    "Poll": members(
        id=TEXT,
        question=TEXT,
        options={"type": "array", "items": members(text=TEXT, votes=WHOLE)},
        state={"enum": ["open", "closed", "submitted"]},
        opened_ms=TIME_MS,
        closes_ms=OPTIONAL_TIME_MS,
        closed_ms=OPTIONAL_TIME_MS,
    ),
    "Polls": members(polls=list_of("Poll")),
    "NewVote": members(
        option={"type": ["integer", "null"], "minimum": 0, "description": "Number from 0; null: no vote any more"}
    ),
}

MODERATING: Final = (400, 401, 403, 404, 408, 409, 413, 422, 429, 503)

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/polls": {
        "get": call("Polls of a video, oldest first", VIDEO, answers={"200": "Polls"}, problems=(404, 503)),
        "post": call(
            "Ask viewers something (moderators)",
            VIDEO,
            body="NewPoll",
            answers={"201": "Poll", "202": "Poll"},
            problems=MODERATING,
            security="streamKey",
        ),
    },
    "/v1/videos/{video}/polls/{poll}/votes": {
        "post": call(
            "Vote, change the vote, or take it back",
            VIDEO,
            POLL,
            body="NewVote",
            answers={"202": None},
            problems=(400, 401, 404, 408, 409, 413, 422, 429, 503),
            security="guest",
        )
    },
    "/v1/videos/{video}/polls/{poll}/close": {
        "post": call(
            "Close a poll (moderators)",
            VIDEO,
            POLL,
            answers={"200": "Poll", "202": "Poll"},
            problems=(401, 403, 404, 429, 503),
            security="streamKey",
        )
    },
}
