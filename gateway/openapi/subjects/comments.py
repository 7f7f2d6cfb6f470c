"""Comments of a video."""

from typing import Final

from gateway.comment_pages import DEFAULT_PAGE, MAX_PAGE, MAX_USER_ID
from gateway.feed_messages import MAX_TEXT_CHARS
from gateway.openapi.words import (
    COMMENT,
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
    query,
)
from schemas.ids import COMMENT_ID

NUMBER: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**53}
LIMIT: Final = query("limit", "How many", type="integer", minimum=1, maximum=MAX_PAGE, default=DEFAULT_PAGE)
BEFORE: Final = query("before", "Numbers below this, newest first", **NUMBER)
AFTER: Final = query("after", "Numbers above this, oldest first", **NUMBER)
CURSOR: Final = query("cursor", "`next` or `previous` of a page of the same list", type="string")
LISTS: Final = (
    query("author", "Only what this user wrote, newest first", type="string", maxLength=MAX_USER_ID),
    query("from_ms", "By the picture they are about, oldest first; wall clock of the picture", **NUMBER),
    query("to_ms", "With `from_ms`: before this", **NUMBER),
    query("since_ms", "By when they were written, oldest first; wall clock", **NUMBER),
    query("until_ms", "With `since_ms`: before this", **NUMBER),
)
MATCH: Final = {"name": "If-None-Match", "in": "header", "schema": TEXT, "description": "The ETag that is known"}
REVISION: Final = query(
    "revision", "Made by the client; a repeat is the same removal", pattern=f"^{COMMENT_ID.pattern}$"
)
READING: Final = (400, 401, 404, 429, 503)
REVISING: Final = (400, 401, 403, 404, 408, 409, 413, 422, 429, 503)

SCHEMAS: Final[dict[str, Schema]] = {
    "Author": members(id=TEXT, name=TEXT, role={**TEXT, "description": "In the channel, when it was written"}),
    "Comment": {
        "type": "object",
        "description": "As it is now. Of one that is hidden or removed there is no author and no text.",
        "properties": {
            "type": {"const": "comment"},
            "seq": {**WHOLE, "description": "Number in the video's feed, dense together with changes, from 1"},
            "id": TEXT,
            "parent": {**OPTIONAL_TEXT, "description": "The comment that it answers"},
            "root": {**OPTIONAL_TEXT, "description": "The first comment of its thread"},
            "user": {"$ref": "#/components/schemas/Author"},
            "text": TEXT,
            "state": {"enum": ["shown", "hidden", "removed"]},
            "at_ms": TIME_MS,
            "media_ms": {**OPTIONAL_TIME_MS, "description": "Wall clock of the picture that its author saw"},
            "edited_ms": TIME_MS,
            "pinned": {"const": True},
            "likes": WHOLE,
        },
        "required": ["type", "seq", "id", "parent", "root", "state", "at_ms", "media_ms", "likes"],
    },
    "Comments": members(
        comments=list_of("Comment"),
        next={**OPTIONAL_TEXT, "description": "Cursor of the page after this one; null: there is none"},
        previous={**OPTIONAL_TEXT, "description": "Cursor of the page before; of the newest comments: what will come"},
    ),
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
    "Revision": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS},
            "revision": {
                "type": "string",
                "pattern": f"^{COMMENT_ID.pattern}$",
                "description": "Made by the client; a repeat is the same revision",
            },
        },
        "required": ["text"],
    },
    "Fate": {
        "type": "object",
        "properties": {
            "id": TEXT,
            "state": {
                "enum": ["accepted", "held", "submitted", "withdrawn"],
                "description": "held: a moderator looks first; submitted: on the log, not decided yet; withdrawn: it "
                "waited, and its writer took it back",
            },
            "seq": WHOLE,
            "reason": TEXT,
            "message": TEXT,
        },
        "required": ["id", "state"],
    },
}

ONE: Final = "/v1/videos/{video}/comments/{comment}"
PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/comments": {
        "get": call(
            "Comments, a page at a time: newest first, or by one of the lists",
            VIDEO,
            LIMIT,
            CURSOR,
            BEFORE,
            AFTER,
            *LISTS,
            MATCH,
            answers={"200": "Comments", "304": None},
            problems=READING,
        ),
        "post": call(
            "Post a comment",
            VIDEO,
            body="NewComment",
            answers={"202": "Fate"},
            problems=(*WRITING, 403, 409),
            security="guest",
        ),
    },
    "/v1/videos/{video}/pinned": {
        "get": call("The pinned comments", VIDEO, MATCH, answers={"200": "Comments", "304": None}, problems=READING)
    },
    ONE: {
        "get": call("One comment", VIDEO, COMMENT, MATCH, answers={"200": "Comment", "304": None}, problems=READING),
        "patch": call(
            "Change the text of one's own comment",
            VIDEO,
            COMMENT,
            body="Revision",
            answers={"202": "Fate"},
            problems=REVISING,
            security="guest",
        ),
        "delete": call(
            "Remove one's own comment, for good",
            VIDEO,
            COMMENT,
            REVISION,
            answers={"202": "Fate"},
            problems=(400, 401, 403, 404, 409, 422, 429, 503),
            security="guest",
        ),
    },
    ONE + "/replies": {
        "get": call(
            "The thread that a comment is in: all replies in one row, oldest first",
            VIDEO,
            COMMENT,
            LIMIT,
            CURSOR,
            BEFORE,
            AFTER,
            MATCH,
            answers={"200": "Comments", "304": None},
            problems=READING,
        )
    },
}
