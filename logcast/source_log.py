"""Looks whether the source of a video is whole on the log: every chunk of each GOP is there, and was made a part."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from consumers.soundness.facts import AUDIO, SOURCE, Logged
from schemas import codec
from schemas.events import GopClosed, MediaChunk, Track, VideoChanged
from schemas.topics import MEDIA_SOURCE
from stores.read_back import read_partition
from stores.settings import Settings

ROLE: Final = "verify"
MARGIN_MS: Final = 60_000


@dataclass(slots=True)
class SourceGop:
    """What the log has of a GOP: by track, the index of each chunk with its segment and part; and its closing marker."""

    chunks: dict[Track, dict[int, tuple[int, int]]] = field(default_factory=dict)
    closed: GopClosed | None = None


def source_gops(settings: Settings, video: VideoChanged) -> dict[int, SourceGop]:
    """The GOPs of a video by number. Blocking; reads everything that `media.source` has from the time of the video on.

    Raises:
        LogError: the log cannot be read.
    """
    mine = f"{video.video_id}/".encode()
    gops: dict[int, SourceGop] = {}
    for partition in range(settings.partitions):
        since_ms = video.started_ms - MARGIN_MS
        for record in read_partition(settings, MEDIA_SOURCE, partition, ROLE, since_ms=since_ms):
            if record.key is None or record.value is None or not record.key.startswith(mine):
                continue
            event = codec.decode(record.value)
            if isinstance(event, MediaChunk):
                gop = gops.setdefault(event.gop, SourceGop())
                gop.chunks.setdefault(event.track, {})[event.index] = event.segment, event.part
            elif isinstance(event, GopClosed):
                gops.setdefault(event.gop, SourceGop()).closed = event
    return gops


def source_gaps(gops: dict[int, SourceGop], logged: Logged) -> Iterator[str]:
    """What is missing, a sentence each. GOPs of which the log has nothing any more are passed over, open ones too. Pure."""
    for number, gop in sorted(gops.items()):
        if gop.closed is None or not gop.chunks:
            continue
        counts = {Track.VIDEO: gop.closed.video_chunks, Track.AUDIO: gop.closed.audio_chunks}
        for track, chunks in sorted(gop.chunks.items()):
            due = max(counts[track], max(chunks) + 1)
            lacking = [str(index) for index in range(due) if index not in chunks]
            if lacking:
                yield f"GOP {number}: the log lacks {track.value} chunks {', '.join(lacking)}"
            untold = sorted(set(chunks.values()) - set(_told(logged, track)))
            for segment, part in untold:
                yield f"GOP {number}: {track.value} chunk of segment {segment}, part {part} was never made a part"


def _told(logged: Logged, track: Track) -> Iterator[tuple[int, int]]:
    name = SOURCE if track is Track.VIDEO else AUDIO
    for (rendition, number), segment in logged.segments.items():
        if rendition == name:
            yield from ((number, part) for part in segment.parts)
