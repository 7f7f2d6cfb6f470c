"""Values of HLS tags as text (draft-pantos-hls-rfc8216bis, 4.2)."""

from datetime import UTC, datetime


def date(wall_ms: int) -> str:
    """ISO 8601 with milliseconds, UTC."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decimal(value: float) -> str:
    """A decimal-floating-point without needless zeros."""
    return f"{value:.5f}".rstrip("0").rstrip(".")


def quoted(text: str) -> str:
    """A quoted-string; what it may not hold (a quotation mark, line ends) becomes an apostrophe or a space."""
    return '"' + text.translate({0x22: "'", 0x0A: " ", 0x0D: " "}) + '"'
