"""The `/metrics` of a process, in Prometheus' text format, for `logcast status`."""

from http.client import HTTPConnection, HTTPException
from typing import Final

TIMEOUT_S: Final = 2.0
MAX_BYTES: Final = 1 << 20


def read_metrics(host: str, port: int) -> str:
    """The page of a health port; empty when nothing answers there."""
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read(MAX_BYTES).decode()
    except (OSError, HTTPException, UnicodeDecodeError):
        return ""
    finally:
        connection.close()


def values_of(page: str, prefix: str) -> dict[str, float]:
    """The metrics without labels whose names begin so, by the rest of their names."""
    pairs = (line.partition(" ") for line in page.splitlines() if line.startswith(prefix))
    return {name.removeprefix(prefix): float(value) for name, _, value in pairs if "{" not in name}
