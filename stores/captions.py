"""Captions in Cassandra: the raw ones of a source by part, and the files that owners gave; how both are written and read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from schemas.events import CaptionKind, CaptionsFound, CaptionsUploaded, PictureCaptions
from stores.cassandra import Cassandra, Row, Write

BUCKET: Final = 200

INSERT_FOUND: Final = (
    "INSERT INTO $keyspace.captions (video_id, bucket, segment, part, channel, gop, epoch, timescale, pictures) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_FILE: Final = (
    "INSERT INTO $keyspace.caption_files (video_id, language, channel, label, kind, bytes, uploaded_ms, uploaded_by) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
INSERT_TEXT: Final = (
    "INSERT INTO $keyspace.caption_texts (video_id, language, text, uploaded_ms) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
)
_FOUND: Final = (
    "SELECT video_id, segment, part, channel, gop, epoch, timescale, pictures FROM $keyspace.captions "
    "WHERE video_id = ? AND bucket = ?"
)
_FILES: Final = (
    "SELECT video_id, language, channel, label, kind, bytes, uploaded_ms, uploaded_by FROM $keyspace.caption_files "
    "WHERE video_id = ?"
)
_TEXT: Final = "SELECT text FROM $keyspace.caption_texts WHERE video_id = ? AND language = ?"


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """A caption file without its text; `size_bytes` 0: it was taken away."""

    video_id: str
    language: str
    label: str
    kind: CaptionKind
    size_bytes: int
    uploaded_ms: int


def caption_writes(event: CaptionsFound | CaptionsUploaded) -> tuple[Write, ...]:
    """What captions of a part, or a file, write."""
    e = event
    if isinstance(e, CaptionsFound):
        bucket = e.segment // BUCKET
        pictures = [(picture.pts, picture.data) for picture in e.pictures]
        place = (e.video_id, bucket, e.segment, e.part)
        values = (*place, e.channel, e.gop, e.epoch, e.timescale, pictures, _first_us(e))
        return (Write(INSERT_FOUND, values, ("captions", e.video_id, bucket)),)
    time_us = e.uploaded_ms * 1_000
    size = len(e.text.encode())
    row = (e.video_id, e.language, e.channel, e.label, e.kind.value, size, e.uploaded_ms, e.uploaded_by, time_us)
    text = (e.video_id, e.language, e.text, e.uploaded_ms, time_us)
    return (
        Write(INSERT_FILE, row, ("caption_files", e.video_id)),
        Write(INSERT_TEXT, text, ("caption_texts", e.video_id, e.language), time_us),
    )


def _first_us(event: CaptionsFound) -> int:
    return event.pictures[0].pts * 1_000_000 // event.timescale if event.pictures else 0


def file_of(event: CaptionsUploaded) -> CaptionFile:
    """A file as the log tells of it."""
    size = len(event.text.encode())
    return CaptionFile(event.video_id, event.language, event.label, event.kind, size, event.uploaded_ms)


class CaptionStore:
    """The captions of all videos. Every method may raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def found(self, video_id: str, first: int, last: int) -> AsyncIterator[CaptionsFound]:
        """What the segments from `first` to `last` of a video carry, in the order of segments and parts."""
        for bucket in range(first // BUCKET, last // BUCKET + 1):
            async for row in self._cassandra.every_row(_FOUND, (video_id, bucket)):
                if first <= row.segment <= last:
                    yield _found(row)

    async def files(self, video_id: str) -> list[CaptionFile]:
        """The files of a video, by language."""
        rows = await self._cassandra.rows(_FILES, (video_id,))
        return [_file(row) for row in rows if row.bytes]

    async def text(self, video_id: str, language: str) -> str | None:
        """The text of a file as WebVTT; None where there is none, empty where it was taken away."""
        rows = await self._cassandra.rows(_TEXT, (video_id, language))
        return str(rows[0].text) if rows else None


def _found(row: Row) -> CaptionsFound:
    pictures = tuple(PictureCaptions(pts=picture.pts, data=picture.data) for picture in row.pictures or ())
    return CaptionsFound(**row._asdict() | {"pictures": pictures})


def _file(row: Row) -> CaptionFile:
    return CaptionFile(row.video_id, row.language, row.label, CaptionKind(row.kind), row.bytes, row.uploaded_ms)
