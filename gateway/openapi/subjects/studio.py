"""What the studio asks: the health of a channel's stream, comments by minute."""

from typing import Final

from gateway.openapi.words import (
    CHANNEL,
    OPTIONAL_TEXT,
    OPTIONAL_WHOLE,
    TEXT,
    TIME_MS,
    VIDEO,
    WHOLE,
    Schema,
    call,
    list_of,
    members,
)
from gateway.stream_advice import Level

RATE: Final[Schema] = {"type": "number", "minimum": 0, "description": "Pictures a second"}

SCHEMAS: Final[dict[str, Schema]] = {
    "Advice": members(
        code={"type": "string", "description": "Stable, such as keyframe_interval"},
        level={"enum": [level.value for level in Level if level is not Level.GOOD]},
        title={"type": "string", "description": "What is the matter"},
        text={"type": "string", "description": "What to do"},
    ),
    "StreamError": members(
        at_ms=TIME_MS, text=TEXT, ended={"type": "boolean", "description": "The connection ended with it"}
    ),
    "Arriving": members(
        connected_ms=TIME_MS,
        connections={**WHOLE, "description": "Of this video, as far as is remembered"},
        measured_ms=TIME_MS,
        silent_ms={**WHOLE, "description": "The longest time of the last seconds in which nothing came"},
        encoder=TEXT,
        video_bps=WHOLE,
        audio_bps=WHOLE,
        frame_rate={**RATE, "description": "As measured, over ten seconds"},
        wanted_frame_rate={**RATE, "description": "As the stream says of itself; 0: it does not"},
        keyframe_ms={**WHOLE, "description": "Time between keyframes, the longest of the last four; 0: not known yet"},
        width=WHOLE,
        height=WHOLE,
        video_codecs=TEXT,
        audio_codecs=TEXT,
        sample_rate=WHOLE,
        channels=WHOLE,
        left_out={**WHOLE, "description": "Frames of this connection that could not be used"},
        silence_inserted={**WHOLE, "description": "Frames of silence put in where sound was missing"},
        leaps={**WHOLE, "description": "Times that timestamps jumped"},
    ),
    "Delivered": members(
        name=TEXT,
        track={"enum": ["video", "audio"]},
        width=WHOLE,
        height=WHOLE,
        frame_rate=RATE,
        codecs=TEXT,
        bitrate_bps={**WHOLE, "description": "Of the last whole segments"},
        delay_ms={**OPTIONAL_WHOLE, "description": "From the ingest to the part on the log, a running mean"},
        behind_ms={**WHOLE, "description": "How far it is behind the source"},
        gaps={**WHOLE, "description": "Segments that are missing in the window"},
    ),
    "StreamHealth": members(
        channel=TEXT,
        video_id=OPTIONAL_TEXT,
        state={"enum": ["live", "interrupted", "ended", "offline"]},
        at_ms=TIME_MS,
        status={"enum": ["good", "warning", "bad", "unknown", "offline"]},
        advice=list_of("Advice"),
        ingest={"anyOf": [{"$ref": "#/components/schemas/Arriving"}, {"type": "null"}]},
        renditions=list_of("Delivered"),
        last_error={"anyOf": [{"$ref": "#/components/schemas/StreamError"}, {"type": "null"}]},
        errors={**list_of("StreamError"), "description": "The last ten, newest first"},
        series={
            "type": "array",
            "description": "The last ten minutes, oldest first",
            "items": members(at_ms=TIME_MS, video_bps=WHOLE, audio_bps=WHOLE, frame_rate=RATE),
        },
    ),
    "CommentMinutes": members(minutes={"type": "array", "items": members(minute_ms=TIME_MS, n=WHOLE)}),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/channels/{channel}/health": {
        "get": call(
            "How the channel's stream arrives and is delivered, and what to do about it; for moderators and owners",
            CHANNEL,
            answers={"200": "StreamHealth"},
            problems=(401, 404, 429),
            security="streamKey",
        )
    },
    "/v1/videos/{video}/comments/minutes": {
        "get": call(
            "How many comments each minute of the last hour had",
            VIDEO,
            answers={"200": "CommentMinutes"},
            problems=(404,),
        )
    },
}
