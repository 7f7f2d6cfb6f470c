"""Accounts: register, log in and out, sessions, passwords, profiles, the people of a channel."""

from typing import Any, Final

from gateway.openapi.words import CHANNEL, TEXT, TIME_MS, WHOLE, Schema, call, list_of, members, query
from stores.descriptions import MAX_TITLE
from stores.users import LOGIN, USER_ID

_LOGIN: Final[Schema] = {"type": "string", "pattern": f"^{LOGIN.pattern}$"}
_PASSWORD: Final[Schema] = {"type": "string", "minLength": 8, "maxLength": 256}
_GIVEN: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 256}
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 32, "description": "No '<', no '>'"}
_EMAIL: Final[Schema] = {"type": "string", "maxLength": 254, "description": "Where a password reset is sent; or empty"}
_TOKEN: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 100}
_COOKIE: Final[Schema] = {
    "type": "boolean",
    "default": False,
    "description": "The refresh token goes into an HttpOnly cookie instead of the body; needs the Origin of our own page",
}
_ROLE: Final[Schema] = {"enum": ["member", "moderator", "owner"]}


def _form(required: dict[str, Schema], optional: dict[str, Schema] | None = None, **more: Any) -> Schema:
    properties = required | (optional or {})
    whole = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return whole | more


_PROFILE: Final[dict[str, Schema]] = {
    "name": _NAME,
    "colour": {"type": "string", "pattern": "^(#[0-9A-Fa-f]{6})?$"},
    "avatar": {"type": "string", "maxLength": 500, "description": "An https address, or empty"},
    "email": _EMAIL,
}
_USER: Final[dict[str, Schema]] = {
    "id": TEXT,
    "number": {**WHOLE, "description": "Dense, from 1; 0 of who has no account"},
    "login": TEXT,
    "name": TEXT,
    "colour": TEXT,
    "avatar": TEXT,
}
_ACCESS: Final[dict[str, Schema]] = {
    "access_token": TEXT,
    "token_type": {"const": "Bearer"},
    "expires_in": {**WHOLE, "description": "Seconds"},
}
_ME: Final[dict[str, Schema]] = {
    **_USER,
    "guest": {"type": "boolean"},
    "admin": {"type": "boolean"},
    "email": TEXT,
    "email_verified": {"type": "boolean"},
    "has_password": {"type": "boolean", "description": "false: they log in at the provider only"},
    "roles": {"type": "array", "items": members(channel=TEXT, role=_ROLE)},
    "follows": {"type": "array", "items": TEXT},
}

SCHEMAS: Final[dict[str, Schema]] = {
    "NewAccount": _form({"login": _LOGIN, "password": _PASSWORD}, {"name": _NAME, "email": _EMAIL, "cookie": _COOKIE}),
    "LogIn": _form(
        {"login": {"type": "string", "minLength": 1, "maxLength": 100}, "password": _GIVEN}, {"cookie": _COOKIE}
    ),
    "RefreshToken": _form({}, {"refresh_token": _TOKEN}),
    "NewPassword": _form({"password": _GIVEN, "new_password": _PASSWORD}),
    "MailedToken": _form({"token": _TOKEN}),
    "ResetPassword": _form({"token": _TOKEN, "password": _PASSWORD}),
    "WhoForgot": _form({"login": {"type": "string", "minLength": 1, "maxLength": 100}}),
    "Profile": _form({}, {**_PROFILE, "password": {**_GIVEN, "description": "To change the email"}}, minProperties=1),
    "NewChannel": _form(
        {"name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{1,39}$"}},
        {"title": {"type": "string", "maxLength": MAX_TITLE}},
    ),
    "WantedRole": _form({"role": _ROLE}),
    "Account": members(**_USER),
    "Me": members(**_ME),
    "ChangedMe": members(**_ME, **_ACCESS),
    "Opened": {
        **members(**_ACCESS, user={"$ref": "#/components/schemas/Account"}),
        "description": "With `refresh_token` unless it is in the cookie",
    },
    "WaysIn": members(
        registration={"enum": ["open", "closed"]},
        oidc={
            "oneOf": [
                members(name=TEXT, start={**TEXT, "description": "Where the browser begins, with `return_to`"}),
                {"type": "null"},
            ],
            "description": "The provider to log in with, if there is one",
        },
        mail={"type": "boolean", "description": "Resets and links are sent by mail"},
        unverified_may_comment={"type": "boolean", "description": "false: only where guests may, too"},
    ),
    "Session": members(
        id=TEXT, device=TEXT, created_ms=TIME_MS, used_ms=TIME_MS, expires_ms=TIME_MS, current={"type": "boolean"}
    ),
    "Sessions": members(sessions=list_of("Session")),
    "StreamKey": members(name=TEXT, title=TEXT, stream_key={**TEXT, "description": "Shown only this once"}),
    "Grant": members(
        user={"$ref": "#/components/schemas/Account"}, channel=TEXT, role=_ROLE, granted_ms=TIME_MS, granted_by=TEXT
    ),
    "Grants": members(roles=list_of("Grant")),
    "WrongFields": {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            members(
                field=TEXT,
                rule={
                    **TEXT,
                    "description": "required, unknown, type, length, characters, form, choice, common, taken, …",
                },
                errors={"type": "array", "items": members(field=TEXT, rule=TEXT, message=TEXT)},
            ),
        ]
    },
}

SECURITY: Final[dict[str, Schema]] = {
    "account": {"type": "http", "scheme": "bearer", "description": "Access token of POST /v1/auth/login or refresh"},
    "refreshCookie": {"type": "apiKey", "in": "cookie", "name": "logcast_refresh"},
}

_USER_IN_PATH: Final[Schema] = {
    "name": "user",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^({USER_ID.pattern}|@?{LOGIN.pattern})$"},
}
_SESSION: Final[Schema] = {
    "name": "session",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-z]{26}$"},
}
_BODY: Final = (400, 408, 413, 422, 429)


def _open(summary: str, body: str, answers: dict[str, str | None], *problems: int) -> Schema:
    return call(summary, body=body, answers=answers, problems=(*_BODY, *problems))


def _own(summary: str, *parameters: Schema, answers: dict[str, str | None], problems: tuple[int, ...] = ()) -> Schema:
    return call(summary, *parameters, answers=answers, problems=(401, *problems), security="account")


def _own_body(
    summary: str, *parameters: Schema, body: str, answers: dict[str, str | None], problems: tuple[int, ...] = ()
) -> Schema:
    return call(summary, *parameters, body=body, answers=answers, problems=(401, *_BODY, *problems), security="account")


def _optional_body(operation: Schema) -> Schema:
    """The body may be left out: then the cookie says it."""
    operation["requestBody"]["required"] = False
    return operation


PATHS: Final[dict[str, Schema]] = {
    "/v1/auth": {"get": call("How one logs in here", answers={"200": "WaysIn"})},
    "/v1/auth/email/verify": {
        "post": _open("Verify an address by the one-time token of a mail", "MailedToken", {"204": None}, 410)
    },
    "/v1/auth/email/send": {"post": _own("Have that mail sent again", answers={"202": None}, problems=(409, 429, 503))},
    "/v1/auth/register": {
        "post": _open("Make an account and log it in", "NewAccount", {"201": "Opened"}, 403, 409, 503)
    },
    "/v1/auth/login": {"post": _open("Log in", "LogIn", {"200": "Opened"}, 401, 403, 503)},
    "/v1/auth/refresh": {
        "post": _optional_body(
            _open("Use a refresh token, get the next one", "RefreshToken", {"200": "Opened"}, 401, 403, 409)
        )
    },
    "/v1/auth/logout": {"post": _optional_body(_open("End the session", "RefreshToken", {"204": None}, 403))},
    "/v1/auth/sessions": {
        "get": _own("Where you are logged in", answers={"200": "Sessions"}),
        "delete": _own("End all your sessions but this one", answers={"204": None}, problems=(429,)),
    },
    "/v1/auth/sessions/{session}": {
        "delete": _own("End one of your sessions", _SESSION, answers={"204": None}, problems=(404, 429))
    },
    "/v1/auth/password": {
        "post": _own_body("Choose another password", body="NewPassword", answers={"204": None}, problems=(503,))
    },
    "/v1/auth/password/reset-request": {
        "post": _open("Have a reset sent by mail; says nothing of who exists", "WhoForgot", {"202": None}, 409, 503)
    },
    "/v1/auth/oidc/start": {
        "get": call(
            "Send the browser to the provider",
            query("return_to", "A path of this server, to end at", type="string", default="/"),
            answers={"302": None},
            problems=(400, 404, 429, 502),
        )
    },
    "/v1/auth/oidc/callback": {
        "get": call(
            "The browser comes back from the provider",
            *(query(name, "By the provider", type="string") for name in ("state", "code", "error")),
            answers={"303": None},
            problems=(400, 404, 429, 502, 503),
        )
    },
    "/v1/auth/password/reset": {
        "post": _open("Choose a password by a one-time token", "ResetPassword", {"204": None}, 410, 503)
    },
    "/v1/me": {
        "get": _own("Who the token stands for", answers={"200": "Me"}),
        "patch": _own_body(
            "Change how you are shown", body="Profile", answers={"200": "ChangedMe"}, problems=(409, 503)
        ),
    },
    "/v1/users/{user}": {"get": call("Somebody", _USER_IN_PATH, answers={"200": "Account"}, problems=(404, 429))},
    "/v1/channels": {
        "post": _own_body("Make a channel", body="NewChannel", answers={"201": "StreamKey"}, problems=(403, 409))
    },
    "/v1/channels/{channel}/key": {
        "post": _own("Make another stream key", CHANNEL, answers={"200": "StreamKey"}, problems=(403, 404, 429))
    },
    "/v1/channels/{channel}/roles": {
        "get": _own("Who has a role on the channel", CHANNEL, answers={"200": "Grants"}, problems=(403, 404))
    },
    "/v1/channels/{channel}/roles/{user}": {
        "put": _own_body(
            "Give a role",
            CHANNEL,
            _USER_IN_PATH,
            body="WantedRole",
            answers={"200": "Grant"},
            problems=(403, 404, 409),
        ),
        "delete": _own(
            "Take a role away", CHANNEL, _USER_IN_PATH, answers={"204": None}, problems=(403, 404, 409, 429)
        ),
    },
    "/v1/channels/{channel}/follow": {
        "put": _own("Follow the channel", CHANNEL, answers={"204": None}, problems=(404, 409, 429)),
        "delete": _own("Follow it no more", CHANNEL, answers={"204": None}, problems=(404, 409, 429)),
    },
}
