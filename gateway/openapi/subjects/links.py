"""Signed links."""

from typing import Final

from gateway.openapi.words import CHANNEL, TEXT, TIME_MS, VIDEO, Schema, call, members
from gateway.signed_links import MAX_LIFETIME_S, TAG

SCHEMAS: Final[dict[str, Schema]] = {
    "NewLink": {
        "type": "object",
        "properties": {
            "expires_s": {"type": "integer", "minimum": 10, "maximum": MAX_LIFETIME_S, "default": 3600},
            "tag": {
                "type": "string",
                "pattern": f"^{TAG.pattern}$",
                "description": "Who it is for; stands in the link",
            },
        },
    },
    "Link": members(expires_ms=TIME_MS, prefix=TEXT, page=TEXT, hls=TEXT, dash=TEXT),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/channels/{channel}/links": {
        "post": call(
            "A signed link to every video of the channel",
            CHANNEL,
            body="NewLink",
            answers={"201": "Link"},
            problems=(400, 401, 404, 408, 413, 422, 503),
            security="streamKey",
        )
    },
    "/v1/videos/{video}/links": {
        "post": call(
            "A signed link to the video",
            VIDEO,
            body="NewLink",
            answers={"201": "Link"},
            problems=(400, 401, 404, 408, 413, 422, 503),
            security="streamKey",
        )
    },
}
