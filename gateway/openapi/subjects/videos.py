"""Videos: what they are, how they are kept and shown, the shelf of finished ones."""

from typing import Final

from gateway.openapi.words import (
    CHANNEL,
    CHOOSING,
    COUNTS,
    DESCRIPTION,
    KEEP_DAYS,
    OPTIONAL_TIME_MS,
    OPTIONAL_WHOLE,
    TAGS,
    TEXT,
    TIME_MS,
    VIDEO,
    VISIBILITY,
    WHOLE,
    Schema,
    call,
    list_of,
    members,
    query,
)
from gateway.shelf_routes import MOST
from schemas.events import Origin
from stores.descriptions import MAX_TITLE

LIMIT: Final = query("limit", "How many", type="integer", minimum=1, maximum=MOST, default=50)

SCHEMAS: Final[dict[str, Schema]] = {
    "Totals": members(likes=WHOLE, comments=WHOLE, reactions=COUNTS, comment_likes=COUNTS),
    "Video": members(
        id=TEXT,
        channel=TEXT,
        title=TEXT,
        state={"enum": ["live", "interrupted", "ended"]},
        started_ms=TIME_MS,
        ended_ms=OPTIONAL_TIME_MS,
        tags=TAGS,
        description=DESCRIPTION,
        keep_days=KEEP_DAYS,
        visibility=VISIBILITY,
        origin={"enum": [origin.value for origin in Origin]},
        totals={"$ref": "#/components/schemas/Totals"},
    ),
    "PastVideo": members(
        id=TEXT, channel=TEXT, title=TEXT, started_ms=TIME_MS, ended_ms=TIME_MS, duration_ms=WHOLE, poster=TEXT
    ),
    "Videos": members(videos=list_of("PastVideo")),
    "KeptVideo": members(
        id=TEXT,
        channel=TEXT,
        title=TEXT,
        state={"enum": ["live", "interrupted", "ended"]},
        started_ms=TIME_MS,
        ended_ms=OPTIONAL_TIME_MS,
        tags=TAGS,
        description=DESCRIPTION,
        duration_ms=OPTIONAL_WHOLE,
        keep_days=KEEP_DAYS,
        visibility=VISIBILITY,
        origin={"enum": [origin.value for origin in Origin]},
    ),
    "Choice": {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": MAX_TITLE},
            "keep_days": KEEP_DAYS,
            "visibility": VISIBILITY,
            "tags": TAGS,
            "description": DESCRIPTION,
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}": {
        "get": call("One video", VIDEO, answers={"200": "Video"}, problems=(404,)),
        "patch": call(
            "Choose how the video is kept and shown",
            VIDEO,
            body="Choice",
            answers={"200": "KeptVideo"},
            problems=CHOOSING,
            security="streamKey",
        ),
        "delete": call(
            "Have the recording of an ended video removed",
            VIDEO,
            answers={"202": None},
            problems=(401, 404, 409, 503),
            security="streamKey",
        ),
    },
    "/v1/videos": {"get": call("Finished videos of all channels", LIMIT, answers={"200": "Videos"}, problems=(400,))},
    "/v1/channels/{channel}/videos": {
        "get": call("Finished videos of a channel", CHANNEL, LIMIT, answers={"200": "Videos"}, problems=(400,))
    },
}
