"""What can happen to a video that no design foresees, done to a small broadcast."""

import shutil
from collections.abc import Sequence

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.events import Event
from schemas.topics import Topic
from stores.kafka import EventProducer, client_config
from stores.recordings import segment_name
from tests.consumers.soundness.small_broadcast import SmallBroadcast, session

ROWS = {
    "segments": "DELETE FROM $keyspace.segments WHERE video_id = ? AND rendition = ? AND bucket = 0 AND segment = ?",
    "renditions": "DELETE FROM $keyspace.renditions WHERE video_id = ? AND rendition = ?",
    "videos": "DELETE FROM $keyspace.videos WHERE video_id = ?",
    "comments": "DELETE FROM $keyspace.comments WHERE video_id = ? AND bucket = 0 AND seq = ?",
    "comment_changes": "DELETE FROM $keyspace.comment_changes WHERE video_id = ? AND bucket = 0 AND seq = ?",
    "comment_heads": "DELETE FROM $keyspace.comment_heads WHERE video_id = ?",
    "totals": "DELETE FROM $keyspace.totals WHERE video_id = ?",
    "polls": "DELETE FROM $keyspace.polls WHERE video_id = ?",
}
SAY = "UPDATE $keyspace.comments SET text = ? WHERE video_id = ? AND bucket = 0 AND seq = ?"


async def delete_rows(broadcast: SmallBroadcast, *rows: tuple[str, *tuple[str | int, ...]]) -> None:
    """Rows by table and what is after the video's id in their key."""
    async with session(broadcast.settings) as cassandra:
        for table, *key in rows:
            await cassandra.rows(ROWS[table], (broadcast.video_id, *key))


async def change_comment(broadcast: SmallBroadcast, seq: int, text: str) -> None:
    """Somebody writes into a row by hand."""
    async with session(broadcast.settings) as cassandra:
        await cassandra.rows(SAY, (text, broadcast.video_id, seq))


def lose_hot(broadcast: SmallBroadcast) -> None:
    """The disk of the hot store is new."""
    shutil.rmtree(broadcast.settings.segments_path / broadcast.video_id)


def lose_recording(broadcast: SmallBroadcast, *renditions: str) -> None:
    """Directories of the recording are gone."""
    for rendition in renditions:
        shutil.rmtree(broadcast.settings.data_dir / "recordings" / broadcast.video_id / rendition)


def objects(broadcast: SmallBroadcast) -> dict[str, bytes]:
    """All of the recording."""
    root = broadcast.settings.data_dir / "recordings"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted((root / broadcast.video_id).rglob("*"))
        if path.is_file()
    }


def spoil_object(broadcast: SmallBroadcast, rendition: str, number: int, data: bytes) -> None:
    """An object has other bytes."""
    name = segment_name(broadcast.video_id, rendition, number)
    (broadcast.settings.data_dir / "recordings" / name).write_bytes(data)


def lose_object(broadcast: SmallBroadcast, rendition: str, number: int) -> None:
    """An object is gone."""
    (broadcast.settings.data_dir / "recordings" / segment_name(broadcast.video_id, rendition, number)).unlink()


def age_log(broadcast: SmallBroadcast, *topics: Topic) -> None:
    """The log keeps nothing of some topics any more."""
    settings = broadcast.settings
    admin = AdminClient(client_config(settings, "test"))
    ends = [
        TopicPartition(settings.topic(topic.name), n, -1) for topic in topics for n in range(_count(topic, broadcast))
    ]
    for deleted in admin.delete_records(ends).values():
        deleted.result(30)


def _count(topic: Topic, broadcast: SmallBroadcast) -> int:
    return 1 if topic.partitions == 1 else broadcast.settings.partitions


async def tell(broadcast: SmallBroadcast, topic: Topic, events: Sequence[Event]) -> None:
    """Put events on the log."""
    async with EventProducer(broadcast.settings, "test") as producer:
        for event in events:
            await producer.deliver(topic, broadcast.video_id, event)
