"""Answers of bytes as plain ASGI messages: validators, ranges, CORS; the busiest answers need nothing more.

The rules are those of RFC 9110, sections 13 (conditional requests) and 14 (ranges).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import Send

RawHeaders = list[tuple[bytes, bytes]]

OPEN_TO_ALL: Final[RawHeaders] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"content-length, content-range, date, etag"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"timing-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
]
PREFLIGHT: Final[RawHeaders] = [
    *OPEN_TO_ALL,
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"range, if-none-match, cache-control, pragma"),
    (b"access-control-max-age", b"86400"),
]
FOREVER: Final = b"public, max-age=31536000, immutable"

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class Request:
    """The few things of an HTTP scope that an answer depends on."""

    def __init__(self, method: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.method: Final = method
        self._headers: Final = headers

    def header(self, name: bytes) -> str:
        """A request header, empty when absent."""
        for key, value in self._headers:
            if key == name:
                return value.decode("latin-1")
        return ""

    @property
    def accepts_gzip(self) -> bool:
        """Whether Accept-Encoding names gzip with a weight above 0."""
        return self.accepts("gzip")

    def accepts(self, coding: str) -> bool:
        """Whether Accept-Encoding names a coding, or all of them, with a weight above 0 (RFC 9110 section 12.5.3)."""
        named = {}
        for entry in self.header(b"accept-encoding").split(","):
            name, _, weight = entry.strip().partition(";")
            named[name.strip().lower()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        return named.get(coding, named.get("*", False))

    def headers(self, names: Iterable[str]) -> dict[str, str]:
        """Those of the headers that were sent, by lower-case name."""
        return {name: value for name in names if (value := self.header(name.encode()))}

    def has(self, etag: str) -> bool:
        """Whether If-None-Match holds the entity tag, weakly compared (RFC 9110 section 13.1.2)."""
        given = self.header(b"if-none-match")
        return bool(given) and (given.strip() == "*" or f'"{etag}"' in given)


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """First byte and end of a Range header over `size` bytes; None: answer with all.

    Several ranges and other units are answered with all, which RFC 9110 section 14.2 allows.

    Raises:
        IndexError: not satisfiable, 416.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        if int(last) == 0 or size == 0:
            raise IndexError(text)
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise IndexError(text)
    return int(first), min(size, int(last) + 1) if last else size


async def send_bytes(send: Send, request: Request, pieces: Sequence[bytes], kind: bytes, etag: str) -> None:
    """Answer with the joined pieces, which never change: 200, 206, 304 or 416."""
    size = sum(map(len, pieces))
    headers: RawHeaders = [
        *OPEN_TO_ALL,
        (b"content-type", kind),
        (b"cache-control", FOREVER),
        (b"etag", f'"{etag}"'.encode()),
        (b"accept-ranges", b"bytes"),
    ]
    if request.has(etag):
        await send_message(send, 304, headers)
        return
    status, span = 200, (0, size)
    asked = request.header(b"range")
    if asked and request.header(b"if-range") in ("", f'"{etag}"'):
        try:
            wanted = byte_range(asked, size)
        except IndexError:
            headers = [*OPEN_TO_ALL, (b"content-range", f"bytes */{size}".encode())]
            await send_message(send, 416, headers)
            return
        if wanted is not None:
            status, span = 206, wanted
            headers.append((b"content-range", f"bytes {span[0]}-{span[1] - 1}/{size}".encode()))
    headers.append((b"content-length", str(span[1] - span[0]).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if request.method != "HEAD":
        for piece in _cut(pieces, *span):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def send_message(send: Send, status: int, headers: RawHeaders, body: bytes = b"") -> None:
    """One whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _cut(pieces: Sequence[bytes], first: int, end: int) -> list[bytes]:
    """The pieces' bytes from `first` up to `end`."""
    cut, at = [], 0
    for piece in pieces:
        start, stop = max(first - at, 0), min(end - at, len(piece))
        if start < stop:
            cut.append(piece if stop - start == len(piece) else piece[start:stop])
        at += len(piece)
    return cut
