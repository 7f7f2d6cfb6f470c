"""Fold of `videos.settings` and `media.renditions`: the videos that were removed and are not wholly forgotten."""

from collections import defaultdict
from collections.abc import Iterator

from schemas.events import Event, RenditionChanged, VideoForgotten, VideoRemoved
from stores.log_reader import Place


class RemovedVideos:
    """The newest word of each; and the renditions that were asked for of any video."""

    def __init__(self) -> None:
        self._videos: dict[str, VideoRemoved | VideoForgotten] = {}
        self._renditions: defaultdict[str, set[str]] = defaultdict(set)

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Fold one event."""
        if isinstance(event, VideoRemoved | VideoForgotten):
            self._videos[event.video_id] = event
        elif isinstance(event, RenditionChanged):
            self._renditions[event.video_id].add(event.rendition)

    def gone(self, key: str, _place: Place | None = None) -> None:
        """Fold a deleted key: of a video, or of a rendition."""
        video_id, _, rendition = key.partition("/")
        if not rendition:
            self._videos.pop(video_id, None)
        elif video_id in self._renditions:
            self._renditions[video_id].discard(rendition)
            if not self._renditions[video_id]:
                del self._renditions[video_id]

    def renditions(self, video_id: str) -> frozenset[str]:
        """The renditions of a video that were asked for, ready or not."""
        return frozenset(self._renditions.get(video_id, ()))

    def __iter__(self) -> Iterator[VideoRemoved | VideoForgotten]:
        return iter(list(self._videos.values()))
