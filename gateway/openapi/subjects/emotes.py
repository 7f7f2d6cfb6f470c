"""Emotes of a channel, and the block lists that it shares and uses."""

from typing import Final

from gateway.emote_routes import NAME
from gateway.openapi.words import CHANNEL, TEXT, TIME_MS, Schema, call, file, list_of, members, query
from schemas.ids import CHANNEL_NAME

_NAME: Final[Schema] = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"},
}
_SOURCE: Final[Schema] = {
    "name": "source",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{CHANNEL_NAME.pattern}$"},
    "description": "The channel whose list it is",
}
_NAMES: Final[Schema] = {"type": "array", "items": TEXT}
_TYPES: Final = ("image/png", "image/gif", "image/webp")

SCHEMAS: Final[dict[str, Schema]] = {
    "Emote": members(name=TEXT, url=TEXT, media_type={"enum": list(_TYPES)}, made_ms=TIME_MS),
    "Emotes": members(emotes=list_of("Emote")),
    "BlockLists": members(shared={"type": "boolean"}, uses=_NAMES, used_by=_NAMES),
    "ShareBlockList": {**members(shared={"type": "boolean"}), "additionalProperties": False},
}

_DOING: Final = (400, 401, 403, 404, 408, 409, 413, 422, 503)
_PUT: Final = call(
    "Give the channel an emote, or another picture",
    CHANNEL,
    _NAME,
    answers={"201": "Emote"},
    problems=_DOING,
    security="streamKey",
)
_PUT["requestBody"] = {"required": True, "content": {name: {"schema": {"contentMediaType": name}} for name in _TYPES}}
_PICTURE: Final = file(
    "The picture of an emote",
    CHANNEL,
    _NAME,
    query("v", "The version that the list names: then it may be kept for ever", type="string"),
    types=_TYPES,
    problems=(400, 404),
)
del _PICTURE["responses"]["304"]

PATHS: Final[dict[str, Schema]] = {
    "/v1/channels/{channel}/emotes": {
        "get": call("The emotes of a channel", CHANNEL, answers={"200": "Emotes"}, problems=(404,))
    },
    "/v1/channels/{channel}/emotes/{name}": {
        "get": _PICTURE,
        "put": _PUT,
        "delete": call(
            "Take an emote away",
            CHANNEL,
            _NAME,
            answers={"204": None},
            problems=(400, 401, 403, 404),
            security="streamKey",
        ),
    },
    "/v1/channels/{channel}/block-lists": {
        "get": call(
            "The block lists that the channel shares and uses",
            CHANNEL,
            answers={"200": "BlockLists"},
            problems=(401, 403, 404),
            security="streamKey",
        ),
        "put": call(
            "Share the channel's bans, or not any more",
            CHANNEL,
            body="ShareBlockList",
            answers={"200": "BlockLists"},
            problems=_DOING,
            security="streamKey",
        ),
    },
    "/v1/channels/{channel}/block-lists/{source}": {
        "put": call(
            "Ban whom another channel bans, from now on",
            CHANNEL,
            _SOURCE,
            answers={"200": "BlockLists"},
            problems=_DOING,
            security="streamKey",
        ),
        "delete": call(
            "Use a list no longer: what it brought is taken back",
            CHANNEL,
            _SOURCE,
            answers={"200": "BlockLists"},
            problems=_DOING,
            security="streamKey",
        ),
    },
}
