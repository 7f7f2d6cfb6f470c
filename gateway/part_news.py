"""Tells the feed of parts as the playlists get them, so that a player on the feed need not ask for playlists."""

from typing import Any, Final

from gateway.broadcasts import Broadcasts
from gateway.rooms import Rooms
from gateway.video_fold import VideoFold
from gateway.videos import VideoDirectory
from media.hls import Part
from schemas.events import Event, PartReady, SegmentClosed, Visibility
from stores.log_reader import Place

MAX_TOLD: Final = 10_000

Rendition = tuple[str, str]
"""Video, name."""


class PartNews:
    """Feed it `media.parts` after `Broadcasts` had it, and call `folded` after each batch.

    Args:
        broadcasts: the playlists; what they list is told, in their order, once.
        videos: of which channel a video is.
        rooms: who wants to hear it.
    """

    def __init__(self, broadcasts: Broadcasts, videos: VideoDirectory, rooms: Rooms) -> None:
        self._broadcasts = broadcasts
        self._videos = videos
        self._rooms = rooms
        self._changed: set[Rendition] = set()
        self._told: dict[Rendition, tuple[int, int]] = {}

    def media(self, event: Event, _place: Place | None = None) -> None:
        """Note what changes."""
        if isinstance(event, PartReady | SegmentClosed):
            self._changed.add((event.video_id, event.rendition))

    def folded(self) -> None:
        """Tell what has come to the playlists since."""
        for video_id, name in self._changed:
            fold = self._broadcasts.get(video_id)
            if fold is not None and name in fold.renditions:
                self._tell(fold, name)
        self._changed.clear()
        while len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]

    def _tell(self, fold: VideoFold, name: str) -> None:
        rendition = fold.renditions[name]
        told = self._told.get((fold.video_id, name))
        self._told[fold.video_id, name] = rendition.following
        video = self._videos.get(fold.video_id)
        if told is None or video is None or name not in self._rooms.wanted(video.channel):
            return
        current = self._videos.of_channel(video.channel)
        for segment in rendition.segments:
            for index, part in enumerate(segment.parts) if segment.number >= told[0] else ():
                if (segment.number, index) >= told:
                    self._rooms.send(
                        video.channel,
                        part_message(fold.video_id, name, segment.number, index, part),
                        fold.video_id,
                        current=current is not None and current.video_id == fold.video_id,
                        private=video.visibility is Visibility.PRIVATE,
                        rendition=name,
                    )


def part_message(video_id: str, rendition: str, segment: int, index: int, part: Part) -> dict[str, Any]:
    """A part of a playlist; its address is `/v1/videos/VIDEO/RENDITION/NAME`."""
    return {
        "type": "part",
        "video": video_id,
        "rendition": rendition,
        "segment": segment,
        "part": index,
        "name": part.uri,
        "duration_ms": round(part.duration_s * 1000, 3),
        "independent": part.independent,
        "size": part.size,
    }
