"""Whether a browser's request comes from our own page: what goes with a cookie is taken from nowhere else (CSRF)."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from gateway.problems import Problem
from stores.settings import Settings


def is_own_origin(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether Origin (RFC 6454) is there, and is `public_url`, or the host that was asked."""
    origin = connection.headers.get("origin", "").lower()
    if not origin or origin == "null":
        return False
    if settings.public_url:
        return origin == settings.public_url.lower()
    return urlsplit(origin).netloc == connection.headers.get("host", "").lower()


def must_be_own_origin(connection: HTTPConnection, settings: Settings) -> None:
    """Refuse what another site, or no browser, sends with our cookie.

    Raises:
        Problem: 403.
    """
    if not is_own_origin(connection, settings):
        found = connection.headers.get("origin", "none")
        raise Problem(
            403,
            "wrong_origin",
            f"expected the Origin of our own page, found {found:.80}; set LOGCAST_PUBLIC_URL behind a proxy, "
            "or send the refresh token in the body",
        )


def own_url(settings: Settings) -> str:
    """Where browsers reach us, as the settings say: never as a request says, for that is anybody's choice."""
    return settings.public_url or f"http://{settings.public_host}:{settings.http_port}"


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser says that it talks HTTPS to us."""
    return connection.headers.get("origin", "").lower().startswith("https://") or connection.url.scheme == "https"
