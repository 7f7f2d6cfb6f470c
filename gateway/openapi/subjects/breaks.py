"""Ad breaks."""

from typing import Final

from gateway.openapi.words import CHANNEL, TEXT, TIME_MS, WHOLE, Schema, call, list_of, members

SCHEMAS: Final[dict[str, Schema]] = {
    "NewCue": {
        "type": "object",
        "properties": {"seconds": {"type": "number", "minimum": 5, "maximum": 600, "default": 30}},
    },
    "Cue": {
        "type": "object",
        "properties": {"cue_id": TEXT, "state": {"enum": ["accepted", "submitted"]}, "seconds": {"type": "number"}},
        "required": ["cue_id", "state"],
    },
    "Break": members(id=TEXT, state={"enum": ["planned", "started", "ended"]}, start_ms=TIME_MS, duration_ms=WHOLE),
    "Breaks": members(breaks=list_of("Break")),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/channels/{channel}/cues": {
        "get": call("The breaks of the current video", CHANNEL, answers={"200": "Breaks"}, problems=(403,)),
        "post": call(
            "Ask for an ad break",
            CHANNEL,
            body="NewCue",
            answers={"202": "Cue"},
            problems=(400, 401, 404, 408, 409, 413, 422, 429, 503),
            security="streamKey",
        ),
    },
}
