"""What the log says of the videos that have not ended: how far they are, and what is due for them. A pure fold.

Any number of ingests hold the same index. What they conclude from it is idempotent: two that find the same video due
write the same state twice.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final

from media.packaged import StartPosition
from schemas.events import Event, GopClosed, GopOpened, Origin, VideoChanged, VideoState

SILENCE_MARGIN_MS: Final = 10_000
"""A live video whose ingest said nothing for its longest segment plus this has lost its publisher."""

IMPORT_MS: Final = 12 * 3_600_000
"""An import that has not said for so long that it is over was killed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a video is.

    Attributes:
        video: its last state.
        gop, segment, epoch: the highest numbers in use; -1 before the first.
        media_time_ms, captured_ms: media time and wall clock of the start of that segment.
        ladder_below: above every rung of the ladder that was made.
    """

    video: VideoChanged
    gop: int = -1
    segment: int = -1
    epoch: int = -1
    media_time_ms: int = 0
    captured_ms: int = 0
    ladder_below: int = 0

    @property
    def last_sign_ms(self) -> int:
        """Wall clock of the last sign of life."""
        return max(self.video.changed_ms, self.captured_ms)


class VideoIndex:
    """Standings by video id; ended videos leave it."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._ends: dict[str, StartPosition] = {}
        self._early: dict[str, GopOpened] = {}  # two topics have no order: a GOP may be read before its video

    def apply(self, event: Event) -> None:
        """Take an event of `videos` or `media.gops`; older numbers than known ones change nothing."""
        if isinstance(event, VideoChanged):
            self._apply_video(event)
        elif isinstance(event, GopOpened):
            self._apply_gop(event)

    def _apply_video(self, event: VideoChanged) -> None:
        if event.state is VideoState.ENDED:
            self._standings.pop(event.video_id, None)
            self._early.pop(event.video_id, None)
            self._ends.pop(event.video_id, None)
            return
        known = self._standings.get(event.video_id)
        self._standings[event.video_id] = Standing(event) if known is None else dataclasses.replace(known, video=event)
        early = self._early.pop(event.video_id, None)
        if early is not None:
            self._apply_gop(early)

    def _apply_gop(self, event: GopOpened) -> None:
        known = self._standings.get(event.video_id)
        if known is None:
            early = self._early.get(event.video_id, event)
            self._early[event.video_id] = max(early, event, key=lambda gop: gop.segment)
        elif event.segment >= known.segment:
            self._standings[event.video_id] = Standing(
                known.video,
                event.gop,
                event.segment,
                event.epoch,
                event.media_time_ms,
                event.captured_ms,
                max(known.ladder_below, event.ladder_below),
            )

    def forget_unknown(self) -> None:
        """Drop the GOPs of videos that are not in the index; call when both topics have been read to their ends."""
        self._early.clear()

    def left(self, video_id: str, end: StartPosition) -> None:
        """A publisher of ours left the video there; known to this ingest alone."""
        self._ends[video_id] = end

    def end_of(self, standing: Standing) -> StartPosition | None:
        """Where a video was left, if its last publisher was ours."""
        end = self._ends.get(standing.video.video_id)
        return end if end and (end.gop, end.segment) == (standing.gop + 1, standing.segment + 1) else None

    def standing(self, video_id: str) -> Standing | None:
        """How far a video is; None when it has ended or never was."""
        return self._standings.get(video_id)

    def open_video(self, channel: str) -> Standing | None:
        """The newest broadcast of a channel that has not ended."""
        of_channel = [
            s for s in self._standings.values() if s.video.channel == channel and s.video.origin is Origin.LIVE
        ]
        return max(of_channel, key=lambda s: s.video.video_id, default=None)

    def due(self, now_ms: int, grace_ms: int, here: frozenset[str]) -> list[VideoChanged]:
        """The changes that time brings: interrupted after silence, ended after the grace time.

        Args:
            now_ms: wall clock.
            grace_ms: how long a publisher may stay away.
            here: ids of the videos whose publisher is connected to this ingest; they are never due.
        """
        changes = []
        for standing in self._standings.values():
            video = standing.video
            if video.video_id in here or _is_imported(video, now_ms):
                continue
            if video.state is VideoState.LIVE:
                if now_ms - standing.last_sign_ms > video.segment_max_ms + SILENCE_MARGIN_MS:
                    changes.append(interrupted(video, now_ms))
            elif now_ms - video.changed_ms > grace_ms:
                changes.append(ended(standing, now_ms))
        return changes


def _is_imported(video: VideoChanged, now_ms: int) -> bool:
    """Whether an import, which says by itself when it is over, may still be at work."""
    return video.origin is Origin.IMPORT and now_ms - video.started_ms < IMPORT_MS


def interrupted(video: VideoChanged, now_ms: int) -> VideoChanged:
    """The video after its publisher left."""
    return dataclasses.replace(video, state=VideoState.INTERRUPTED, changed_ms=now_ms)


def ended(standing: Standing, now_ms: int) -> VideoChanged:
    """The video after its end."""
    return dataclasses.replace(
        standing.video,
        state=VideoState.ENDED,
        changed_ms=now_ms,
        ended_ms=standing.last_sign_ms,
        last_segment=standing.segment,
    )


def last_gop_closed(standing: Standing) -> GopClosed:
    """The marker of a GOP that its publisher, or an ingest that was killed, left open; a second one changes nothing."""
    return GopClosed(
        video_id=standing.video.video_id,
        channel=standing.video.channel,
        gop=standing.gop,
        first_segment=standing.segment,
        last_segment=standing.segment,
        video_chunks=-1,
        audio_chunks=-1,
    )
