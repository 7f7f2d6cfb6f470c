"""Which Maven repositories to ask: the user's own configuration first, as Maven and jgo read it."""

import xml.etree.ElementTree as ET
from pathlib import Path


def maven_repositories(home: Path | None = None) -> dict[str, str]:
    """Name to URL, in the order to ask: `[repositories]` of jgo's configuration, then Central or its mirror."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL

    settings = (home or Path.home()) / ".m2" / "settings.xml"
    text = settings.read_text("utf-8") if settings.is_file() else ""
    return {**GlobalSettings.load().repositories, "central": mirror_of_central(text) or MAVEN_CENTRAL_URL}


def mirror_of_central(settings_xml: str) -> str | None:
    """The URL of the first mirror in a Maven `settings.xml` that stands for Central; None without one.

    `mirrorOf` may be `central`, `*`, `external:*`, or a list with exclusions such as `*,!central`.
    """
    try:
        root = ET.fromstring(settings_xml)  # noqa: S314  (the user's own file, read with the user's own rights)
    except ET.ParseError:
        return None
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        names = {name.strip() for name in mirror.findtext("{*}mirrorOf", "").split(",")}
        url = mirror.findtext("{*}url", "").strip()
        if url and "!central" not in names and names & {"central", "*", "external:*"}:
            return url.rstrip("/")
    return None
