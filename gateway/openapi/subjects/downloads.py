"""Saving a video, and clips of it."""

from typing import Final

from gateway.openapi.words import KEEP_DAYS, TEXT, VIDEO, Schema, call, file, members, query

RANGE: Final = (
    query("rendition", "Which; else the source", type="string"),
    query("start", "Seconds or HH:MM:SS from the start; with a minus from the end", type="string"),
    query("end", "As `start`", type="string"),
)

SCHEMAS: Final[dict[str, Schema]] = {
    "NewClip": {
        "type": "object",
        "properties": {
            "start": {"type": ["number", "string"], "description": "Seconds or HH:MM:SS; below 0 from the end"},
            "end": {"type": ["number", "string"]},
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "keep_days": KEEP_DAYS | {"default": -1},
        },
        "required": ["start", "end"],
    },
    "Clip": members(video_id=TEXT, title=TEXT, url=TEXT),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/download": {
        "get": file(
            "The video, or a range of it, as one MP4",
            VIDEO,
            *RANGE,
            types=("video/mp4", "audio/mp4"),
            problems=(400, 404, 409, 416, 503),
        )
    },
    "/v1/videos/{video}/clips": {
        "post": call(
            "Make a video of its own from a range",
            VIDEO,
            body="NewClip",
            answers={"202": "Clip"},
            problems=(400, 401, 404, 422, 429, 503),
            security="streamKey",
        )
    },
}
