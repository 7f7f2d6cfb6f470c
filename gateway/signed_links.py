"""Signed links: the right to watch travels in the path, so that relative URLs and caches go on working.

    /s/KEYID.EXPIRES.SCOPE.TAG.SIGNATURE/v1/videos/VIDEO/master.m3u8

| field | |
| --- | --- |
| KEYID | which key signed: 1 to 16 of `a-z0-9` |
| EXPIRES | seconds since 1970, decimal |
| SCOPE | `v` and a video's id, or `c` and a channel's name: all videos of the channel, live and later |
| TAG | who it was made for, as the owner likes (1 to 32 of `A-Za-z0-9_-`), or `-`; for logs, not secret |
| SIGNATURE | base64url without padding of HMAC-SHA256(key, `logcast-link.1` LF `KEYID.EXPIRES.SCOPE.TAG`): 43 characters |

Everything that is signed stands in the token, so an edge checks a link with the key alone (docs/adr/0010). Pure.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from schemas.ids import CHANNEL_NAME, VIDEO_ID

PREFIX: Final = "/s/"
CLOCK_LEEWAY_S: Final = 10
"""A link works so long after its end: clocks of edges differ."""

MAX_LIFETIME_S: Final = 366 * 24 * 3600
MAX_TOKEN_CHARS: Final = 200
KEY_ID: Final = re.compile(r"[a-z0-9]{1,16}")
TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")

_CONTEXT: Final = b"logcast-link.1\n"
_TOKEN: Final = re.compile(
    rf"(?P<signed>(?P<key>{KEY_ID.pattern})\.(?P<expires>[0-9]{{1,12}})"
    rf"\.(?P<scope>v{VIDEO_ID.pattern}|c{CHANNEL_NAME.pattern})\.(?P<tag>{TAG.pattern}))\.(?P<signature>[A-Za-z0-9_-]{{43}})"
)


class LinkError(ValueError):
    """A link that opens nothing. `reason` is for programs: `bad_link`, `link_expired`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LinkKey:
    """A key and the name that links give it."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """What a link gives the right to, and until when (seconds since 1970). One of `video_id` and `channel` is empty."""

    expires_s: int
    video_id: str = ""
    channel: str = ""
    tag: str = "-"

    def opens(self, video_id: str, channel: str) -> bool:
        """Whether a video of a channel may be watched by it."""
        return video_id == self.video_id if self.video_id else channel == self.channel

    @property
    def scope(self) -> str:
        """As it stands in the token."""
        return f"v{self.video_id}" if self.video_id else f"c{self.channel}"


def token_of(link: Link, key: LinkKey) -> str:
    """The token of a link.

    Raises:
        ValueError: a field has no form that a token can have.
    """
    signed = f"{key.id}.{link.expires_s}.{link.scope}.{link.tag}"
    token = f"{signed}.{_signature(signed, key)}"
    if _TOKEN.fullmatch(token) is None or len(token) > MAX_TOKEN_CHARS:
        raise ValueError(f"expected a video id or channel and a tag of 1 to 32 of A-Za-z0-9_-, found {link}")
    return token


def link_of(token: str, keys: Mapping[str, LinkKey], now_s: float) -> Link:
    """The link of a token, checked.

    Raises:
        LinkError: it is no token, was not signed by one of `keys`, or is over.
    """
    found = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN_CHARS else None
    key = keys.get(found["key"]) if found is not None else None
    if found is None or key is None or not hmac.compare_digest(found["signature"], _signature(found["signed"], key)):
        raise LinkError("bad_link", "this link was not signed by us, or its key is no longer used: ask for a new one")
    expires_s = int(found["expires"])
    if now_s > expires_s + CLOCK_LEEWAY_S:
        raise LinkError("link_expired", f"this link ended {now_s - expires_s:.0f} s ago: ask for a new one")
    scope = found["scope"]
    video_id, channel = (scope[1:], "") if scope[0] == "v" else ("", scope[1:])
    return Link(expires_s, video_id, channel, found["tag"])


def split(path: str) -> tuple[str, str] | None:
    """Token and rest of a signed path, the rest with its slash; None when the path is not signed."""
    if not path.startswith(PREFIX):
        return None
    token, _, rest = path.removeprefix(PREFIX).partition("/")
    return token, f"/{rest}"


def _signature(signed: str, key: LinkKey) -> str:
    digest = hmac.digest(key.secret, _CONTEXT + signed.encode(), sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
