"""What holds for a video: what its ingest said, and over it what its owner chose. Pure, the same for every reader."""

import dataclasses

from schemas.events import VideoChanged, VideoSettingsChanged

KEPT_FOR_EVER = -1
NOT_KEPT = 0
MAX_KEEP_DAYS = 36_500
DAY_MS = 24 * 3_600_000


def settled(video: VideoChanged, chosen: VideoSettingsChanged | None) -> VideoChanged:
    """The video as its owner wants it kept and shown; a choice wins, whenever the ingest repeats its own."""
    if chosen is None:
        return video
    return dataclasses.replace(
        video,
        title=chosen.title,
        keep_days=chosen.keep_days,
        visibility=chosen.visibility,
        tags=chosen.tags,
        description=chosen.description,
    )


def expires_ms(video: VideoChanged) -> int | None:
    """Wall clock after which the recording of an ended video goes; None: not by time (it is live, or kept for ever)."""
    if video.ended_ms is None or video.keep_days < 0:
        return None
    return video.ended_ms + video.keep_days * DAY_MS
