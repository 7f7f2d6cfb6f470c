"""Channels: what is live, how the next videos are kept, who steers."""

from typing import Final

from gateway.openapi.words import (
    CHANNEL,
    CHOOSING,
    DESCRIPTION,
    OPTIONAL_TEXT,
    OPTIONAL_TIME_MS,
    TAGS,
    TEXT,
    VISIBILITY,
    WHOLE,
    Schema,
    call,
    list_of,
    members,
)

SCHEMAS: Final[dict[str, Schema]] = {
    "Channel": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "title": TEXT,
            "state": {"enum": ["live", "interrupted", "ended", "offline"]},
            "video_id": OPTIONAL_TEXT,
            "started_ms": OPTIONAL_TIME_MS,
            "ended_ms": OPTIONAL_TIME_MS,
            "viewers": {**WHOLE, "description": "Over all gateways"},
            "likes": WHOLE,
            "tags": TAGS,
            "description": {**DESCRIPTION, "description": "Of one channel; lists leave it out"},
        },
        "required": ["name", "title", "state", "video_id", "viewers", "likes", "tags"],
    },
    "Channels": members(channels=list_of("Channel")),
    "ChannelSettings": members(
        name=TEXT,
        title=TEXT,
        keep_days={"type": ["integer", "null"], "description": "null: as the server's settings say"},
        visibility=VISIBILITY,
        tags=TAGS,
        description=DESCRIPTION,
    ),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/channels": {"get": call("What is live, and what was", answers={"200": "Channels"})},
    "/v1/channels/{channel}": {
        "get": call("One channel", CHANNEL, answers={"200": "Channel"}, problems=(404,)),
        "patch": call(
            "Choose how the channel's next videos are kept and shown; title, tags and description are the live one's, too",
            CHANNEL,
            body="Choice",
            answers={"200": "ChannelSettings"},
            problems=CHOOSING,
            security="streamKey",
        ),
    },
    "/v1/channels/{channel}/owner": {
        "get": call(
            "May this token steer the channel?",
            CHANNEL,
            answers={"204": None},
            problems=(401, 404, 429),
            security="streamKey",
        )
    },
}

SECURITY: Final[dict[str, Schema]] = {
    "streamKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "The channel's stream key, or the operator's token",
    }
}
