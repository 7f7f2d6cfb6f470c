"""Guests: a name and a lasting id without an account, in a signed token that any gateway can check.

A token is `base64url(JSON).base64url(HMAC-SHA256)`, valid for 30 days. Whoever has it is that guest; nobody can make one
without the gateways' common secret.
"""

import base64
import binascii
import hmac
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson

from schemas.ids import UserId, base32

LIFETIME_MS: Final = 30 * 24 * 3_600_000
MAX_TOKEN_CHARS: Final = 1_024
MAX_NAME_CHARS: Final = 32


class GuestError(ValueError):
    """A name or token that cannot be taken; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who speaks."""

    id: UserId
    name: str


def checked_name(name: object) -> str:
    """A display name: control and format characters removed, white space folded.

    Raises:
        GuestError: nothing is left, or more than 32 characters.
    """
    if not isinstance(name, str):
        raise GuestError(f"expected a name of 1 to {MAX_NAME_CHARS} characters, found {type(name).__name__}")
    clean = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in name[:1_000]).split())
    if not 1 <= len(clean) <= MAX_NAME_CHARS:
        raise GuestError(f"expected a name of 1 to {MAX_NAME_CHARS} characters, found {len(clean)}")
    return clean


def new_guest(name: object, random: bytes) -> Guest:
    """A guest with a new id out of 10 random bytes."""
    if len(random) != 10:
        raise ValueError(f"expected 10 random bytes, found {len(random)}")
    return Guest(UserId("g_" + base32(int.from_bytes(random, "big"), 16)), checked_name(name))


def token_of(guest: Guest, secret: bytes, now_ms: int) -> str:
    """The token by which a guest is known again."""
    body = _text(orjson.dumps({"id": guest.id, "name": guest.name, "exp": now_ms + LIFETIME_MS}))
    return f"{body}.{_signature(body, secret)}"


def guest_of(token: object, secret: bytes, now_ms: int) -> Guest:
    """The guest of a token.

    Raises:
        GuestError: the token is not ours or too old.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise GuestError("the token is not one of ours; join without it to get a new one")
    body, _, signature = token.partition(".")
    if not hmac.compare_digest(signature, _signature(body, secret)):
        raise GuestError("the token is not one of ours; join without it to get a new one")
    try:
        values = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error) as error:
        raise GuestError("the token cannot be read; join without it to get a new one") from error
    if values["exp"] < now_ms:
        raise GuestError("the token is too old; join without it to get a new one")
    return Guest(UserId(values["id"]), values["name"])


def _signature(body: str, secret: bytes) -> str:
    return _text(hmac.digest(secret, b"guest." + body.encode(), sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
