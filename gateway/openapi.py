"""The API described for machines (OpenAPI 3.1), at `/v1/openapi.json`."""

from functools import cache
from importlib.metadata import version
from typing import Any, Final

from gateway.feed_messages import MAX_HISTORY, MAX_REACTIONS, MAX_TEXT_CHARS, REACTIONS
from gateway.frame_request import LONGEST_S, OFFERED
from gateway.guests import MAX_NAME_CHARS
from gateway.signed_links import MAX_LIFETIME_S, TAG
from media.stills import LEAST_WIDTH, MOST_WIDTH
from schemas.events import Origin, Visibility
from schemas.ids import CHANNEL_NAME, COMMENT_ID, VIDEO_ID
from schemas.video_settings import MAX_KEEP_DAYS
from stores.accounts import MAX_TITLE

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
TIME_MS: Final[Schema] = {"type": "integer", "description": "Wall clock, ms since 1970 UTC"}
OPTIONAL_TIME_MS: Final[Schema] = {"type": ["integer", "null"], "description": TIME_MS["description"]}
OPTIONAL_TEXT: Final[Schema] = {"type": ["string", "null"]}
OPTIONAL_WHOLE: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
KEEP_DAYS: Final[Schema] = {
    "type": "integer",
    "minimum": -1,
    "maximum": MAX_KEEP_DAYS,
    "description": "Days that the recording is kept after the end; 0: not kept, -1: for ever",
}
VISIBILITY: Final[Schema] = {
    "enum": [visibility.value for visibility in Visibility],
    "description": "public: listed and open; unlisted: open to who has the address; private: with a signed link or its owner",
}
COUNTS: Final[Schema] = {"type": "object", "additionalProperties": WHOLE}


def _object(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}


def _list(item: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}


SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": {
        **_object(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, reason=TEXT),
        "description": "RFC 9457; `reason` is stable and for programs, `detail` for people.",
    },
    "Channel": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "title": TEXT,
            "state": {"enum": ["live", "interrupted", "ended", "offline"]},
            "video_id": OPTIONAL_TEXT,
            "started_ms": OPTIONAL_TIME_MS,
            "ended_ms": OPTIONAL_TIME_MS,
            "viewers": {**WHOLE, "description": "Feed connections of this gateway"},
            "likes": WHOLE,
        },
        "required": ["name", "title", "state", "video_id", "viewers", "likes"],
    },
    "Channels": _object(channels=_list("Channel")),
    "Totals": _object(likes=WHOLE, comments=WHOLE, reactions=COUNTS, comment_likes=COUNTS),
    "Video": _object(
        id=TEXT,
        channel=TEXT,
        title=TEXT,
        state={"enum": ["live", "interrupted", "ended"]},
        started_ms=TIME_MS,
        ended_ms=OPTIONAL_TIME_MS,
        keep_days=KEEP_DAYS,
        visibility=VISIBILITY,
        origin={"enum": [origin.value for origin in Origin]},
        totals={"$ref": "#/components/schemas/Totals"},
    ),
    "PastVideo": _object(
        id=TEXT, channel=TEXT, title=TEXT, started_ms=TIME_MS, ended_ms=TIME_MS, duration_ms=WHOLE, poster=TEXT
    ),
    "Videos": _object(videos=_list("PastVideo")),
    "KeptVideo": _object(
        id=TEXT,
        channel=TEXT,
        title=TEXT,
        state={"enum": ["live", "interrupted", "ended"]},
        started_ms=TIME_MS,
        ended_ms=OPTIONAL_TIME_MS,
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
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
    "ChannelSettings": _object(
        name=TEXT,
        title=TEXT,
        keep_days={"type": ["integer", "null"], "description": "null: as the server's settings say"},
        visibility=VISIBILITY,
    ),
    "User": _object(id=TEXT, name=TEXT),
    "Comment": _object(
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
        "properties": {"comments": _list("Comment"), "next": {"type": ["integer", "null"]}},
        "required": ["comments"],
    },
    "NewGuest": _object(name={"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS}),
    "Guest": _object(token=TEXT, user={"$ref": "#/components/schemas/User"}),
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
    "NewReaction": {
        "type": "object",
        "properties": {
            "kind": {"enum": sorted(REACTIONS)},
            "count": {"type": "integer", "minimum": 1, "maximum": MAX_REACTIONS},
        },
        "required": ["kind"],
    },
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
    "Link": _object(expires_ms=TIME_MS, prefix=TEXT, page=TEXT, hls=TEXT, dash=TEXT),
    "NewClip": {
        "type": "object",
        "properties": {
            "start": {"type": ["number", "string"], "description": "Seconds or HH:MM:SS; below 0 from the end"},
            "end": {"type": ["number", "string"]},
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "keep_days": {"type": "integer", "minimum": -1, "default": -1, "description": "-1: for ever"},
        },
        "required": ["start", "end"],
    },
    "Clip": _object(video_id=TEXT, title=TEXT, url=TEXT),
    "NewRendition": {
        "type": "object",
        "properties": {
            "height": {"type": "integer", "minimum": 64, "maximum": 4320, "multipleOf": 2},
            "bitrate_kbps": {"type": "integer", "minimum": 50, "maximum": 100_000},
        },
        "required": ["height"],
    },
    "Rendition": {
        "type": "object",
        "properties": {
            "name": TEXT,
            "state": {
                "enum": ["there", "submitted", "running", "done", "failed"],
                "description": "there: in the playlists; done: about to be",
            },
            "track": {"enum": ["video", "audio"]},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "codecs": OPTIONAL_TEXT,
            "width": WHOLE,
            "height": WHOLE,
            "tasks": WHOLE,
            "finished": WHOLE,
            "lost_segments": WHOLE,
            "requested_ms": TIME_MS,
            "changed_ms": TIME_MS,
        },
        "required": ["name", "state", "track", "progress"],
    },
    "Renditions": _object(renditions=_list("Rendition")),
    "NewCue": {
        "type": "object",
        "properties": {"seconds": {"type": "number", "minimum": 5, "maximum": 600, "default": 30}},
    },
    "Cue": {
        "type": "object",
        "properties": {"cue_id": TEXT, "state": {"enum": ["accepted", "submitted"]}, "seconds": {"type": "number"}},
        "required": ["cue_id", "state"],
    },
    "Break": _object(id=TEXT, state={"enum": ["planned", "started", "ended"]}, start_ms=TIME_MS, duration_ms=WHOLE),
    "Breaks": _object(breaks=_list("Break")),
    "CaptionFile": _object(
        language=TEXT, label=TEXT, kind={"enum": ["captions", "subtitles"]}, bytes=WHOLE, uploaded_ms=TIME_MS, url=TEXT
    ),
    "CaptionFiles": _object(captions=_list("CaptionFile")),
    "NewCaptions": _object(language=TEXT, label=TEXT, kind={"enum": ["captions", "subtitles"]}, bytes=WHOLE),
}

CHANNEL: Final = {
    "name": "channel",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{CHANNEL_NAME.pattern}$"},
}
VIDEO: Final = {
    "name": "video",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{VIDEO_ID.pattern}$"},
}
RENDITION: Final = {
    "name": "rendition",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9]{1,16}$"},
}
COMMENT: Final = {
    "name": "comment",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{COMMENT_ID.pattern}$"},
}
LANGUAGE: Final = {
    "name": "language",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "examples": ["en", "pt-BR"]},
    "description": "BCP 47",
}
LABEL: Final = {"name": "label", "in": "query", "schema": TEXT, "description": "What viewers read; else the language"}
KIND: Final = {
    "name": "kind",
    "in": "query",
    "schema": {"enum": ["captions", "subtitles"], "default": "captions"},
    "description": "captions tell sounds, too; subtitles are speech only",
}
LIMIT: Final = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_HISTORY, "default": 50},
}
BEFORE: Final = {"name": "before", "in": "query", "schema": WHOLE, "description": "Numbers below this, newest first"}
AFTER: Final = {"name": "after", "in": "query", "schema": WHOLE, "description": "Numbers above this, oldest first"}


def _json(schema: str) -> Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _call(
    summary: str,
    *parameters: Schema,
    body: str | None = None,
    answers: dict[str, str | None],
    problems: tuple[int, ...] = (),
    security: str | None = None,
) -> Schema:
    """One operation."""
    responses: dict[str, Schema] = {}
    for status, schema in answers.items():
        responses[status] = {"description": summary} | ({"content": _json(schema)} if schema else {})
    for code in problems:
        content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses[str(code)] = {"description": "See `reason` and `detail`", "content": content}
    call: Schema = {"summary": summary, "parameters": list(parameters), "responses": responses}
    if body:
        call["requestBody"] = {"required": True, "content": _json(body)}
    if security:
        call["security"] = [{security: []}]
    return call


def _file(summary: str, *parameters: Schema, types: tuple[str, ...], problems: tuple[int, ...]) -> Schema:
    """One operation that answers with bytes of one of these types."""
    call = _call(summary, *parameters, answers={"200": None, "304": None}, problems=problems)
    call["responses"]["200"]["content"] = {name: {"schema": {"contentMediaType": name}} for name in types}
    return call


def _query(name: str, description: str, **schema: Any) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


RANGE: Final = (
    _query("rendition", "Which; else the source", type="string"),
    _query("start", "Seconds or HH:MM:SS from the start; with a minus from the end", type="string"),
    _query("end", "As `start`", type="string"),
)
SHEET: Final = {
    "name": "sheet",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
}
WIDTH: Final = _query(
    "width", "Pixels; the aspect is kept, nothing is enlarged", type="integer", minimum=LEAST_WIDTH, maximum=MOST_WIDTH
)
FRAME: Final = (
    _query("offset", "Seconds, HH:MM:SS.mmm, or either after a minus: from the live edge", type="string"),
    _query("deviceType", "The device that it is for: chooses the rendition", type="string"),
    WIDTH,
    _query("exact", "The picture itself, not the nearest keyframe", type="boolean", default=False),
    _query("duration", "Seconds of media in a video/mp4", type="number", exclusiveMinimum=0, maximum=LONGEST_S),
)

WRITING: Final = (400, 401, 404, 408, 413, 422, 429, 503)
CHOOSING: Final = (400, 401, 404, 408, 413, 422, 503)
LIKING: Final = (400, 401, 404, 429)

PATHS: Final[dict[str, Schema]] = {
    "/v1/channels": {"get": _call("What is live, and what was", answers={"200": "Channels"})},
    "/v1/channels/{channel}": {
        "get": _call("One channel", CHANNEL, answers={"200": "Channel"}, problems=(404,)),
        "patch": _call(
            "Choose how the channel's next videos are kept and shown",
            CHANNEL,
            body="Choice",
            answers={"200": "ChannelSettings"},
            problems=CHOOSING,
            security="streamKey",
        ),
    },
    "/v1/channels/{channel}/owner": {
        "get": _call(
            "May this token steer the channel?",
            CHANNEL,
            answers={"204": None},
            problems=(401, 404, 429),
            security="streamKey",
        )
    },
    "/v1/channels/{channel}/cues": {
        "get": _call("The breaks of the current video", CHANNEL, answers={"200": "Breaks"}),
        "post": _call(
            "Ask for an ad break",
            CHANNEL,
            body="NewCue",
            answers={"202": "Cue"},
            problems=(400, 401, 404, 408, 409, 413, 422, 429, 503),
            security="streamKey",
        ),
    },
    "/v1/channels/{channel}/links": {
        "post": _call(
            "A signed link to every video of the channel",
            CHANNEL,
            body="NewLink",
            answers={"201": "Link"},
            problems=(400, 401, 404, 408, 413, 422, 503),
            security="streamKey",
        )
    },
    "/v1/videos/{video}/links": {
        "post": _call(
            "A signed link to the video",
            VIDEO,
            body="NewLink",
            answers={"201": "Link"},
            problems=(400, 401, 404, 408, 413, 422, 503),
            security="streamKey",
        )
    },
    "/v1/videos/{video}/captions": {
        "get": _call("The caption files of the video", VIDEO, answers={"200": "CaptionFiles"}, problems=(404, 503))
    },
    "/v1/videos/{video}/captions/{language}": {
        "put": _call(
            "Give the video captions: WebVTT or SubRip, at most 512 KiB",
            VIDEO,
            LANGUAGE,
            LABEL,
            KIND,
            answers={"200": "NewCaptions", "201": "NewCaptions"},
            problems=(400, 401, 404, 408, 409, 413, 422, 503),
            security="streamKey",
        )
        | {"requestBody": {"required": True, "content": {"text/vtt": {}, "application/x-subrip": {}}}},
        "delete": _call(
            "Take them away",
            VIDEO,
            LANGUAGE,
            answers={"204": None},
            problems=(400, 401, 404, 503),
            security="streamKey",
        ),
    },
    "/v1/videos/{video}/captions/{language}.vtt": {
        "get": _call("A caption file as WebVTT", VIDEO, LANGUAGE, answers={"200": None}, problems=(404,))
    },
    "/v1/videos/{video}/renditions": {
        "get": _call(
            "The renditions of a video, and those under way", VIDEO, answers={"200": "Renditions"}, problems=(404, 503)
        ),
        "post": _call(
            "Ask for a rendition that a kept video does not have",
            VIDEO,
            body="NewRendition",
            answers={"200": "Rendition", "202": "Rendition"},
            problems=(400, 401, 404, 408, 409, 413, 422, 429, 503),
        ),
    },
    "/v1/videos/{video}/renditions/{rendition}": {
        "get": _call(
            "One rendition, and how far it is", VIDEO, RENDITION, answers={"200": "Rendition"}, problems=(404, 503)
        )
    },
    "/v1/guests": {
        "post": _call("Name yourself", body="NewGuest", answers={"201": "Guest"}, problems=(400, 408, 413, 422, 429))
    },
    "/v1/videos/{video}": {
        "get": _call("One video", VIDEO, answers={"200": "Video"}, problems=(404,)),
        "patch": _call(
            "Choose how the video is kept and shown",
            VIDEO,
            body="Choice",
            answers={"200": "KeptVideo"},
            problems=CHOOSING,
            security="streamKey",
        ),
        "delete": _call(
            "Have the recording of an ended video removed",
            VIDEO,
            answers={"202": None},
            problems=(401, 404, 409, 503),
            security="streamKey",
        ),
    },
    "/v1/videos/{video}/comments": {
        "get": _call(
            "Comments, a page at a time",
            VIDEO,
            LIMIT,
            BEFORE,
            AFTER,
            answers={"200": "Comments"},
            problems=(400, 404, 503),
        ),
        "post": _call(
            "Post a comment", VIDEO, body="NewComment", answers={"202": "Fate"}, problems=WRITING, security="guest"
        ),
    },
    "/v1/videos/{video}/comments/{comment}/replies": {
        "get": _call(
            "Replies to a comment", VIDEO, COMMENT, LIMIT, answers={"200": "Comments"}, problems=(400, 404, 503)
        )
    },
    "/v1/videos/{video}/comments/{comment}/like": {
        "put": _call("Like a comment", VIDEO, COMMENT, answers={"202": None}, problems=LIKING, security="guest"),
        "delete": _call("Like it no more", VIDEO, COMMENT, answers={"202": None}, problems=LIKING, security="guest"),
    },
    "/v1/videos/{video}/like": {
        "put": _call("Like a video", VIDEO, answers={"202": None}, problems=LIKING, security="guest"),
        "delete": _call("Like it no more", VIDEO, answers={"202": None}, problems=LIKING, security="guest"),
    },
    "/v1/videos": {"get": _call("Finished videos of all channels", LIMIT, answers={"200": "Videos"}, problems=(400,))},
    "/v1/channels/{channel}/videos": {
        "get": _call("Finished videos of a channel", CHANNEL, LIMIT, answers={"200": "Videos"}, problems=(400,))
    },
    "/v1/videos/{video}/frame": {
        "get": _file("A frame, or media from it on", VIDEO, *FRAME, types=OFFERED, problems=(400, 404, 406, 416, 503))
    },
    "/v1/videos/{video}/download": {
        "get": _file(
            "The video, or a range of it, as one MP4",
            VIDEO,
            *RANGE,
            types=("video/mp4", "audio/mp4"),
            problems=(400, 404, 409, 416, 503),
        )
    },
    "/v1/videos/{video}/clips": {
        "post": _call(
            "Make a video of its own from a range",
            VIDEO,
            body="NewClip",
            answers={"202": "Clip"},
            problems=(400, 401, 404, 422, 429, 503),
            security="streamKey",
        )
    },
    "/v1/videos/{video}/poster.jpg": {
        "get": _file("The poster", VIDEO, WIDTH, types=("image/jpeg",), problems=(400, 404, 503))
    },
    "/v1/videos/{video}/thumbnails.vtt": {
        "get": _file("Where the preview thumbnails are", VIDEO, types=("text/vtt",), problems=(404, 503))
    },
    "/v1/videos/{video}/sprites/{sheet}.jpg": {
        "get": _file("A sheet of thumbnails", VIDEO, SHEET, types=("image/jpeg",), problems=(400, 404, 503))
    },
    "/v1/videos/{video}/reactions": {
        "post": _call("React", VIDEO, body="NewReaction", answers={"202": None}, problems=WRITING, security="guest")
    },
}


@cache
def openapi_document() -> Schema:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Logcast",
            "version": version("logcast"),
            "description": "Live streaming where the log is the stream. The WebSocket feed is described in docs/feed.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": PATHS,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "guest": {"type": "http", "scheme": "bearer", "description": "Token of POST /v1/guests or of the feed"},
                "streamKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The channel's stream key, or the operator's token",
                },
            },
        },
    }
