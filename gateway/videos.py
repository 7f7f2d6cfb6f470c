"""Fold of `videos`: every video's latest state, and the current video of every channel."""

from collections.abc import Iterator
from typing import Final

from schemas.events import Event, VideoChanged
from stores.log_reader import Place

MAX_VIDEOS: Final = 50_000
"""Videos kept by id (some 1 KiB each); beyond, the oldest that is no channel's current one is let go."""


class VideoDirectory:
    """The videos that the log tells of. Video ids sort by time, so the greatest of a channel is its current one.

    Attributes:
        complete: none was let go: a video that is not here does not exist.
    """

    def __init__(self, max_videos: int = MAX_VIDEOS) -> None:
        self._by_id: dict[str, VideoChanged] = {}
        self._current: dict[str, str] = {}
        self._max_videos = max_videos
        self.complete = True

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Fold one event; others than `VideoChanged` are passed over."""
        if not isinstance(event, VideoChanged):
            return
        self._by_id[event.video_id] = event
        if event.video_id >= self._current.get(event.channel, ""):
            self._current[event.channel] = event.video_id
        if len(self._by_id) > self._max_videos:
            self._drop_oldest()

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
            self.complete = False
