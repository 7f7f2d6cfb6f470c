"""Opens what recording needs, as it becomes available, and runs it: the archiver, retention, and what forgets the videos that were removed."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from consumers.archiver import GROUP, Archiver
from consumers.forgetting import Forgetting
from consumers.kept_videos import KeptVideos
from consumers.removed_videos import RemovedVideos
from consumers.retention import Retention
from consumers.segment_archive import SegmentArchive
from consumers.stopping import stops_within
from schemas.topics import MEDIA_PARTS, MEDIA_RENDITIONS, VIDEOS, VIDEOS_SETTINGS
from stores.cassandra import Cassandra
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer
from stores.log_group import LogGroup
from stores.log_reader import LogReader, Subscription
from stores.recordings import Recordings, RecordingsError, open_recordings
from stores.settings import Settings

log = logging.getLogger(__name__)

FIRST_RETRY_S: Final = 0.5
MAX_RETRY_S: Final = 10.0
POLL_S: Final = 0.1


@dataclass(slots=True)
class Recording:
    """What has been opened so far."""

    group: LogGroup | None = None
    archiver: Archiver | None = None

    def checks(self) -> dict[str, bool]:
        """For readiness: both are false while the cold store cannot be used."""
        return {
            "archiver": self.group is not None and self.group.joined,
            "recordings": self.archiver is not None and self.archiver.stores_work,
        }


async def record(
    settings: Settings,
    stop: asyncio.Event,
    running: Recording,
    cassandra: Callable[[], Cassandra | None] = lambda: None,
) -> None:
    """Record until `stop` is set. A cold store that cannot be opened, and a log that is away, are waited for.

    Videos that were removed are forgotten while `cassandra` gives a session.

    Raises:
        LogError: the log cannot be read any more; start anew.
    """
    videos, removed = KeptVideos(), RemovedVideos()
    follow = [Subscription(topic, videos.apply, gone=videos.gone) for topic in (VIDEOS, VIDEOS_SETTINGS)]
    follow += [Subscription(topic, removed.apply, gone=removed.gone) for topic in (VIDEOS_SETTINGS, MEDIA_RENDITIONS)]
    async with AsyncExitStack() as stack:
        cold = await _open_when_there(settings, stop, stack)
        reader = await stack.enter_async_context(LogReader(settings, follow, role="consumers-videos"))
        if cold is None or not await _caught_up(reader, stop):
            return
        producer = await stack.enter_async_context(EventProducer(settings, "archiver"))
        group = await stack.enter_async_context(LogGroup(settings, "archiver", GROUP, [MEDIA_PARTS]))
        hot = open_segment_store(settings)
        stack.callback(hot.close)
        archiver = Archiver(settings, group, videos, reader, SegmentArchive(hot, cold, now_ms), producer, now_ms)
        # Each partition has one archiver: it removes what it would archive.
        retention = Retention(videos, cold, hot, producer, settings.hot_retention_s, now_ms, archiver.is_ours)
        forgetting = Forgetting(
            removed,
            cold,
            cassandra,
            producer,
            settings.partitions,
            settings.forget_after_s,
            now_ms,
            archiver.is_ours,
        )
        running.group, running.archiver = group, archiver
        await _until_broken(reader, _all(archiver, retention, forgetting, stop))


async def _all(archiver: Archiver, retention: Retention, forgetting: Forgetting, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(archiver.run(stop), name="archiver")
        tasks.create_task(retention.run(stop), name="retention")
        tasks.create_task(forgetting.run(stop), name="forgetting")


async def _until_broken(reader: LogReader, work: Coroutine[Any, Any, None]) -> None:
    """Run until done, or until the reader has failed, which is raised."""
    assert reader.failed is not None
    task = asyncio.create_task(work, name="recording")
    try:
        await asyncio.wait({task, reader.failed}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        else:
            reader.failed.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _caught_up(reader: LogReader, stop: asyncio.Event) -> bool:
    """Whether the reader came to the end of its topics before `stop` was set."""
    while not reader.caught_up and not stop.is_set():
        await stops_within(stop, POLL_S)
        if reader.failed is not None and reader.failed.done():
            reader.failed.result()
    return not stop.is_set()


async def _open_when_there(settings: Settings, stop: asyncio.Event, stack: AsyncExitStack) -> Recordings | None:
    """The cold store; None if told to stop before it could be opened, such as a disk that is not mounted yet."""
    delay_s = FIRST_RETRY_S
    while not stop.is_set():
        try:
            return await stack.enter_async_context(open_recordings(settings))
        except RecordingsError as error:
            log.warning("recording waits, next try in %.1f s: %s", delay_s, error)
        await stops_within(stop, delay_s)
        delay_s = min(2 * delay_s, MAX_RETRY_S)
    return None


def now_ms() -> int:
    """Wall clock in ms."""
    return time.time_ns() // 1_000_000
