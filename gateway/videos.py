"""Fold of `videos` and `videos.settings`: every video as it holds, and the current video of every channel."""

from collections.abc import Iterator
from typing import Final

from schemas.events import Event, Origin, VideoChanged, VideoForgotten, VideoRemoved, VideoSettingsChanged
from schemas.topics import VIDEOS_SETTINGS
from schemas.video_settings import settled
from stores.log_reader import Place

MAX_VIDEOS: Final = 50_000
"""Videos kept by id (some 1 KiB each); beyond, the oldest that is no channel's current one is let go."""


class VideoDirectory:
    """The videos that the log tells of. Video ids sort by time, so the greatest of a channel is its current one.

    What was imported or cut out is current only where nothing was broadcast.

    Attributes:
        complete: none was let go: a video that is not here does not exist.
    """

    def __init__(self, max_videos: int = MAX_VIDEOS) -> None:
        self._by_id: dict[str, VideoChanged] = {}
        self._current: dict[str, str] = {}
        self._chosen: dict[str, VideoSettingsChanged] = {}
        self._removed: set[str] = set()
        self._max_videos = max_videos
        self.complete = True

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Fold one event; the two topics have no order between them."""
        if isinstance(event, VideoChanged):
            self._said(event)
        elif isinstance(event, VideoSettingsChanged):
            self._chosen[event.video_id] = event
            if event.video_id in self._by_id:
                self._by_id[event.video_id] = settled(self._by_id[event.video_id], event)
        elif isinstance(event, VideoRemoved | VideoForgotten):
            self._removed.add(event.video_id)
            self._let_go(event.video_id, event.channel)

    def gone(self, video_id: str, place: Place) -> None:
        """Fold a deleted key: the video is forgotten, and on `videos.settings` even that it was removed."""
        known = self._by_id.get(video_id)
        self._let_go(video_id, known.channel if known is not None else "")
        if place.topic == VIDEOS_SETTINGS.name:
            self._removed.discard(video_id)

    def choose(self, video: VideoChanged, chosen: VideoSettingsChanged) -> VideoChanged:
        """Take a choice that is on its way through the log; gives the video as it holds."""
        self.apply(chosen)
        return settled(video, chosen)

    def _said(self, event: VideoChanged) -> None:
        if event.video_id in self._removed:
            return
        self._by_id[event.video_id] = settled(event, self._chosen.get(event.video_id))
        current = self._by_id.get(self._current.get(event.channel, ""))
        if current is None or _rank(event) >= _rank(current):
            self._current[event.channel] = event.video_id
        if len(self._by_id) > self._max_videos:
            self._drop_oldest()

    def _let_go(self, video_id: str, channel: str) -> None:
        """Know a video no more; its channel's current one is then the newest of the others."""
        self._chosen.pop(video_id, None)
        self._by_id.pop(video_id, None)
        if self._current.get(channel) == video_id:
            del self._current[channel]
            newest = max(self.all_of(channel), key=_rank, default=None)
            if newest is not None:
                self._current[channel] = newest.video_id

    def is_removed(self, video_id: str) -> bool:
        """Whether a video was removed: then it is nowhere any more."""
        return video_id in self._removed

    def get(self, video_id: str) -> VideoChanged | None:
        """The latest state of a video."""
        return self._by_id.get(video_id)

    def of_channel(self, channel: str) -> VideoChanged | None:
        """The current video of a channel: the newest, live or ended; None when it never had one."""
        video_id = self._current.get(channel)
        return self._by_id.get(video_id) if video_id is not None else None

    def current(self) -> Iterator[VideoChanged]:
        """The current video of every channel that ever had one."""
        return (self._by_id[video_id] for video_id in self._current.values())

    def all_of(self, channel: str) -> list[VideoChanged]:
        """Every video of a channel that is remembered, newest first; looks at all videos."""
        mine = (video for video in self._by_id.values() if video.channel == channel)
        return sorted(mine, key=lambda video: video.video_id, reverse=True)

    def every(self) -> Iterator[VideoChanged]:
        """Every video that is remembered, in no order."""
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def _drop_oldest(self) -> None:
        current = set(self._current.values())
        oldest = min((video_id for video_id in self._by_id if video_id not in current), default=None)
        if oldest is not None:
            del self._by_id[oldest]
            self._chosen.pop(oldest, None)
            self.complete = False


def _rank(video: VideoChanged) -> tuple[bool, str]:
    return video.origin is Origin.LIVE, video.video_id
