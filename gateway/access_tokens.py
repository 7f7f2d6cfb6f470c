"""Access tokens: who somebody is, for some minutes, signed, so that any gateway knows them without asking the database.

`la_base64url(JSON).base64url(HMAC-SHA256)`, signed with the gateways' common secret for this purpose alone: a guest's token is
none of these, and none of these is a guest's. There is one algorithm and no header that could name another (RFC 8725
section 3.1). docs/adr/0020-tokens.md says why this is no JWT.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson

PREFIX: Final = "la_"
MAX_TOKEN_CHARS: Final = 4_096
_PURPOSE: Final = b"access."


class AccessTokenError(ValueError):
    """A token that opens nothing; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a token says.

    Attributes:
        user_id: the account.
        number: its dense number.
        name, colour, avatar: how it is shown.
        admin: whether it was an administrator when the token was made.
        session: the session that it belongs to.
        expires_ms: wall clock.
        verified: whether the address for mail was verified when the token was made.
    """

    user_id: str
    number: int
    name: str
    colour: str
    avatar: str
    admin: bool
    session: str
    expires_ms: int
    verified: bool = False


def access_token(access: Access, secret: bytes) -> str:
    """The token that says this."""
    values = [getattr(access, name) for name in Access.__dataclass_fields__]
    body = _text(orjson.dumps(values))
    return f"{PREFIX}{body}.{_signature(body, secret)}"


def access_of(token: str, secret: bytes, now_ms: int) -> Access:
    """What a token says.

    Raises:
        AccessTokenError: it is not ours, or too old.
    """
    body, _, signature = token.removeprefix(PREFIX).partition(".")
    fits = token.startswith(PREFIX) and len(token) <= MAX_TOKEN_CHARS and token.isascii()
    if not fits or not hmac.compare_digest(signature, _signature(body, secret)):
        raise AccessTokenError("the access token is not one of ours; log in for another")
    try:
        access = Access(*orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (ValueError, TypeError, binascii.Error) as error:
        raise AccessTokenError("the access token is of another version; log in for another") from error
    if access.expires_ms <= now_ms:
        raise AccessTokenError("the access token is too old; POST /v1/auth/refresh gives another")
    return access


def _signature(body: str, secret: bytes) -> str:
    return _text(hmac.digest(secret, _PURPOSE + body.encode(), sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
