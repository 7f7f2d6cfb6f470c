"""What publishers send, through packager and fold, into playlists: the rules for Partial Segments (4.4.4.9)."""

import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.playlists import window_of
from gateway.rendition_fold import Limits
from gateway.video_fold import VideoFold
from media.hls import media_playlist
from media.packaged import Chunk, Output, PackagerSettings, SegmentEnded, StartPosition
from media.packager import Packager
from processors.parts import passed_on
from producers.broadcast import media_chunk
from schemas.events import SegmentClosed
from stores.segments import init_name
from tests.gateway.playlist_reader import ReadPlaylist, read
from tests.gateway.tape import START_MS, VIDEO, video
from tests.media.test_packager import ASC, AVCC, picture

PART_TARGET_MS = 200
RATES = ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"]


def playlists(outputs: list[Output]) -> Iterator[tuple[str, ReadPlaylist]]:
    """The playlist of the rendition that changed, after each output."""
    fold = VideoFold(VIDEO, Limits(600_000, 1_000))
    fold.state(dataclasses.replace(video(audio=True, segment_max_ms=10_000), part_target_ms=PART_TARGET_MS))
    inits: dict[str, str] = {}
    for output in outputs:
        if isinstance(output, Chunk):
            name = "source" if output.track == "video" else "audio"
            if output.init:
                inits[name] = init_name(VIDEO, name, output.init)
            fold.part(passed_on(media_chunk(VIDEO, "ann", output, 0), inits[name]))
        elif isinstance(output, SegmentEnded):
            name = "source" if output.track == "video" else "audio"
            ended = SegmentClosed(
                video_id=VIDEO,
                channel="ann",
                rendition=name,
                gop=output.gop,
                segment=output.segment,
                parts=output.parts,
            )
            fold.closed(ended)
        else:
            continue
        if fold.renditions[name].segments:
            yield name, read(media_playlist(window_of(fold, fold.renditions[name])))


def assert_parts_keep_the_rules(outputs: list[Output]) -> None:
    """In every playlist on the way: PART-TARGET stays, no part passes it, none but a segment's last is below 85 %."""
    for name, playlist in playlists(outputs):
        assert playlist.part_target == PART_TARGET_MS / 1000, name
        for segment in playlist.segments:
            lengths = [seconds for _, seconds, _, _ in segment.parts]
            assert all(seconds <= playlist.part_target + 1e-6 for seconds in lengths), (name, lengths)
            assert all(seconds >= 0.85 * playlist.part_target - 1e-6 for seconds in lengths[:-1]), (name, lengths)


def pushed(times_ms: list[int], *, gop_ms: int, rate_hz: int, asc: bytes = ASC) -> list[Output]:
    """Pictures at these times, the first one of each `gop_ms` an IDR picture, and steady sound beside them."""
    packager = Packager(PackagerSettings(part_target_ms=PART_TARGET_MS), StartPosition())
    outputs = packager.video_config(AVCC) + packager.audio_config(asc)
    sounds = [(n * 1024 * 1000 // rate_hz, False) for n in range(times_ms[-1] * rate_hz // 1_024_000)]
    gop = -1
    for number, (at_ms, is_picture) in enumerate(sorted([(at, True) for at in times_ms] + sounds)):
        if is_picture:
            idr, gop = at_ms // gop_ms != gop, at_ms // gop_ms
            outputs += packager.video(at_ms, 0, idr, picture(number, idr=idr), START_MS + at_ms)
        else:
            outputs += packager.audio(at_ms, bytes(9), START_MS + at_ms)
    return outputs + packager.finish()


@pytest.mark.parametrize(("rate_hz", "asc"), [(48_000, "1190"), (44_100, "1210")])
@pytest.mark.parametrize("rate", RATES)
def test_part_target_85_at_every_usual_rate(rate: str, rate_hz: int, asc: str) -> None:
    times = [int(n * 1000 / Fraction(rate)) for n in range(int(6 * Fraction(rate)))]
    assert_parts_keep_the_rules(pushed(times, gop_ms=2_000, rate_hz=rate_hz, asc=bytes.fromhex(asc)))


@settings(deadline=None, max_examples=8)
@given(
    st.lists(st.integers(8, 150) | st.integers(200, 900), min_size=20, max_size=120),
    st.sampled_from([1_000, 2_000, 25_000]),
)
def test_part_target_85_whatever_the_publisher_stutters(steps_ms: list[int], gop_ms: int) -> None:
    steady = [33] * 8
    steps = [step for one in steps_ms for step in ([one, *steady] if one >= 200 else [one])]
    assert_parts_keep_the_rules(pushed(list(itertools.accumulate(steps, initial=0)), gop_ms=gop_ms, rate_hz=48_000))
