"""Removes the parts that are past their time from the hot segment store, and says what it removed."""

import asyncio
import logging
from collections.abc import Callable

from prometheus_client import Counter

from consumers.stopping import stops_within
from stores.segments import Removed, SegmentStore, SegmentStoreError

log = logging.getLogger(__name__)

FILES = Counter("logcast_hot_removed_files_total", "Parts and init segments removed from the hot tier")
BYTES = Counter("logcast_hot_removed_bytes_total", "Bytes removed from the hot tier")


class HotJanitor:
    """Cleans one store about four times in the time that parts stay, at least once a minute."""

    def __init__(self, store: SegmentStore, retention_s: float, now_s: Callable[[], float]) -> None:
        self._store = store
        self._retention_s = retention_s
        self._now_s = now_s
        self.interval_s = min(60.0, retention_s / 4)

    async def run(self, stop: asyncio.Event) -> None:
        """Clean now and then until `stop` is set; a store that fails is tried again the next time."""
        while not stop.is_set():
            try:
                self._tell(await asyncio.to_thread(self.clean))
            except SegmentStoreError as error:
                log.warning("old segments stay for now: %s", error)
            await stops_within(stop, self.interval_s)

    def clean(self) -> Removed:
        """Remove what is older than the retention; blocking.

        Raises:
            SegmentStoreError: the store cannot do it now.
        """
        return self._store.remove_older(self._retention_s, self._now_s())

    def _tell(self, removed: Removed) -> None:
        FILES.inc(removed.files)
        BYTES.inc(removed.size_bytes)
        if removed.files:
            log.info(
                "removed %d hot segment files, %.1f MB, older than %.0f s",
                removed.files,
                removed.size_bytes / 1e6,
                self._retention_s,
            )
