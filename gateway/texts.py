"""Texts that many ask for, playlists and manifests: compressed once, answered with validators."""

import gzip
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Final

from starlette.types import Send

from gateway.answers import OPEN_TO_ALL, RawHeaders, Request, send_message

GZIP_LEVEL: Final = 4


@dataclass(frozen=True)
class Body:
    """A text as it goes out."""

    plain: bytes

    @cached_property
    def gzipped(self) -> bytes:
        """The same, compressed when it is asked for first; without a time, so that equal texts stay equal."""
        return gzip.compress(self.plain, GZIP_LEVEL, mtime=0)

    @cached_property
    def etag(self) -> str:
        """A strong entity tag of the text; each compressed form has its own, which the answer says."""
        return blake2b(self.plain, digest_size=12).hexdigest()


async def send_text(send: Send, request: Request, body: Body, kind: bytes, max_age_s: int) -> None:
    """Answer with a text of media type `kind` that may be kept for `max_age_s`: 200 or 304."""
    zipped = request.accepts_gzip
    etag = body.etag + ("-gz" if zipped else "")
    headers: RawHeaders = [
        *OPEN_TO_ALL,
        (b"content-type", kind),
        (b"cache-control", f"public, max-age={max_age_s}".encode()),
        (b"etag", f'"{etag}"'.encode()),
        (b"vary", b"accept-encoding"),
    ]
    if request.has(etag):
        await send_message(send, 304, headers)
        return
    data = body.gzipped if zipped else body.plain
    headers.append((b"content-length", str(len(data)).encode()))
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    await send_message(send, 200, headers, b"" if request.method == "HEAD" else data)
