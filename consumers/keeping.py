"""What an operator does with videos by hand: look, choose, remove. Reads the log to its end, needs no running service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from consumers.kept_videos import KeptVideos
from consumers.retention import Retention
from schemas import codec
from schemas.events import VideoSettingsChanged
from schemas.topics import VIDEOS, VIDEOS_SETTINGS, Topic
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer, read_to_end
from stores.log_reader import Place, now_ms
from stores.recordings import Recordings, open_recordings
from stores.segments import Removed
from stores.settings import Settings


async def videos_on_log(settings: Settings) -> KeptVideos:
    """Every video that the log tells of now.

    Raises:
        LogError: Kafka does not answer, or the topics are not there.
    """
    videos = KeptVideos()
    for topic in (VIDEOS, VIDEOS_SETTINGS):
        await asyncio.to_thread(_fold, settings, topic, videos)
    return videos


def _fold(settings: Settings, topic: Topic, videos: KeptVideos) -> None:
    for message in read_to_end(settings, topic, "operator"):
        value = message.value()
        if value is not None:
            videos.apply(codec.decode(value))
        else:
            place = Place(topic.name, message.partition() or 0, message.offset() or 0, message.timestamp()[1])
            videos.gone((message.key() or b"").decode(), place)


@asynccontextmanager
async def open_retention(settings: Settings, videos: KeptVideos) -> AsyncIterator[tuple[Retention, Recordings]]:
    """Retention over everything, and the cold store that it works on.

    Raises:
        RecordingsError: the cold store cannot be opened.
    """
    hot = open_segment_store(settings)
    async with open_recordings(settings) as cold, EventProducer(settings, "operator") as producer:
        try:
            yield Retention(videos, cold, hot, producer, settings.hot_retention_s, now_ms), cold
        finally:
            hot.close()


async def choose(settings: Settings, chosen: VideoSettingsChanged) -> None:
    """Put a choice on the log.

    Raises:
        LogError: the log does not take it.
    """
    async with EventProducer(settings, "operator") as producer:
        await producer.deliver(VIDEOS_SETTINGS, chosen.video_id, chosen)


async def recorded(cold: Recordings, video_id: str) -> Removed:
    """How many objects and bytes a video has in the cold store.

    Raises:
        RecordingsError.
    """
    found = Removed()
    async for one in cold.of_video(video_id):
        found += Removed(1, one.size_bytes)
    return found
