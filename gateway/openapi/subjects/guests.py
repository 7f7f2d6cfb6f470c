"""Guests: a name without an account."""

from typing import Final

from gateway.guests import MAX_NAME_CHARS
from gateway.openapi.words import TEXT, Schema, call, members

SCHEMAS: Final[dict[str, Schema]] = {
    "User": members(id=TEXT, name=TEXT),
    "NewGuest": members(name={"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS}),
    "Guest": members(token=TEXT, user={"$ref": "#/components/schemas/User"}),
}

PATHS: Final[dict[str, Schema]] = {
    "/v1/guests": {
        "post": call("Name yourself", body="NewGuest", answers={"201": "Guest"}, problems=(400, 408, 413, 422, 429))
    },
}

SECURITY: Final[dict[str, Schema]] = {
    "guest": {"type": "http", "scheme": "bearer", "description": "Token of POST /v1/guests or of the feed"}
}
