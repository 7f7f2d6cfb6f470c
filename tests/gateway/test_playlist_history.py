"""Whatever order, repeats and losses the log has: the playlists that a gateway serves are valid and never go back."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.playlists import window_of
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.hls import Skip, media_playlist
from media.hls_iframes import iframe_playlist
from schemas.events import PartReady, VideoState
from tests.gateway.playlist_reader import ReadPlaylist, check_update, read
from tests.gateway.tape import START_MS, VIDEO, Media, Tape, video
from tests.gateway.test_rendition_fold import UNSHRUNK, apply, interleaved

NAMES = ("source", "480p", "audio")


class Viewer:
    """Follows one rendition by delta updates and by full playlists, and compares."""

    def __init__(self) -> None:
        self.seen: ReadPlaylist | None = None

    def look(self, fold: VideoFold, name: str) -> None:
        """Load both now."""
        window = window_of(fold, fold.renditions[name])
        if not window.segments:
            assert self.seen is None, "a playlist that was there is empty"
            return
        full, delta = read(media_playlist(window)), read(media_playlist(window, skip=Skip.SEGMENTS_AND_DATE_RANGES))
        if self.seen is not None:
            check_update(self.seen, full)
            assert full.segments[0].epoch >= self.seen.segments[0].epoch, "the discontinuity sequence goes back"
        assert [s.number for s in delta.segments] == [s.number for s in full.segments[delta.skipped :]]
        assert [s.parts for s in delta.segments] == [s.parts for s in full.segments[delta.skipped :]]
        read(iframe_playlist(window))
        self.seen = full


def sized(event: Media, size: tuple[int, int]) -> Media:
    if not isinstance(event, PartReady) or event.info is None:
        return event
    return replace(event, info=replace(event.info, width=size[0], height=size[1]))


def log(chance: random.Random, repeats: int, losses: int) -> list[Media]:
    """A broadcast of 60 segments as it may stand on the log."""
    counts = [chance.randint(1, 5) for _ in range(60)]
    epochs = frozenset(chance.sample(range(1, 60), 3))
    tapes = [Tape(counts, name, epochs=epochs) for name in NAMES]
    events = interleaved(chance, tapes, reach=3)
    for _ in range(losses):
        del events[chance.randrange(len(events))]
    for _ in range(repeats):
        at = chance.randrange(len(events))
        events.insert(chance.randint(at, len(events)), events[at])
    return events


@settings(max_examples=15, deadline=None, phases=UNSHRUNK)
@given(seed=st.integers(0, 2**32), repeats=st.integers(0, 60), losses=st.integers(0, 30), window_s=st.integers(1, 60))
def test_playlists_are_always_valid_and_never_go_back(seed: int, repeats: int, losses: int, window_s: int) -> None:
    chance = random.Random(seed)
    fold = VideoFold(VIDEO, Limits(window_ms=window_s * 1_000, max_segments=1_000))
    fold.state(video(audio=True))
    viewers = {name: Viewer() for name in NAMES}
    for event in log(chance, repeats, losses):
        apply(fold, event)
        for name in fold.changed & {event.rendition}:
            viewers[name].look(fold, name)
        fold.changed.clear()
    fold.state(video(VideoState.ENDED, audio=True, last_segment=59, ended_ms=START_MS + 60_000))
    fold.end()
    for name, viewer in viewers.items():
        viewer.look(fold, name)
        assert viewer.seen is not None
        assert viewer.seen.ended
        numbers = [segment.number for segment in viewer.seen.segments]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[-1] >= 56, "what is left of the end is there"


@settings(max_examples=8, deadline=None, phases=UNSHRUNK)
@given(seed=st.integers(0, 2**32), losses=st.integers(0, 4), window_s=st.integers(8, 60))
def test_a_rung_that_a_larger_source_brings_has_playlists_that_start_with_the_source_s_and_never_go_back(
    seed: int, losses: int, window_s: int
) -> None:
    chance = random.Random(seed)
    grows = chance.randint(1, 12)
    counts = [chance.randint(2, 5) for _ in range(30)]
    tapes = [Tape(counts, name, epochs=frozenset({grows, 22})) for name in ("source", "200p")]
    events = [e for e in interleaved(chance, tapes, reach=3) if e.rendition != "200p" or e.segment >= grows]
    for _ in range(losses):
        del events[chance.randrange(len(events))]
    fold, viewer = VideoFold(VIDEO, Limits(window_ms=window_s * 1_000, max_segments=1_000)), Viewer()
    fold.state(video())
    for event in events:
        apply(fold, sized(event, (320, 180) if event.segment < grows else (640, 360)))
        rung = fold.renditions.get("200p")
        if rung is None or not rung.segments or event.rendition != "200p":
            continue
        viewer.look(fold, "200p")
        if rung.brought_at == rung.segments[0].number:
            segments = window_of(fold, rung).segments
            assert segments[0].number == min(fold.renditions["source"].segments[0].number, rung.brought_at)
            assert all(segment.gap or segment.borrowed_from for segment in segments if segment.number < grows)
    assert viewer.seen is not None
    assert losses or fold.renditions["200p"].brought_at == grows


def test_parts_of_a_playlist_are_the_parts_of_the_log() -> None:
    tape = Tape([3] * 5)
    fold = VideoFold(VIDEO, Limits(window_ms=600_000, max_segments=100))
    for event in tape.events():
        apply(fold, event)
    listed = [part.dts for segment in fold.renditions["source"].segments for part in segment.parts]
    assert listed == [event.dts for event in tape.events() if isinstance(event, PartReady)]
