"""How far requested renditions are: a fold of `media.renditions`."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from schemas.events import Event, JobState, RenditionChanged
from stores.log_reader import Place

MAX_VIDEOS: Final = 20_000


class RenditionJobs:
    """The jobs of every video; the videos that changed longest ago are let go.

    Args:
        made: called with the id of a video that has a new rendition.
    """

    def __init__(self, made: Callable[[str], None]) -> None:
        self._made = made
        self._videos: OrderedDict[str, dict[str, RenditionChanged]] = OrderedDict()

    def apply(self, event: Event, _place: Place | None = None) -> None:
        """Take a change; an older one that comes again changes nothing."""
        if not isinstance(event, RenditionChanged):
            return
        jobs = self._videos.setdefault(event.video_id, {})
        self._videos.move_to_end(event.video_id)
        known = jobs.get(event.rendition)
        if known is not None and known.finished > event.finished:
            return
        jobs[event.rendition] = event
        if len(self._videos) > MAX_VIDEOS:
            self._videos.popitem(last=False)
        if event.state is JobState.DONE:
            self._made(event.video_id)

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        self._videos.pop(video_id, None)

    def of(self, video_id: str) -> list[RenditionChanged]:
        """The jobs of a video, in the order they were asked for."""
        return sorted(self._videos.get(video_id, {}).values(), key=lambda job: (job.requested_ms, job.rendition))

    def get(self, video_id: str, rendition: str) -> RenditionChanged | None:
        """One job."""
        return self._videos.get(video_id, {}).get(rendition)
