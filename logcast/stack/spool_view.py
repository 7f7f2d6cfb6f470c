"""What waits in the ingest's spool, as its metrics say."""

from dataclasses import dataclass
from typing import Final

from logcast.stack.metrics_page import read_metrics, values_of

PREFIX: Final = "logcast_spool_"


@dataclass(frozen=True, slots=True)
class SpoolView:
    """Bytes on disk, records that Kafka has not acknowledged, seconds since the oldest was taken, whether nothing is taken."""

    bytes: int
    records: int
    age_seconds: float
    full: bool

    @property
    def sentence(self) -> str:
        """For people."""
        waits = f"{self.records:,} records wait, since {self.age_seconds:.0f} s" if self.records else "nothing waits"
        return waits + (", full: publishers are held back" if self.full else "")


def read_spool(port: int, host: str = "127.0.0.1") -> SpoolView | None:
    """Ask the ingest's health port; None when it does not answer."""
    try:
        return spool_of(read_metrics(host, port))
    except ValueError:
        return None


def spool_of(metrics: str) -> SpoolView:
    """Find it among metrics in Prometheus' text format; ValueError when it is not there."""
    found = values_of(metrics, PREFIX)
    try:
        return SpoolView(int(found["bytes"]), int(found["records"]), found["age_seconds"], bool(found["full"]))
    except KeyError as error:
        raise ValueError(f"expected the metric {PREFIX}{error.args[0]}, found {sorted(found)}") from error
