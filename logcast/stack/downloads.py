"""The first start's downloads, with progress bars; nothing at all when the cache is full."""

from pathlib import Path
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from logcast.stack.jars import Jar, fetch_jars, missing_jars

TITLES = {"kafka": "Apache Kafka 4.3.1", "cassandra": "Apache Cassandra 5.0.9"}


class DownloadBars:
    """One bar a product, in bytes; called from the threads that fetch."""

    def __init__(self, jars: tuple[Jar, ...], progress: Progress) -> None:
        self._progress = progress
        self._received: dict[Jar, int] = dict.fromkeys(jars, 0)
        self._lock = Lock()
        self._bars: dict[str, TaskID] = {
            product: progress.add_task(title, total=sum(jar.size_bytes for jar in jars if jar.product == product))
            for product, title in TITLES.items()
        }

    def __call__(self, jar: Jar, received_bytes: int) -> None:
        """Move the bar of the jar's product; a retry starts its jar again."""
        with self._lock:
            self._progress.advance(self._bars[jar.product], received_bytes - self._received[jar])
            self._received[jar] = received_bytes


def download(jars: tuple[Jar, ...], cache: Path, console: Console) -> None:
    """Fetch what `cache` lacks of `jars` and show how far it is.

    Raises:
        DownloadError, CannotStartError: as `fetch_jars`.
    """
    missing = missing_jars(jars, cache)
    if not missing:
        return
    console.print(f"Fetching {len(missing)} jars into {cache / 'jars'} (once for this user)")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        fetch_jars(missing, cache, DownloadBars(missing, progress))
