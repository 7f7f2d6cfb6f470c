"""Texts that many ask for, playlists and manifests: compressed once, answered with validators."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

import brotli
from starlette.types import Send

from gateway.answers import OPEN_TO_ALL, RawHeaders, Request, send_message

GZIP_LEVEL: Final = 4
BROTLI_QUALITY: Final = 4
"""Half the time of gzip's level 4 on a playlist, and a smaller text."""


@dataclass(frozen=True)
class Body:
    """A text as it goes out."""

    plain: bytes

    @cached_property
    def gzipped(self) -> bytes:
        """The same, compressed when it is asked for first; without a time, so that equal texts stay equal."""
        return gzip.compress(self.plain, GZIP_LEVEL, mtime=0)

    @cached_property
    def brotlied(self) -> bytes:
        """The same in brotli (RFC 7932), compressed when it is asked for first."""
        return bytes(brotli.compress(self.plain, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY))

    @cached_property
    def etag(self) -> str:
        """A strong entity tag of the text; each compressed form has its own, which the answer says."""
        return blake2b(self.plain, digest_size=12).hexdigest()


async def send_text(
    send: Send, request: Request, body: Body, kind: bytes, max_age_s: int, *, vary: Iterable[str] = ()
) -> None:
    """Answer with a text of media type `kind` that may be kept for `max_age_s`: 200 or 304.

    `vary` names the request headers that the text depends on, besides its compression.
    """
    coding = "br" if request.accepts("br") else "gzip" if request.accepts("gzip") else ""
    etag = f"{body.etag}-{coding}" if coding else body.etag
    headers: RawHeaders = [
        *OPEN_TO_ALL,
        (b"content-type", kind),
        (b"cache-control", f"public, max-age={max_age_s}".encode()),
        (b"etag", f'"{etag}"'.encode()),
        (b"vary", ", ".join(["accept-encoding", *vary]).encode()),
    ]
    if request.has(etag):
        await send_message(send, 304, headers)
        return
    data = {"br": lambda: body.brotlied, "gzip": lambda: body.gzipped}.get(coding, lambda: body.plain)()
    headers.append((b"content-length", str(len(data)).encode()))
    if coding:
        headers.append((b"content-encoding", coding.encode()))
    await send_message(send, 200, headers, b"" if request.method == "HEAD" else data)
