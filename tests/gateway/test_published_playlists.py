"""From a publisher's frames to the playlist: whatever frames do, parts keep to the rules (clause 4.4.4.9 and its neighbours)."""

import itertools
import random
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.playlists import window_of
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.hls import media_playlist
from media.packager import Chunk, PackagerSettings, SegmentEnded
from processors.parts import passed_on
from producers.broadcast import media_chunk
from schemas.events import SegmentClosed
from stores.segments import init_name
from tests.gateway.playlist_reader import ReadPlaylist, read
from tests.gateway.tape import VIDEO, video
from tests.media.test_packager import Feed

NAMES = {"video": "source", "audio": "audio"}


def published(feed: Feed) -> Iterator[tuple[str, ReadPlaylist]]:
    """Every playlist that a gateway shows while a publisher's outputs come, with the rendition's name."""
    fold = VideoFold(VIDEO, Limits(window_ms=600_000, max_segments=1_000))
    fold.state(video(audio=True, segment_max_ms=10_000))
    inits: dict[str, str] = {}
    for out in feed.outputs:
        if isinstance(out, Chunk):
            name = NAMES[out.track]
            if out.init is not None:
                inits[name] = init_name(VIDEO, name, out.init)
            fold.part(passed_on(media_chunk(VIDEO, "ann", out, 0), inits[name]))
        elif isinstance(out, SegmentEnded) and out.parts:
            name = NAMES[out.track]
            place = {"rendition": name, "gop": out.gop, "segment": out.segment, "parts": out.parts}
            fold.closed(SegmentClosed(video_id=VIDEO, channel="ann", **place))  # type: ignore[arg-type]
        else:
            continue
        rendition = fold.renditions[name]
        if rendition.segments:
            yield name, read(media_playlist(window_of(fold, rendition)))


def assert_rules(feed: Feed) -> None:
    """Parts between 85 and 100 % of a target that stays, dates that add up; for every playlist on the way."""
    targets: dict[str, set[float]] = {}
    last: dict[str, ReadPlaylist] = {}
    for name, playlist in published(feed.finish()):
        targets.setdefault(name, set()).add(playlist.part_target)
        last[name] = playlist
        for segment in playlist.segments:
            lengths = [lasts for _, lasts, _, _ in segment.parts]
            assert all(lasts <= playlist.part_target + 1e-6 for lasts in lengths), (name, segment.number, lengths)
            least = 0.85 * playlist.part_target - 1e-6
            kept = zip(segment.parts[:-1], lengths[:-1], strict=True)
            assert all(part[2] or lasts >= least for part, lasts in kept), (name, segment.number, lengths)
    assert {name: len(found) for name, found in targets.items()} == dict.fromkeys(targets, 1), targets
    for playlist in last.values():
        for before, after in itertools.pairwise(playlist.segments):
            if before.epoch == after.epoch:
                step = datetime.fromisoformat(after.date) - datetime.fromisoformat(before.date)
                assert step.total_seconds() == pytest.approx(before.duration, abs=0.003)


@pytest.mark.parametrize("frame_ms", [16.67, 20, 33.33, 40, 41.7, 66.7, 100])
def test_parts_of_any_usual_rate_keep_to_a_target_that_stays(frame_ms: float) -> None:
    feed = Feed(PackagerSettings(part_target_ms=200))
    feed.configure()
    for n in range(int(8_000 / frame_ms)):
        feed.video(round(n * frame_ms), n, idr=n % round(2_000 / frame_ms) == 0)
        feed.audio(round(n * frame_ms), n)
    assert_rules(feed)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), jitter_ms=st.integers(0, 30), drops=st.integers(0, 20), wanted=st.integers(100, 500))
def test_frames_that_come_late_or_not_at_all_break_no_rule_of_parts(
    seed: int, jitter_ms: int, drops: int, wanted: int
) -> None:
    chance = random.Random(seed)
    feed = Feed(PackagerSettings(part_target_ms=wanted))
    feed.configure(audio=None)
    dropped = {chance.randrange(1, 300) for _ in range(drops)}
    at = -1
    for n in range(300):
        at = max(at + 1, n * 33 + chance.randint(0, jitter_ms))
        if n % 60 == 0 or n not in dropped:
            feed.video(at, n, idr=n % 60 == 0)
    assert_rules(feed)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), longest_ms=st.integers(200, 1_500))
def test_a_picture_that_lingers_makes_no_part_longer_than_the_target(seed: int, longest_ms: int) -> None:
    chance = random.Random(seed)
    lingering = {40 + 12 * place + chance.randrange(4) for place in range(16) if chance.random() < 0.5}
    feed = Feed(PackagerSettings(part_target_ms=200))
    feed.configure(audio=None)
    at = 0
    for n in range(240):
        feed.video(at, n, idr=n % 60 == 0)
        at += longest_ms if n in lingering else 33
    assert_rules(feed)
