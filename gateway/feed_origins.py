"""Which pages may join the feed. Browsers say where a page is from (RFC 6455 section 10.2); programs say nothing."""

from urllib.parse import urlsplit

from stores.settings import Settings


def origin_allowed(origin: str | None, host: str | None, settings: Settings) -> bool:
    """Whether a page of this origin may join: ours, one of `feed_origins`, or any where that is `*`.

    Args:
        origin: the Origin header, such as `https://tv.example`; None: not a browser.
        host: the Host header of the same request.
        settings: names further origins.
    """
    if origin is None:
        return True
    allowed = {one.strip().rstrip("/").lower() for one in settings.feed_origins.split(",")} - {""}
    if "*" in allowed or origin.lower() in allowed:
        return True
    try:
        page = urlsplit(origin.lower())
    except ValueError:
        return False
    return page.scheme in {"http", "https"} and host is not None and page.netloc == host.lower()
