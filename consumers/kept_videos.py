"""Fold of `videos` and `videos.settings`: what holds for every video, and which were asked to be kept of late."""

from collections.abc import Iterator

from schemas.events import Event, VideoChanged, VideoForgotten, VideoRemoved, VideoSettingsChanged
from schemas.topics import VIDEOS_SETTINGS
from schemas.video_settings import NOT_KEPT, settled
from stores.log_reader import Place


class KeptVideos:
    """Every video that is not removed. `switched_on` fills with those whose owner chose to keep them."""

    def __init__(self) -> None:
        self._videos: dict[str, VideoChanged] = {}
        self._chosen: dict[str, VideoSettingsChanged] = {}
        self._removed: set[str] = set()
        self.switched_on: dict[str, int] = {}
        """By video, wall clock of the newest choice to keep it."""

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Fold one event."""
        if isinstance(event, VideoChanged):
            if event.video_id not in self._removed:
                self._videos[event.video_id] = event
        elif isinstance(event, VideoSettingsChanged):
            self._chosen[event.video_id] = event
            if event.keep_days == NOT_KEPT:
                self.switched_on.pop(event.video_id, None)
            else:
                self.switched_on[event.video_id] = event.changed_ms
        elif isinstance(event, VideoRemoved | VideoForgotten):
            self._removed.add(event.video_id)
            self._videos.pop(event.video_id, None)
            self._chosen.pop(event.video_id, None)
            self.switched_on.pop(event.video_id, None)

    def gone(self, video_id: str, place: Place) -> None:
        """Fold a deleted key: nothing is known of the video any more, or on `videos.settings` not even that it was removed."""
        self._videos.pop(video_id, None)
        self._chosen.pop(video_id, None)
        self.switched_on.pop(video_id, None)
        if place.topic == VIDEOS_SETTINGS.name:
            self._removed.discard(video_id)

    def get(self, video_id: str) -> VideoChanged | None:
        """What holds for a video; None when it is unknown or removed."""
        video = self._videos.get(video_id)
        return None if video is None else settled(video, self._chosen.get(video_id))

    def chosen(self, video_id: str) -> VideoSettingsChanged | None:
        """What its owner chose, if anything."""
        return self._chosen.get(video_id)

    def is_removed(self, video_id: str) -> bool:
        """Whether the video's recording was removed."""
        return video_id in self._removed

    def forget_switches_before(self, changed_ms: int) -> None:
        """Of what was switched on before, nothing is hot that is not archived."""
        for video_id in [v for v, at_ms in self.switched_on.items() if at_ms < changed_ms]:
            del self.switched_on[video_id]

    def __iter__(self) -> Iterator[VideoChanged]:
        """Every video that is not removed, as it holds."""
        found = (self.get(video_id) for video_id in list(self._videos))
        return (video for video in found if video is not None)
