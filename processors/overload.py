"""What a worker does when it cannot transcode as fast as the streams come. Pure."""

from typing import Final

LIVE_MS: Final = 3_000
"""A chunk younger than this when it is read is live: viewers wait for it."""

BEHIND_S: Final = 6.0
"""Transcoding that is further behind skips GOPs: less than the 12 s after which a playlist gives a part up."""


def skip_transcoding(chunk_age_ms: int, lag_s: float) -> bool:
    """Whether a new GOP is left out of the ladder: its source still goes out, its renditions have a gap.

    Only when its chunk is read live (`chunk_age_ms`) while chunks wait for the encoders (`lag_s`). Who reads old chunks
    is catching up or replaying: there nothing is skipped, and reading waits for the encoders.
    """
    return chunk_age_ms < LIVE_MS and lag_s > BEHIND_S
