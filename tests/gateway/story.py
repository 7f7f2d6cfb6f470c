"""A broadcast as the gateway folds it, with what can happen to one: every playlist that it served, in order."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gateway.playlists import window_of
from gateway.rendition_fold import Limits
from gateway.variants import variants_of
from gateway.video_fold import VideoFold
from media.hls import Skip, media_playlist
from media.hls_iframes import iframe_playlist
from media.hls_multivariant import multivariant_playlist
from schemas.events import PartReady, VideoState
from tests.gateway.tape import START_MS, VIDEO, Media, Tape, planned, video

SEGMENTS = 60
PART_MS = 190
PART_TARGET_MS = 200
LOST = ("480p", 20, 2)
"""A part that never comes."""

LOST_WHOLE = ("480p", 40)
"""A segment that a worker gave up."""

EPOCHS = frozenset({10, 30})
RENDITIONS = ("source", "480p", "audio")


@dataclass
class Story:
    """The playlists of each rendition, oldest first; delta updates beside the full ones at the same moments.

    Attributes:
        full: by rendition.
        delta: with `_HLS_skip=YES`, by rendition.
        delta_of_dates: with `_HLS_skip=v2`, by rendition.
        iframes: of the source.
        multivariant: the last one.
        ended: by rendition, after the end.
        vod: by rendition, as a video on demand.
    """

    full: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in RENDITIONS})
    delta: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in RENDITIONS})
    delta_of_dates: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in RENDITIONS})
    iframes: list[str] = field(default_factory=list)
    multivariant: str = ""
    ended: dict[str, str] = field(default_factory=dict)
    vod: dict[str, str] = field(default_factory=dict)


def told() -> Story:
    """The whole story: three renditions, two returns of the publisher, a lost part, breaks, and the end."""
    fold, story = VideoFold(VIDEO, Limits(window_ms=30_000, max_segments=1_000)), Story()
    fold.state(video(audio=True))
    fold.planned(planned(4, 4 * 4 * PART_MS, duration_ms=2_000, break_id="a" * 20))
    fold.planned(planned(40, 40 * 4 * PART_MS, duration_ms=3_000, break_id="b" * 20))
    for event in _events():
        if isinstance(event, PartReady):
            fold.part(event)
        else:
            fold.closed(event)
        for name in sorted(fold.changed):
            _show(story, fold, name)
        fold.changed.clear()
    variants = variants_of(fold, {})
    story.multivariant = multivariant_playlist(variants.videos, variants.audio)
    fold.state(video(VideoState.ENDED, audio=True, last_segment=SEGMENTS - 1, ended_ms=START_MS + 60_000))
    for name in RENDITIONS:
        window = window_of(fold, fold.renditions[name])
        story.ended[name] = media_playlist(window)
        story.vod[name] = media_playlist(replace(window, vod=True))
    return story


def _show(story: Story, fold: VideoFold, name: str) -> None:
    window = window_of(fold, fold.renditions[name])
    if not window.segments:
        return
    story.full[name].append(media_playlist(window))
    story.delta[name].append(media_playlist(window, skip=Skip.SEGMENTS))
    story.delta_of_dates[name].append(media_playlist(window, skip=Skip.SEGMENTS_AND_DATE_RANGES))
    if name == "source":
        story.iframes.append(iframe_playlist(window))


def _events() -> Iterator[Media]:
    tapes = [Tape([4] * SEGMENTS, name, epochs=EPOCHS, part_ms=PART_MS) for name in RENDITIONS]
    for number in range(SEGMENTS):
        for part in range(4):
            for tape in tapes:
                if (tape.rendition, number, part) != LOST and (tape.rendition, number) != LOST_WHOLE:
                    size = 300 + number if part == 0 and tape.rendition != "audio" else 0
                    made = replace(tape.part(number, part), part_target_ms=PART_TARGET_MS, keyframe_size=size)
                    yield replace(made, gop=number)
        for tape in tapes:
            yield tape.closed(number, parts=0 if (tape.rendition, number) == LOST_WHOLE else None)
