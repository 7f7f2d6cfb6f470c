"""Clears Cassandra of a video that was removed: every row that is kept only for it.

Whole partitions are deleted, with a write time that is later than that of every row (`FORGOTTEN`): a record that is written
late, or once more after a crash, stays below it for as long as Cassandra keeps the deletion (gc_grace_seconds, ten days).
Which partitions there are follows from the video's own rows, and those that lead to others go after them: a clearing that was
cut off goes on where it was. Clearing again deletes what is there then, mostly nothing.

What moderators did stays, as it is kept by channel.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from stores import captions, comments, reaction_bursts, segment_index
from stores.cassandra import Cassandra, Row, Write

FORGOTTEN: Final = 4 * 10**18
"""Later than what owners chose (10^18 and microseconds), and than a removed text (2·10^18 and a number)."""
SLACK_MS: Final = 600_000
"""Clocks of cameras, gateways and the ingest differ, and the last moment lies after the end."""
DAY_MS: Final = 86_400_000
MAX_DAYS: Final = 4_000
"""In which somebody may have liked a video; of one that is older only the last ones are looked at."""

BY_VIDEO: Final = (
    *("totals", "totals_by_minute", "breaks", "polls", "viewers", "viewers_by_minute", "comment_pins"),
    *("caption_files", "renditions", "comment_heads", "videos"),
)
"""Tables whose partition is the video; the last four lead to others."""
LEADING: Final = frozenset({"caption_files", "renditions", "comment_heads", "videos"})
SHARDED: Final = ("likes", "comment_totals", "comment_ids", "votes")
NAMED: Final = ("source", "audio")
"""Renditions that every video may have."""

_VIDEO: Final = (
    "SELECT channel, started_ms, ended_ms, last_segment, segment_max_ms FROM $keyspace.videos WHERE video_id = ?"
)
_RENDITIONS: Final = "SELECT rendition FROM $keyspace.renditions WHERE video_id = ?"
_LANGUAGES: Final = "SELECT language FROM $keyspace.caption_files WHERE video_id = ?"
_HEAD: Final = "SELECT seq FROM $keyspace.comment_heads WHERE video_id = ?"
_COMMENTS: Final = (
    "SELECT seq, user_id, root_id, submitted_ms, media_ms FROM $keyspace.comments WHERE video_id = ? AND bucket = ?"
)
IN_CHANNEL: Final = "DELETE FROM $keyspace.videos_by_channel USING TIMESTAMP ? WHERE channel = ? AND video_id = ?"

Partition = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """A video to be cleared, as the log tells of it: its rows may not be there, or not all.

    Attributes:
        video_id: of the video.
        channel: its channel.
        started_ms: wall clock of its start, as its id has it.
        now_ms: wall clock.
        renditions: of which the log tells, besides those in the index.
    """

    video_id: str
    channel: str
    started_ms: int
    now_ms: int
    renditions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was found of a video: names of its renditions, and languages of its caption files."""

    renditions: frozenset[str]
    languages: frozenset[str]


async def clear_video(cassandra: Cassandra, gone: Gone) -> Cleared:
    """Delete all rows of a video.

    Raises:
        CassandraError: some rows are gone; again deletes the rest.
    """
    video = next(iter(await cassandra.rows(_VIDEO, (gone.video_id,))), None)
    renditions = gone.renditions | {row.rendition for row in await cassandra.rows(_RENDITIONS, (gone.video_id,))}
    languages = frozenset(row.language for row in await cassandra.rows(_LANGUAGES, (gone.video_id,)))
    extent = _extent(video, gone)
    await _clear_comments(cassandra, gone.video_id)
    media = _media(gone.video_id, renditions | set(NAMED), languages, extent.last_segment)
    await cassandra.write([*media, *_counted(gone, extent)])
    await cassandra.write([_delete(table, ("video_id",), (gone.video_id,)) for table in BY_VIDEO if table in LEADING])
    listed = Write(IN_CHANNEL, (FORGOTTEN, gone.channel, gone.video_id), ("videos_by_channel", gone.channel))
    await cassandra.write([listed])
    return Cleared(renditions, languages)


@dataclass(frozen=True, slots=True)
class _Extent:
    """How far a video reaches: its last segment, and wall clocks of its pictures."""

    last_segment: int
    start_ms: int
    end_ms: int


def _extent(video: Row | None, gone: Gone) -> _Extent:
    """From its row, if it is there: else what follows from its id, for it was cleared before."""
    if video is None or video.started_ms is None:
        return _Extent(0, gone.started_ms - SLACK_MS, gone.started_ms + SLACK_MS)
    last = max(0, video.last_segment or 0)
    end_ms = max(video.ended_ms or 0, video.started_ms + (last + 1) * (video.segment_max_ms or 0))
    return _Extent(last, video.started_ms - SLACK_MS, end_ms + SLACK_MS)


async def _clear_comments(cassandra: Cassandra, video_id: str) -> None:
    """Bucket after bucket: first the ways to its comments, then the comments, which tell of the ways."""
    head = next(iter(await cassandra.rows(_HEAD, (video_id,))), None)
    for bucket in range(((head.seq if head is not None else None) or 0) // comments.BUCKET + 1):
        ways: set[tuple[str, Partition]] = set()
        async for row in cassandra.every_row(_COMMENTS, (video_id, bucket)):
            if row.submitted_ms is not None:  # else changes came before their comment, and it never came
                ways.update(_ways(video_id, row.seq, row.user_id, row.root_id, row.submitted_ms, row.media_ms))
        await cassandra.write([_delete(table, _KEYS[table], partition) for table, partition in sorted(ways, key=str)])
        of_bucket = (video_id, bucket)
        changes = _delete("comment_changes", ("video_id", "bucket"), of_bucket)
        await cassandra.write([changes, _delete("comments", ("video_id", "bucket"), of_bucket)])


_KEYS: Final = {
    "comments_by_author": ("video_id", "user_id", "bucket"),
    "comments_by_clock": ("video_id", "clock", "bucket"),
    "replies": ("video_id", "root_id", "bucket"),
}


def _ways(
    video_id: str, seq: int, user_id: str, root_id: str | None, submitted_ms: int, media_ms: int | None
) -> Iterator[tuple[str, Partition]]:
    """The partitions that lead to a comment, as `stores.comment_writes` writes them."""
    index = seq // comments.INDEX_BUCKET
    yield "comments_by_author", (video_id, user_id, index)
    for clock, at_ms in (
        (comments.Clock.WRITTEN, submitted_ms),
        (comments.Clock.MEDIA, submitted_ms if media_ms is None else media_ms),
    ):
        yield "comments_by_clock", (video_id, clock.value, at_ms // comments.CLOCK_BUCKET_MS)
    if root_id is not None:
        yield "replies", (video_id, root_id, index)


def _media(video_id: str, renditions: Iterable[str], languages: Iterable[str], last_segment: int) -> Iterator[Write]:
    for rendition in sorted(renditions):
        for bucket in range(last_segment // segment_index.BUCKET + 1):
            yield _delete("segments", ("video_id", "rendition", "bucket"), (video_id, rendition, bucket))
    for bucket in range(last_segment // captions.BUCKET + 1):
        yield _delete("captions", ("video_id", "bucket"), (video_id, bucket))
    for language in sorted(languages):
        yield _delete("caption_texts", ("video_id", "language"), (video_id, language))


def _counted(gone: Gone, extent: _Extent) -> Iterator[Write]:
    """What is counted of a video: by table, by shard, by day in which somebody may have liked it, by ten minutes of it."""
    video_id = gone.video_id
    yield from (_delete(table, ("video_id",), (video_id,)) for table in BY_VIDEO if table not in LEADING)
    for table in SHARDED:
        for shard in range(comments.SHARDS):
            yield _delete(table, ("video_id", "shard"), (video_id, shard))
    last = (gone.now_ms + SLACK_MS) // DAY_MS
    for day in range(max(0, extent.start_ms // DAY_MS, last - MAX_DAYS), last + 1):
        yield _delete("totals_by_moment", ("video_id", "bucket"), (video_id, day))
    place_ms = reaction_bursts.PLACES * reaction_bursts.MOMENT_MS
    for place in range(max(0, extent.start_ms // place_ms), extent.end_ms // place_ms + 1):
        yield _delete("reactions_by_position", ("video_id", "bucket"), (video_id, place))


def _delete(table: str, columns: tuple[str, ...], partition: Partition) -> Write:
    where = " AND ".join(f"{column} = ?" for column in columns)
    cql = f"DELETE FROM $keyspace.{table} USING TIMESTAMP ? WHERE {where}"  # noqa: S608  (constants only)
    return Write(cql, (FORGOTTEN, *partition), (table, *partition))
