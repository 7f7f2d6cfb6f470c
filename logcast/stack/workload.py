"""What the workers say of their load, for `logcast status`."""

from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from typing import Final

from logcast.stack.layout import CLUSTER
from stores.settings import Settings

TIMEOUT_S: Final = 1.0
MAX_BYTES: Final = 1 << 20
WORTH_TELLING_S: Final = 1.0

LAG: Final = "logcast_worker_transcode_lag_seconds"
LEFT_OUT: Final = "logcast_worker_rungs_left_out"
BUSY: Final = "logcast_worker_encoders_busy_ratio"


def worker_notes(settings: Settings, workers: Iterable[tuple[str, int | None]]) -> dict[str, str]:
    """A sentence for each worker, of its name and health port; empty where nothing is to be told or it does not answer."""
    return {name: workload(_metrics(_host(settings, name), port)) for name, port in workers if port is not None}


def workload(metrics: str) -> str:
    """What a worker's `/metrics` say of its load: empty, or what it leaves out and how far it is behind."""
    values = dict(line.split(" ", 1) for line in metrics.splitlines() if line.startswith((LAG, LEFT_OUT, BUSY)))
    left_out, lag_s, busy = (float(values.get(name, 0)) for name in (LEFT_OUT, LAG, BUSY))
    if not left_out and lag_s < WORTH_TELLING_S:
        return f"encoders {busy:.0%} busy" if LAG in values else ""
    rungs = f"the largest {left_out:.0f} of the renditions are left out for now, " if left_out else ""
    return f"overloaded: {rungs}{lag_s:.1f} s behind; give it more cores, start another worker, or shorten the ladder"


def _host(settings: Settings, name: str) -> str:
    _, _, place = name.partition("-")
    if place:
        return CLUSTER.homes[int(place) - 1]
    return "127.0.0.1" if settings.bind_host in {"0.0.0.0", "::"} else settings.bind_host  # noqa: S104


def _metrics(host: str, port: int) -> str:
    connection = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read(MAX_BYTES).decode()
    except (OSError, HTTPException):
        return ""
    finally:
        connection.close()
