"""The web page: five HTML documents and their static files, kept in memory, answered with validators.

Two kinds of address for one set of bytes:

- `/static/js/watch.js` may change with the next release: `no-cache` and a strong ETag (RFC 9110 §8.8.3).
- `/static/RELEASE/js/watch.js`, where RELEASE is the hash of the whole tree, and `/static/vendor/NAME-VERSION/…` never
  change: `immutable` (RFC 8246). The documents name their files by the first; modules import each other by relative
  paths, so a whole page is of one release. A gateway asked for a release that it does not have (two versions side by
  side during an upgrade) gives its own, uncached.

No script, style or picture comes from anywhere but this server, and none is inline: the Content-Security-Policy says so.
"""

import functools
import gzip
import hashlib
import html
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.state import GatewayState

WEB_DIR: Final = Path(__file__).parent / "web"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",  # LICENSE
}

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob: data:; "  # MediaSource is attached by a blob: URL; hls.js begins captions with an empty data: one
    "form-action 'none'; "  # forms are sent by script; a stream key never travels in a form
    "require-trusted-types-for 'script'; trusted-types 'none'; "  # no string ever becomes markup
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
DOCUMENT_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
REVALIDATE: Final = "no-cache"
IMMUTABLE: Final = "public, max-age=31536000, immutable"

_WATCHABLE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{1,39}")  # a channel's name; a video's id has the same characters
_COMPRESSIBLE: Final = frozenset({".css", ".html", ".js", ".mjs", ".svg"})


@dataclass(frozen=True, slots=True)
class WebFile:
    """One file, ready to send: its bytes, their gzip form when that is smaller, and a strong ETag of each."""

    body: bytes
    media_type: str
    etag: str
    gzip_body: bytes | None
    gzip_etag: str


@dataclass(frozen=True, slots=True)
class Site:
    """Everything under the web directory, by path (`js/watch.js`), and the hash that names this state of it."""

    release: str
    files: Mapping[str, WebFile]


def web_file(path: str, body: bytes) -> WebFile:
    """Hash and compress one file.

    Raises:
        ValueError: the suffix of `path` has no media type here.
    """
    suffix = PurePosixPath(path).suffix
    if suffix not in MEDIA_TYPES:
        raise ValueError(f"no media type for {path!r}: expected one of {sorted(MEDIA_TYPES)}, found {suffix!r}")
    digest = hashlib.sha256(body).hexdigest()[:20]
    packed = gzip.compress(body, 9, mtime=0) if suffix in _COMPRESSIBLE else body
    return WebFile(
        body=body,
        media_type=MEDIA_TYPES[suffix],
        etag=f'"{digest}"',
        gzip_body=packed if len(packed) < len(body) else None,
        gzip_etag=f'"{digest}-gz"',
    )


def read_site(directory: Path) -> Site:
    """Read the whole directory (a few hundred kilobytes) once."""
    raw = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    tree = hashlib.sha256()
    for name, body in raw.items():
        tree.update(f"{name}\0{len(body)}\0".encode() + body)
    release = tree.hexdigest()[:12]
    return Site(release=release, files={name: web_file(name, body) for name, body in raw.items()})


def document(body: bytes, release: str, values: Mapping[str, str]) -> WebFile:
    """An HTML document whose static links name the release, and whose `{{name}}` are `values`, escaped."""
    text = re.sub(r'="/static/(?!vendor/)', f'="/static/{release}/', body.decode())
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    return web_file("document.html", text.encode())


def answer(request: Request, file: WebFile, cache: str, extra: Mapping[str, str], status: int = 200) -> Response:
    """The file, or 304 when the client has it (RFC 9110 §13.1.2: the weak comparison, so `W/` is set aside)."""
    use_gzip = file.gzip_body is not None and _accepts_gzip(request.headers.get("accept-encoding", ""))
    body, etag = (file.gzip_body or b"", file.gzip_etag) if use_gzip else (file.body, file.etag)
    headers = {**SECURITY_HEADERS, **extra, "etag": etag, "cache-control": cache, "vary": "accept-encoding"}
    if status == 200 and _has(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    if use_gzip:
        headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    sent = b"" if request.method == "HEAD" else body
    return Response(sent, status, headers=headers, media_type=file.media_type)


def install(state: GatewayState) -> list[BaseRoute]:
    """The page as a group of the gateway's application; it needs nothing of the state but its settings."""
    return page_routes(state.settings.public_host, state.settings.rtmp_port)


def page_routes(public_host: str = "", rtmp_port: int = 1935, directory: Path = WEB_DIR) -> list[BaseRoute]:
    """Routes of the page. Files are read at the first request and then kept.

    Args:
        public_host: the host shown in push addresses; empty or a loopback address: the one the page was opened with.
        rtmp_port: the port shown in push addresses.
        directory: where the files are.
    """
    values = {"public_host": public_host, "rtmp_port": str(rtmp_port)}

    @functools.cache
    def site() -> Site:
        return read_site(directory)

    @functools.cache
    def page(name: str) -> WebFile:
        return document(site().files[name].body, site().release, values)

    def show(name: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return answer(request, page(name), REVALIDATE, DOCUMENT_HEADERS)

        return endpoint

    async def watch(request: Request) -> Response:
        known = _WATCHABLE.fullmatch(request.path_params["name"]) is not None
        return answer(request, page("watch.html"), REVALIDATE, DOCUMENT_HEADERS, 200 if known else 404)

    async def static(request: Request) -> Response:
        return _static_answer(request, site(), request.path_params["path"])

    async def favicon(request: Request) -> Response:
        return _static_answer(request, site(), "favicon.svg")

    return [
        Route("/", show("index.html")),
        Route("/watch/{name}", watch),
        Route("/studio", show("studio.html")),
        Route("/account", show("account.html")),
        Route("/reset", show("reset.html")),
        Route("/static/{path:path}", static),
        Route("/favicon.ico", favicon),
    ]


def _static_answer(request: Request, site: Site, path: str) -> Response:
    """A file by its plain path or by `RELEASE/path`; the documents have addresses of their own."""
    first, _, rest = path.partition("/")
    released = re.fullmatch(r"[0-9a-f]{12}", first) is not None
    name = rest if released else path
    file = site.files.get(name)
    if file is None or name.endswith(".html"):
        detail = f"no file {name!r} under /static/\n"
        return Response(detail, 404, headers=dict(SECURITY_HEADERS), media_type="text/plain")
    unchanging = first == site.release or name.startswith("vendor/")
    return answer(request, file, IMMUTABLE if unchanging else REVALIDATE, {})


def _accepts_gzip(header: str) -> bool:
    """Whether Accept-Encoding (RFC 9110 §12.5.3) allows gzip by name; `*` is not worth the trouble."""
    for item in header.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return re.fullmatch(r"\s*q=0(\.0{0,3})?\s*", weight) is None
    return False


def _has(if_none_match: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags
