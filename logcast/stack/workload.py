"""What the workers say of their load, for `logcast status`."""

from collections.abc import Iterable
from typing import Final

from logcast.stack.layout import CLUSTER
from logcast.stack.metrics_page import read_metrics, values_of
from stores.settings import Settings

WORTH_TELLING_S: Final = 1.0
PREFIX: Final = "logcast_worker_"
LAG, LEFT_OUT, BUSY = "transcode_lag_seconds", "rungs_left_out", "encoders_busy_ratio"


def worker_notes(settings: Settings, workers: Iterable[tuple[str, int | None]]) -> dict[str, str]:
    """A sentence for each worker, of its name and health port; empty where nothing is to be told or it does not answer."""
    return {name: workload(read_metrics(_host(settings, name), port)) for name, port in workers if port is not None}


def workload(metrics: str) -> str:
    """What a worker's `/metrics` say of its load: empty, or what it leaves out and how far it is behind."""
    values = values_of(metrics, PREFIX)
    left_out, lag_s, busy = (values.get(name, 0.0) for name in (LEFT_OUT, LAG, BUSY))
    if not left_out and lag_s < WORTH_TELLING_S:
        return f"encoders {busy:.0%} busy" if LAG in values else ""
    rungs = f"the largest {left_out:.0f} of the renditions are left out for now, " if left_out else ""
    return f"overloaded: {rungs}{lag_s:.1f} s behind; give it more cores, start another worker, or shorten the ladder"


def _host(settings: Settings, name: str) -> str:
    _, _, place = name.partition("-")
    if place:
        return CLUSTER.homes[int(place) - 1]
    return settings.local_host
