"""Moderation: acts, their log, rules, comments that wait, taking back."""

from typing import Final

from gateway.channel_rules import LINKS, MAX_DUPLICATE_MS, MAX_FLOOD, MAX_SLOW_MS, MAX_WORD, MAX_WORDS, WHO
from gateway.moderation_forms import MAX_ACTS, MAX_REASON, MAX_SECONDS, ORDERED
from gateway.moderation_routes import MAX_PAGE
from gateway.openapi.words import (
    CHANNEL,
    OPTIONAL_TEXT,
    OPTIONAL_TIME_MS,
    TEXT,
    TIME_MS,
    WHOLE,
    Schema,
    call,
    list_of,
    members,
    query,
)
from schemas.events import Act, ChannelRules
from schemas.ids import COMMENT_ID, VIDEO_ID

_ID: Final[Schema] = {"type": "string", "pattern": f"^{VIDEO_ID.pattern}$"}
_USER: Final[Schema] = {"type": "string", "pattern": "^[^/]{1,64}$"}
_WORDS: Final[Schema] = {
    "type": "array",
    "maxItems": MAX_WORDS,
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_WORD},
    "description": "Words, phrases, and patterns in which * stands for any characters of a word",
}
_RULES: Final[dict[str, Schema]] = {
    "slow_mode_ms": {"type": "integer", "minimum": 0, "maximum": MAX_SLOW_MS},
    "who": {"enum": list(WHO)},
    "first_review": {"type": "boolean", "description": "Hold the first comment of each user"},
    "links": {"enum": list(LINKS)},
    "max_length": {"type": "integer", "minimum": 1, "maximum": ChannelRules().max_length},
    "duplicate_ms": {"type": "integer", "minimum": 0, "maximum": MAX_DUPLICATE_MS},
    "flood": {
        "type": "integer",
        "minimum": 0,
        "maximum": MAX_FLOOD,
        "description": "Comments of a user in 10 s; 0: no limit",
    },
    "blocked": _WORDS,
    "held": _WORDS,
}
_LIMIT: Final = query("limit", "How many", type="integer", minimum=1, maximum=MAX_PAGE, default=50)

SCHEMAS: Final[dict[str, Schema]] = {
    "Act": members(
        act_id=_ID,
        channel=TEXT,
        video_id=OPTIONAL_TEXT,
        kind={"enum": [kind.value for kind in Act]},
        comment_id=OPTIONAL_TEXT,
        user_id=OPTIONAL_TEXT,
        until_ms=OPTIONAL_TIME_MS,
        reason=TEXT,
        rules={"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Rules"}]},
        by=TEXT,
        by_name=TEXT,
        undoes=OPTIONAL_TEXT,
        at_ms=TIME_MS,
    ),
    "NewAct": {
        "type": "object",
        "properties": {
            "kind": {"enum": [kind.value for kind in ORDERED]},
            "video_id": _ID,
            "comment_id": {"type": "string", "pattern": f"^{COMMENT_ID.pattern}$"},
            "user_id": _USER,
            "seconds": {"type": "integer", "minimum": 0, "maximum": MAX_SECONDS, "description": "0: for ever"},
            "reason": {"type": "string", "maxLength": MAX_REASON},
        },
        "required": ["kind"],
        "additionalProperties": False,
    },
    "Acts": members(acts=list_of("Act"), next=OPTIONAL_TEXT),
    "Rules": {"type": "object", "properties": _RULES, "additionalProperties": False},
    "HeldComment": members(
        video_id=_ID,
        id=TEXT,
        user=members(id=TEXT, name=TEXT, role=TEXT),
        text=TEXT,
        parent=OPTIONAL_TEXT,
        reason=TEXT,
        note={**TEXT, "description": "What the classifier or the rule found"},
        at_ms=TIME_MS,
        media_ms=OPTIONAL_TIME_MS,
    ),
    "HeldComments": members(held=list_of("HeldComment"), waiting=WHOLE),
    "Rollback": {
        "type": "object",
        "properties": {
            "by": {**_USER, "description": "Whose acts"},
            "from_ms": {"type": "integer", "minimum": 0, "maximum": 2**53},
            "to_ms": {"type": "integer", "minimum": 0, "maximum": 2**53},
            "acts": {"type": "array", "minItems": 1, "maxItems": MAX_ACTS, "items": _ID},
            "dry_run": {"type": "boolean", "description": "Only say which acts are meant"},
            "reason": {"type": "string", "maxLength": MAX_REASON},
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
    "RolledBack": members(acts=list_of("Act"), undoing=list_of("Act")),
}

_READING: Final = (400, 401, 403, 404, 503)
_DOING: Final = (400, 401, 403, 404, 408, 409, 413, 422, 429, 503)
_BELOW: Final = "/v1/channels/{channel}/moderation"

PATHS: Final[dict[str, Schema]] = {
    f"{_BELOW}/acts": {
        "post": call(
            "Do something to a comment, a user or an address",
            CHANNEL,
            body="NewAct",
            answers={"202": "Act"},
            problems=_DOING,
            security="streamKey",
        ),
        "get": call(
            "What moderators did, newest first",
            CHANNEL,
            _LIMIT,
            query("before", "Only acts before this one", **_ID),
            answers={"200": "Acts"},
            problems=_READING,
            security="streamKey",
        ),
    },
    f"{_BELOW}/rules": {
        "get": call(
            "What comments must keep to; the words for moderators only",
            CHANNEL,
            answers={"200": "Rules"},
            problems=(401, 404),
        ),
        "put": call(
            "Change the rules that are given",
            CHANNEL,
            body="Rules",
            answers={"200": "Rules"},
            problems=_DOING,
            security="streamKey",
        ),
    },
    f"{_BELOW}/review": {
        "get": call(
            "The comments that wait for a moderator, oldest first",
            CHANNEL,
            _LIMIT,
            answers={"200": "HeldComments"},
            problems=_READING,
            security="streamKey",
        )
    },
    f"{_BELOW}/rollback": {
        "post": call(
            "Take back acts of somebody, of a range of time, or by id",
            CHANNEL,
            body="Rollback",
            answers={"202": "RolledBack"},
            problems=_DOING,
            security="streamKey",
        )
    },
}
