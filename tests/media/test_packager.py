"""The packager on made-up frames: what must hold for any pattern, and each turn of its state machine."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.cmaf import ProducerTime, Sample, parse_chunk, producer_time
from media.h264 import H264Error, access_unit
from media.packager import (
    Chunk,
    GopClosed,
    GopOpened,
    Output,
    Packager,
    PackagerError,
    PackagerSettings,
    SegmentEnded,
    StartPosition,
    Track,
)
from media.parts import MIN_FILL

AVCC = bytes.fromhex("0142c01effe100196742c01eda0280bfe5c044000003000400000300c83c58ba8001000468ce0fc8")  # says 25 fps
OTHER_AVCC = bytes.fromhex("0142c01fffe100196742c01fda0280bfe5c044000003000400000300c83c58ba8001000468ce0fc8")
ASC, OTHER_ASC = bytes.fromhex("1190"), bytes.fromhex("1210")
WALL = 1_700_000_000_000


def picture(number: int, *, idr: bool, size: int = 0) -> bytes:
    nal = bytes((0x65 if idr else 0x41,)) + (number % (1 << 32)).to_bytes(4, "big") + bytes(size) + b"\x80"
    return access_unit([nal])


def number_of(sample: Sample) -> int:
    return int.from_bytes(sample.data[5:9], "big")


@dataclass
class Feed:
    """A packager, what it gave, and what it was given."""

    settings: PackagerSettings = field(default_factory=PackagerSettings)
    start: StartPosition = field(default_factory=StartPosition)
    outputs: list[Output] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.packager = Packager(self.settings, self.start)

    def video(self, at_ms: int, number: int = 0, *, idr: bool = False, size: int = 0, composition_ms: int = 0) -> None:
        data = picture(number, idr=idr, size=size)
        self.outputs += self.packager.video(at_ms, composition_ms, idr, data, WALL + at_ms)

    def audio(self, at_ms: int, number: int = 0) -> None:
        self.outputs += self.packager.audio(at_ms, number.to_bytes(8, "big", signed=True), WALL + at_ms)

    def configure(self, *, video: bytes | None = AVCC, audio: bytes | None = ASC) -> None:
        if video:
            self.outputs += self.packager.video_config(video)
        if audio:
            self.outputs += self.packager.audio_config(audio)

    def play(self, start_ms: int, end_ms: int, *, gop_ms: int = 1000, frame_ms: int = 40, audio: bool = True) -> None:
        """Regular video, and audio of 48 kHz beside it, in the order of their times."""
        video = [(at, True, (at - start_ms) % gop_ms == 0) for at in range(start_ms, end_ms, frame_ms)]
        sound = [(start_ms + n * 64 // 3, False, False) for n in range((end_ms - start_ms) * 3 // 64)] if audio else []
        for at_ms, is_video, idr in sorted(video + sound, key=lambda item: (item[0], not item[1])):
            if is_video:
                self.video(at_ms, at_ms, idr=idr)
            else:
                self.audio(at_ms, at_ms)

    def finish(self) -> "Feed":
        self.outputs += self.packager.finish()
        return self

    def of(self, kind: type) -> list[Output]:
        return [out for out in self.outputs if isinstance(out, kind)]

    def chunks(self, track: Track | None = None) -> list[Chunk]:
        return [out for out in self.outputs if isinstance(out, Chunk) and track in (None, out.track)]

    def samples(self, track: Track) -> list[Sample]:
        return [sample for chunk in self.chunks(track) for sample in parse_chunk(chunk.data).samples]

    def opened(self) -> list[GopOpened]:
        return [out for out in self.outputs if isinstance(out, GopOpened)]

    def closed(self) -> list[GopClosed]:
        return [out for out in self.outputs if isinstance(out, GopClosed)]


def seconds(chunk: Chunk) -> Fraction:
    return Fraction(chunk.dts, chunk.timescale)


def assert_sound(feed: Feed) -> None:
    """What holds for every finished packager, whatever it was fed."""
    gops = feed.opened()
    assert [out.gop for out in gops] == list(range(feed.start.gop, feed.start.gop + len(gops)))
    assert [out.gop for out in feed.closed()] == [out.gop for out in gops]
    assert sorted((out.epoch, out.gop) for out in gops) == [(out.epoch, out.gop) for out in gops]
    assert_numbers(feed)
    assert_order(feed)
    for track in ("video", "audio"):
        chunks = feed.chunks(track)
        assert all(a.dts + a.duration <= b.dts for a, b in itertools.pairwise(chunks) if a.timescale == b.timescale)
        assert all(a.captured_ms <= b.captured_ms for a, b in itertools.pairwise(chunks))
        for chunk in chunks:
            found = parse_chunk(chunk.data)
            assert (found.base_decode_time, found.duration) == (chunk.dts, chunk.duration)
            assert len(found.samples) == chunk.frames
            assert chunk.independent == found.samples[0].keyframe
            assert (chunk.init is None) == (chunk.index > 0)
    for a, b in itertools.pairwise(feed.chunks("video")):
        assert a.epoch != b.epoch or a.dts + a.duration == b.dts


def assert_numbers(feed: Feed) -> None:
    """Segments are dense over the video, parts within a segment, indices within a GOP; the closing facts agree."""
    closed = feed.closed()
    segments = [n for out in closed for n in range(out.first_segment, out.last_segment + 1)]
    assert segments == list(range(feed.start.segment, feed.start.segment + len(segments)))
    for out in closed:
        for track, count in (("video", out.video_chunks), ("audio", out.audio_chunks)):
            mine = [chunk for chunk in feed.chunks() if (chunk.track, chunk.gop) == (track, out.gop)]
            assert [chunk.index for chunk in mine] == list(range(count))
            assert all(out.first_segment <= chunk.segment <= out.last_segment for chunk in mine)
            for _, group in itertools.groupby(mine, key=lambda chunk: chunk.segment):
                parts = [chunk.part for chunk in group]
                assert parts == list(range(len(parts)))


def assert_order(feed: Feed) -> None:
    """GopOpened, then chunks, then SegmentEnded, then GopClosed; nothing comes behind what ends it."""
    opened: set[int] = set()
    closed: set[int] = set()
    ended: set[tuple[str, int]] = set()
    for out in feed.outputs:
        if isinstance(out, GopOpened):
            opened.add(out.gop)
            continue
        assert out.gop in opened - closed
        if isinstance(out, GopClosed):
            closed.add(out.gop)
        else:
            assert (out.track, out.segment) not in ended
        if isinstance(out, SegmentEnded):
            ended.add((out.track, out.segment))
            mine = [chunk for chunk in feed.chunks(out.track) if chunk.segment == out.segment]
            assert (len(mine), sum(chunk.duration for chunk in mine)) == (out.parts, out.duration)
    assert opened == closed


@dataclass(frozen=True)
class Pattern:
    rate: Fraction
    idr_every: int
    share: float
    start_ms: int
    audio_late_ms: int
    b_frames: bool

    @property
    def frames(self) -> int:
        """At least one; at most a hundred, or 14 seconds."""
        return 1 + int(self.share * min(99.0, 14 * float(self.rate)))


patterns = st.builds(
    Pattern,
    rate=st.sampled_from([Fraction(n) for n in (1, 5, 15, 24, 25, 30, 50, 60)] + [Fraction(30_000, 1001)]),
    idr_every=st.sampled_from([1, 7, 12, 30, 60, 10_000]),
    share=st.floats(0, 1),
    start_ms=st.sampled_from([0, 7, 1 << 31, 1 << 33]),
    audio_late_ms=st.integers(-900, 900),
    b_frames=st.booleans(),
)


def feed_pattern(pattern: Pattern) -> Feed:
    """Constant rates on both tracks; audio is sent earlier or later than video of its time."""
    feed = Feed()
    feed.configure()
    calls: list[tuple[Fraction, Callable[[], None]]] = []
    delay = round(2000 / pattern.rate) if pattern.b_frames and pattern.rate > 5 else 0
    for n in range(pattern.frames):
        at = n * 1000 / pattern.rate
        reorder = (0, 3 * delay // 2, -delay // 2, -delay // 2)[n % pattern.idr_every % 4] if delay else 0
        calls.append((at, lambda n=n, at=at, r=reorder: feed.video(  # type: ignore[misc]
            pattern.start_ms + int(at), n, idr=n % pattern.idr_every == 0, composition_ms=delay + r)))  # fmt: skip
    for n in range(int(pattern.frames / pattern.rate * 48_000 / 1024)):
        at = Fraction(n * 64, 3)
        when = pattern.start_ms + delay + int(at)
        calls.append((at + pattern.audio_late_ms, lambda n=n, when=when: feed.audio(when, n)))  # type: ignore[misc]
    for _, call in sorted(calls, key=lambda item: item[0]):
        call()
    return feed.finish()


@settings(deadline=None, max_examples=40)
@given(patterns)
def test_any_regular_stream_comes_out_whole_dense_and_in_order(pattern: Pattern) -> None:
    feed = feed_pattern(pattern)
    assert_sound(feed)
    assert [number_of(sample) for sample in feed.samples("video")] == list(range(pattern.frames))
    sounds = feed.samples("audio")
    assert [int.from_bytes(sample.data, "big") for sample in sounds] == list(range(len(sounds)))
    assert len(sounds) == int(pattern.frames / pattern.rate * 48_000 / 1024)
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(sounds))
    for track in ("video", "audio"):
        assert_parts_fill(feed, track)


def assert_parts_fill(feed: Feed, track: Track) -> None:
    chunks = feed.chunks(track)
    target = feed.packager.advertised_part_target_ms(track)
    for chunk, following in itertools.pairwise([*chunks, None]):
        assert chunk is not None
        lasts = Fraction(chunk.duration * 1000, chunk.timescale)
        assert lasts <= target
        if following and following.segment == chunk.segment:
            assert lasts >= Fraction(MIN_FILL) * target


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["video", "video", "audio", "audio", "avcc", "asc"]),
            st.integers(-200, 400) | st.sampled_from([-50_000, 12_000, 3_000]),
            st.booleans(),
            st.integers(-100, 200),
        ),
        max_size=150,
    ),
    st.builds(StartPosition, st.integers(0, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 10**9)),
)
def test_any_order_of_any_frames_keeps_the_promises(
    steps: list[tuple[str, int, bool, int]], start: StartPosition
) -> None:
    feed = Feed(start=start)
    now, sent = {"video": 0, "audio": 0}, itertools.count(1)
    for kind, step, flag, composition in steps:
        if kind == "avcc":
            feed.configure(video=AVCC if flag else OTHER_AVCC, audio=None)
        elif kind == "asc":
            feed.configure(video=None, audio=ASC if flag else OTHER_ASC)
        elif kind == "video":
            now["video"] += step
            feed.video(now["video"], next(sent), idr=flag, composition_ms=composition)
        else:
            now["audio"] += step
            feed.audio(now["audio"], next(sent))
    feed.finish()
    assert_sound(feed)
    for track in ("video", "audio"):
        numbers = list(map(number_of, feed.samples("video"))) if track == "video" else sound_numbers(feed)
        assert len(set(numbers)) == len(numbers)
    sent_video = sum(kind == "video" for kind, *_ in steps)
    counts = feed.packager.counts
    assert len(feed.samples("video")) + counts.video_before_idr + counts.video_before_config == sent_video
    sent_audio = sum(kind == "audio" for kind, *_ in steps)
    assert len(sound_numbers(feed)) + counts.audio_out_of_time + counts.audio_before_config == sent_audio
    assert feed.packager.position.media_time_ms >= start.media_time_ms


def sound_numbers(feed: Feed) -> list[int]:
    """Audio frames that were sent, in order: silence is shorter."""
    return [int.from_bytes(s.data, "big") for s in feed.samples("audio") if len(s.data) == 8]


def test_a_plain_stream_gives_a_gop_and_a_segment_a_second() -> None:
    feed = Feed()
    feed.configure()
    feed.play(5_000, 8_000)
    feed.finish()
    assert_sound(feed)
    assert [(out.gop, out.segment, out.epoch, out.media_time_ms) for out in feed.opened()] == [
        (0, 0, 0, 0),
        (1, 1, 0, 1000),
        (2, 2, 0, 2000),
    ]
    assert [out.captured_ms - WALL for out in feed.opened()] == [5_000, 6_000, 7_000]
    assert [chunk.captured_ms - WALL - 5_000 for chunk in feed.chunks("video")][:6] == [0, 200, 400, 600, 800, 1000]
    first = feed.chunks("video")[0]
    assert (first.width, first.height, first.frame_rate, first.codecs) == (640, 360, 25.0, "avc1.42c01e")
    assert (first.frames, first.part_target_ms, first.timescale) == (5, 200, 90_000)
    sound = feed.chunks("audio")[0]
    assert (sound.sample_rate, sound.channels, sound.codecs, sound.frames) == (48_000, 2, "mp4a.40.2", 9)


def test_the_same_frames_give_the_same_facts() -> None:
    runs = []
    for _ in range(2):
        feed = Feed()
        feed.configure()
        feed.play(0, 2_000)
        runs.append(feed.finish().outputs)
    assert runs[0] == runs[1]


def test_a_part_leaves_with_the_frame_that_ends_its_last_one() -> None:
    feed = Feed()
    feed.configure(audio=None)
    for n in range(6):
        assert not feed.chunks()
        feed.video(n * 40, n, idr=n == 0)
    assert [chunk.frames for chunk in feed.chunks()] == [5]


def test_idr_pictures_half_a_second_apart_make_gops_of_a_second() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 4_000, gop_ms=480)
    feed.finish()
    assert_sound(feed)
    assert [out.media_time_ms for out in feed.opened()] == [0, 1440, 2880]
    inside = [chunk for chunk in feed.chunks("video") if any(s.keyframe for s in parse_chunk(chunk.data).samples)]
    assert len(inside) == 9


def test_a_long_gop_is_cut_into_segments_on_both_tracks() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 25_000, gop_ms=60_000)
    feed.finish()
    assert_sound(feed)
    assert [(out.gop, out.first_segment, out.last_segment) for out in feed.closed()] == [(0, 0, 2)]
    starts = {c.segment: c for c in feed.chunks("video") if c.part == 0}
    assert [chunk.independent for chunk in starts.values()] == [True, False, False]
    lengths = [out for out in feed.outputs if isinstance(out, SegmentEnded) and out.track == "video"]
    assert all(out.duration <= 10.4 * 90_000 for out in lengths)
    for chunk in feed.chunks("audio"):
        if chunk.part == 0:
            assert 0 <= seconds(chunk) - seconds(starts[chunk.segment]) < Fraction(1024, 48_000)
    assert [chunk.init is not None for chunk in feed.chunks("video")].count(True) == 1


def test_a_gop_of_just_the_longest_segment_stays_one_segment() -> None:
    feed = Feed()
    feed.configure(audio=None)
    feed.play(0, 20_000, gop_ms=10_000, audio=False)
    feed.finish()
    assert [(out.first_segment, out.last_segment) for out in feed.closed()] == [(0, 0), (1, 1)]


def test_video_alone_gives_no_audio_and_waits_for_none() -> None:
    feed = Feed()
    feed.configure(audio=None)
    feed.play(0, 1_040, audio=False)
    assert [(out.gop, out.audio_chunks) for out in feed.closed()] == [(0, 0)]
    assert not feed.chunks("audio")
    assert not [out for out in feed.outputs if isinstance(out, SegmentEnded) and out.track == "audio"]


def test_audio_alone_is_cut_by_time_once_video_did_not_come() -> None:
    feed = Feed()
    feed.configure(video=None)
    for n in range(300):
        feed.audio(100 + n * 64 // 3, n)
        assert bool(feed.outputs) == (n * 64 // 3 >= 1000)
    feed.finish()
    assert_sound(feed)
    assert [out.media_time_ms for out in feed.opened()] == [0, 2005, 4010, 6016]
    assert feed.opened()[0].captured_ms == WALL + 100
    assert sound_numbers(feed) == list(range(300))
    assert all(out.video_chunks == 0 and out.audio_chunks for out in feed.closed())


@pytest.mark.parametrize(("late_ms", "epochs"), [(4_000, [0, 0]), (12_000, [0, 0, 0, 0, 0, 0, 1, 1])])
def test_audio_waits_longer_for_video_that_was_announced(late_ms: int, epochs: list[int]) -> None:
    feed = Feed()
    feed.configure(video=None)
    feed.packager.expect_video()
    for n in range(late_ms * 3 // 64):
        feed.audio(n * 64 // 3, n)
    feed.configure(audio=None)
    feed.play(late_ms, late_ms + 2_000)
    feed.finish()
    assert_sound(feed)
    assert [out.epoch for out in feed.opened()] == epochs


def test_a_short_stream_of_audio_alone_is_kept_too() -> None:
    feed = Feed()
    feed.configure(video=None)
    for n in range(10):
        feed.audio(n * 21, n)
    assert sound_numbers(feed.finish()) == list(range(10))


def test_audio_that_is_configured_late_starts_inside_the_gop() -> None:
    feed = Feed()
    feed.configure(audio=None)
    feed.play(0, 520, gop_ms=2_000, audio=False)
    feed.configure(video=None)
    for n in range(30):
        feed.audio(500 + n * 64 // 3, n)
        feed.video(520 + n * 40, n)
    feed.finish()
    assert_sound(feed)
    first = feed.chunks("audio")[0]
    assert (first.gop, first.segment, first.part, first.index, first.dts) == (0, 0, 0, 0, 0), "silence before it"
    assert first.init


def test_video_that_comes_after_audio_alone_starts_another_epoch() -> None:
    feed = Feed()
    feed.configure(video=None)
    for n in range(100):
        feed.audio(n * 64 // 3, n)
    feed.configure(audio=None)
    feed.play(2_120, 4_120)
    feed.finish()
    assert_sound(feed)
    assert [out.epoch for out in feed.opened()] == [0, 0, 1, 1]
    assert feed.chunks("video")[0].epoch == 1


def test_frames_before_the_first_idr_are_left_out_and_counted() -> None:
    feed = Feed()
    feed.configure()
    feed.audio(0)
    for n in range(5):
        feed.video(n * 40, n)
    feed.play(200, 400)
    feed.finish()
    assert_sound(feed)
    assert feed.packager.counts.video_before_idr == 5
    assert feed.packager.counts.audio_out_of_time == 1
    assert feed.opened()[0].media_time_ms == 0
    assert feed.samples("audio")[0].dts == 0


def test_a_keyframe_is_what_its_bytes_say() -> None:
    feed = Feed()
    feed.configure()
    assert feed.packager.video(0, 0, True, picture(0, idr=False), WALL) == []
    assert feed.packager.counts.keyframes_without_idr == 1
    assert feed.packager.video(40, 0, False, picture(0, idr=True), WALL) != []


@pytest.mark.parametrize("leap_ms", [15_000, 1 << 32])
def test_a_keyframe_behind_a_pause_starts_an_epoch_where_media_time_stands(leap_ms: int) -> None:
    feed = Feed()
    feed.configure()
    feed.play(10_000, 12_000)
    feed.play(11_960 + leap_ms, 13_960 + leap_ms)
    feed.finish()
    assert_sound(feed)
    assert [(out.epoch, out.gop, out.segment) for out in feed.opened()] == [(0, 0, 0), (0, 1, 1), (1, 2, 2), (1, 3, 3)]
    ends = max(seconds(c) + Fraction(c.duration, c.timescale) for c in feed.chunks() if c.epoch == 0)
    again = min(seconds(chunk) for chunk in feed.chunks() if chunk.epoch == 1)
    assert 0 <= again - ends <= Fraction(2, 1000)
    assert len(feed.samples("video")) == 100


def test_after_a_pause_without_an_idr_the_gop_goes_on_and_the_next_keyframe_sets_the_clock_right() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 1_000)
    feed.video(50_000, 1)
    feed.video(50_040, 2)
    feed.play(50_080, 51_000)
    feed.finish()
    assert_sound(feed)
    assert feed.packager.counts.video_before_idr == 0
    assert [(out.epoch, out.media_time_ms) for out in feed.opened()] == [(0, 0), (1, 1080)]
    assert [out.captured_ms - WALL for out in feed.opened()] == [0, 50_080]
    assert len(feed.samples("video")) == 25 + 2 + 23


@dataclass(frozen=True)
class Mishap:
    """At `at_ms` the publisher's clock leaps by `by_ms`; the tracks by as much, and one of them may leap alone."""

    at_ms: int
    by_ms: int


def feed_mishaps(mishaps: list[Mishap], gop: int, delay: int, tracks: tuple[str, ...] = ("video", "audio")) -> Feed:
    """Ten seconds, whose timestamps leap while time goes by as ever."""
    feed = Feed()
    feed.configure()
    frames = [(n * 40, "video", n) for n in range(250)] + [(n * 64 // 3, "audio", n) for n in range(469)]
    for at, track, n in sorted(frames):
        said = 100_000 + at + sum(one.by_ms for one in mishaps if at >= one.at_ms and track in tracks)
        if track == "video":
            feed.outputs += feed.packager.video(
                said, delay + reorder(n, gop, delay), n % gop == 0, picture(n, idr=n % gop == 0), WALL + at
            )
        else:
            feed.outputs += feed.packager.audio(said + delay, n.to_bytes(8, "big"), WALL + at)
    return feed.finish()


def reorder(n: int, gop: int, delay: int) -> int:
    """How much later than its turn a picture is shown, in ms: one and two B-frames after it."""
    return (0, 3 * delay // 2, -delay // 2, -delay // 2)[n % gop % 4]


mishaps = st.lists(
    st.builds(
        Mishap, st.integers(500, 9_000), st.sampled_from([-90_000, -5_000, -300, 11_000, 86_400_000]) | st.just(1 << 32)
    ),
    max_size=3,
    unique_by=lambda one: one.at_ms // 1_500,
)


def assert_nothing_lost_and_tracks_together(feed: Feed, *, gop: int, delay: int, within_ms: int) -> None:
    assert_sound(feed)
    assert {out.epoch for out in feed.opened()} == {0}
    pictures = feed.samples("video")
    assert [number_of(sample) for sample in pictures] == list(range(250))
    shown = {n: (one.dts + one.cts_offset) / 90 - reorder(n, gop, delay) for n, one in enumerate(pictures)}
    assert list(shown.values()) == sorted(shown.values())
    assert_parts_fill(feed, "video")
    sounds = feed.samples("audio")
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(sounds))
    heard = {int.from_bytes(one.data, "big"): one.dts / 48 for one in sounds if len(one.data) == 8}
    assert len(heard) >= 469 - 3 * 3
    for n, at_ms in heard.items():
        sent_ms = n * 64 / 3
        beside = round(sent_ms / 40)
        if beside in shown:
            assert abs((at_ms - sent_ms) - (shown[beside] - beside * 40)) <= within_ms, n


@settings(deadline=None, max_examples=20)
@given(mishaps, st.sampled_from([25, 50, 1_000]), st.sampled_from([0, 80]))
def test_whatever_a_publishers_clock_does_no_picture_is_lost_and_sound_stays_with_it(
    odd: list[Mishap], gop: int, delay: int
) -> None:
    assert_nothing_lost_and_tracks_together(feed_mishaps(odd, gop, delay), gop=gop, delay=delay, within_ms=20)


@pytest.mark.parametrize("by_ms", [-90_000, -300, 11_000])
@pytest.mark.parametrize("track", ["video", "audio"])
def test_a_track_that_leaps_alone_is_led_back_to_the_other(track: str, by_ms: int) -> None:
    feed = feed_mishaps([Mishap(4_010, by_ms)], 1_000, 0, (track,))
    assert_nothing_lost_and_tracks_together(feed, gop=1_000, delay=0, within_ms=60)


def test_audio_that_leaps_first_waits_for_video_to_follow() -> None:
    feed = Feed()
    feed.configure()
    feed.play(100_000, 102_000)
    for n in range(5):
        feed.audio(n * 64 // 3, n)
    feed.video(0, 0, idr=True)
    feed.video(40, 1)
    feed.finish()
    assert_sound(feed)
    assert {chunk.epoch for chunk in feed.chunks()} == {0}
    assert [int.from_bytes(sample.data, "big") for sample in feed.samples("audio")][-5:] == [0, 1, 2, 3, 4]


def test_another_video_configuration_holds_from_the_next_idr_on() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 3_000, gop_ms=2_000)
    feed.configure(video=OTHER_AVCC, audio=None)
    feed.video(3_000, 1)
    feed.play(3_040, 4_040)
    feed.finish()
    assert_sound(feed)
    assert [(out.gop, out.epoch, out.media_time_ms) for out in feed.opened()][:2] == [(0, 0, 0), (1, 0, 2000)]
    first = next(chunk for chunk in feed.chunks("video") if chunk.epoch == 1)
    assert (first.codecs, first.index, first.gop) == ("avc1.42c01f", 0, 2)
    assert first.init
    samples = feed.samples("video")
    assert len(samples) == 75 + 1 + 25
    assert not [chunk for chunk in feed.chunks("video") if chunk.epoch == 0 and chunk.codecs != "avc1.42c01e"]


def test_the_largest_picture_says_which_rungs_stay() -> None:
    feed = Feed(start=StartPosition(ladder_below=240))
    feed.configure()
    feed.play(0, 1_000)
    feed.finish()
    assert feed.packager.position.ladder_below == 360
    again = Feed(start=StartPosition(ladder_below=721))
    again.configure()
    again.play(0, 1_000)
    again.finish()
    assert {chunk.ladder_below for chunk in again.chunks()} == {out.ladder_below for out in again.opened()} == {721}


def test_a_configuration_that_is_sent_again_changes_nothing() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 1_000)
    feed.configure()
    feed.play(1_000, 2_000)
    feed.finish()
    assert {out.epoch for out in feed.opened()} == {0}


def test_another_audio_configuration_holds_from_the_next_idr_on() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 1_000)
    feed.configure(video=None, audio=OTHER_ASC)
    feed.play(1_000, 2_000)
    feed.finish()
    assert_sound(feed)
    assert [(chunk.epoch, chunk.timescale) for chunk in feed.chunks("audio") if chunk.index == 0] == [
        (0, 48_000),
        (1, 44_100),
    ]


def test_silence_takes_the_place_of_audio_frames_that_were_lost() -> None:
    feed = Feed()
    feed.configure()
    for n in range(100):
        if n < 20 or n >= 40:
            feed.audio(n * 64 // 3, n)
        feed.video(n * 64 // 3, n, idr=n == 0)
    feed.finish()
    assert_sound(feed)
    samples = feed.samples("audio")
    assert feed.packager.counts.silence_inserted == 20
    assert len(samples) == 100
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(samples))


SIX_CHANNELS = bytes.fromhex("11b0")  # AAC-LC 5.1: no silent frame of it is known


def test_a_hole_that_cannot_be_filled_is_left_open_between_two_parts() -> None:
    feed = Feed()
    feed.configure(audio=SIX_CHANNELS)
    feed.play(0, 200)
    feed.play(200, 5_000, gop_ms=100_000, audio=False)
    feed.play(5_000, 6_000)
    feed.finish()
    assert_sound(feed)
    assert feed.packager.counts.silence_inserted == 0
    before, after = (feed.chunks("audio")[n] for n in (0, 1))
    assert (before.frames, after.frames, after.dts) == (9, 9, 5_000 * 48)


def test_a_mute_publisher_whose_silence_is_unknown_holds_nothing_up_for_long() -> None:
    feed = Feed()
    feed.configure(audio=SIX_CHANNELS)
    feed.play(0, 2_000)
    feed.play(2_000, 8_000, audio=False)
    assert [out.gop for out in feed.closed()] == [0, 1, 2, 3, 4, 5]
    empty = [out for out in feed.outputs if isinstance(out, SegmentEnded) and out.track == "audio" and not out.parts]
    assert [out.segment for out in empty] == [2, 3, 4, 5]
    feed.play(8_000, 9_000)
    feed.finish()
    assert_sound(feed)
    assert {out.epoch for out in feed.opened()} == {0}
    assert next(chunk.dts for chunk in feed.chunks("audio") if chunk.segment == 8) == 8 * 48_000


def heard(feed: Feed) -> list[int]:
    """The numbers of the audio frames that the publisher sent."""
    return [int.from_bytes(one.data, "big", signed=True) for one in feed.samples("audio") if len(one.data) == 8]


def test_a_publisher_that_mutes_by_sending_no_audio_is_heard_to_be_silent_meanwhile() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 2_000)
    feed.play(2_000, 8_000, audio=False)
    ends = max(chunk.dts + chunk.duration for chunk in feed.chunks("audio")) / 48
    assert 7_500 < ends < 8_000, "silence goes on close behind video"
    assert [out.gop for out in feed.closed()] == [0, 1, 2, 3, 4, 5, 6]
    feed.play(8_000, 9_000)
    feed.finish()
    assert_sound(feed)
    assert_parts_fill(feed, "audio")
    sounds = feed.samples("audio")
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(sounds))
    assert len(heard(feed)) >= 93 + 46
    assert all(
        abs(one.dts / 48 - number) <= 12 for one, number in zip(sounds, map(int_or_none, sounds), strict=True) if number
    )


def int_or_none(sample: Sample) -> int | None:
    return int.from_bytes(sample.data, "big") if len(sample.data) == 8 else None


@pytest.mark.parametrize("late_ms", [500, 2_500, 6_000])
def test_audio_that_starts_late_is_silent_before_and_in_its_place_after(late_ms: int) -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, late_ms, audio=False)
    feed.play(late_ms, late_ms + 2_000)
    feed.finish()
    assert_sound(feed)
    assert {out.epoch for out in feed.opened()} == {0}
    first = feed.chunks("audio")[0]
    assert first.segment == 0 or late_ms < 1_000
    sounds = feed.samples("audio")
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(sounds))
    found = [(one.dts / 48, number) for one in sounds if (number := int_or_none(one)) is not None]
    assert len(found) >= 93 - 2
    assert all(abs(at - number) <= 12 for at, number in found)


def test_audio_that_ends_early_is_silent_to_the_end_of_the_picture() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 2_000)
    feed.play(2_000, 4_000, audio=False)
    feed.finish()
    assert_sound(feed)
    ends = max(chunk.dts + chunk.duration for chunk in feed.chunks("audio")) / 48
    assert 3_700 < ends < 4_050


def test_audio_that_comes_in_bursts_of_four_seconds_is_silent_once_and_then_heard() -> None:
    feed = Feed()
    feed.configure()
    for burst in range(5):
        feed.play(burst * 4_000, (burst + 1) * 4_000, audio=False)
        for n in range(burst * 375 // 2, (burst + 1) * 375 // 2):
            feed.audio(n * 64 // 3, n)
    feed.finish()
    assert_sound(feed)
    missing = set(range(187, 937)) - set(heard(feed))
    assert not {n for n in missing if n > 375}
    assert len(feed.samples("audio")) >= 937 - 2


def test_a_priming_frame_whose_time_was_cut_to_zero_moves_no_other() -> None:
    feed = Feed()
    feed.configure()
    feed.video(0, 0, idr=True)
    feed.audio(0, 0)  # it stood at -21 ms
    for n in range(40):
        feed.audio(n * 64 // 3, n + 1)
        feed.video(40 + n * 40, n + 1)
    feed.finish()
    found = [(int_or_none(one), one.dts) for one in feed.samples("audio")]
    assert {number: dts for number, dts in found if number and number > 2} == {n + 1: n * 1024 for n in range(2, 40)}


def test_audio_whose_clock_runs_apart_is_brought_back() -> None:
    feed = Feed()
    feed.configure()
    for n in range(1_500):
        feed.audio(round(n * 64 / 3 * 1.002), n)  # a sound card that is 0.2 % slow
        if n % 2 == 0:
            feed.video(round(n * 64 / 3), n, idr=n % 50 == 0)
    feed.finish()
    assert_sound(feed)
    numbered = [(one.dts / 48, int_or_none(one)) for one in feed.samples("audio")]
    apart = [at_ms - number * 64 / 3 * 1.002 for at_ms, number in numbered if number is not None]
    assert len(apart) == 1_500
    assert max(map(abs, apart)) <= 22


def test_audio_goes_on_alone_when_video_stalls_and_video_comes_back() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 3_000)
    for n in range(3_000 * 3 // 64, 30_000 * 3 // 64):
        feed.audio(n * 64 // 3, n)
    feed.play(30_000, 32_000)
    feed.finish()
    assert_sound(feed)
    alone = [out for out in feed.closed() if not out.video_chunks]
    assert len(alone) >= 8
    assert [out.epoch for out in feed.opened()][-1] == 2
    ended = [out for out in feed.outputs if isinstance(out, SegmentEnded) and out.track == "audio"]
    assert max(out.duration for out in ended) <= 10.4 * 48_000
    sounds = feed.samples("audio")
    assert sum(b.dts - a.dts - a.duration for a, b in itertools.pairwise(sounds)) < 0.1 * 48_000


def test_a_new_packager_goes_on_where_the_old_one_ended() -> None:
    first = Feed()
    first.configure()
    first.play(0, 2_500)
    first.finish()
    position = first.packager.position
    ends = max(seconds(c) + Fraction(c.duration, c.timescale) for c in first.chunks())
    assert (position.gop, position.segment, position.epoch) == (3, 3, 1)
    assert 0 <= Fraction(position.media_time_ms, 1000) - ends < Fraction(1, 1000)
    second = Feed(start=position)
    second.configure()
    second.play(777_000, 779_000)
    second.finish()
    assert_sound(second)
    assert second.opened()[0].media_time_ms == position.media_time_ms
    assert second.opened()[0].captured_ms == WALL + 777_000


def test_a_reconnect_never_takes_the_wall_clock_back() -> None:
    feed = Feed(start=StartPosition(4, 9, 2, 60_000, captured_ms=WALL + 5_000))
    feed.configure()
    feed.play(0, 1_000)
    feed.finish()
    assert feed.opened() == [
        GopOpened(gop=4, segment=9, epoch=2, media_time_ms=60_000, captured_ms=WALL + 5_000, ladder_below=360),
    ]


def test_each_segment_begins_with_the_time_at_which_it_was_captured() -> None:
    feed = Feed()
    feed.configure()
    feed.play(0, 3_000)
    for chunk in feed.finish().chunks():
        track_id = 1 if chunk.track == "video" else 2
        told = producer_time(track_id, ProducerTime(chunk.captured_ms, chunk.dts))
        assert (told in chunk.data) == (chunk.part == 0)


def test_every_chunk_says_when_its_epoch_began() -> None:
    feed = Feed(start=StartPosition(gop=7, segment=9, epoch=2, media_time_ms=60_500, captured_ms=WALL))
    feed.configure()
    feed.play(0, 2_000)
    feed.play(100_000, 102_000)
    began = {chunk.epoch: chunk.epoch_ms for chunk in feed.finish().chunks()}
    assert began == {2: 60_500, 3: feed.opened()[2].media_time_ms}
    assert all(chunk.epoch_ms <= chunk.dts * 1000 // chunk.timescale for chunk in feed.chunks())


def test_parts_are_cut_where_bytes_run_out() -> None:
    feed = Feed(settings=PackagerSettings(max_chunk_bytes=1 << 16))
    feed.configure(audio=None)
    for n in range(20):
        feed.video(n * 40, n, idr=n == 0, size=30_000)
    feed.finish()
    assert_sound(feed)
    assert {chunk.frames for chunk in feed.chunks()} == {2}
    assert max(len(chunk.data) for chunk in feed.chunks()) < (1 << 16) + 1024


def test_nal_unit_lengths_of_two_bytes_leave_as_four() -> None:
    feed = Feed()
    feed.configure(video=AVCC[:4] + b"\xfd" + AVCC[5:], audio=None)
    feed.outputs += feed.packager.video(0, 0, True, b"\0\2\x65\x80", WALL)
    feed.finish()
    assert [sample.data for sample in feed.samples("video")] == [b"\0\0\0\2\x65\x80"]


def refusals() -> Iterable[tuple[str, Callable[[Packager], object]]]:
    limit = PackagerSettings().max_chunk_bytes
    yield "access unit of 0 bytes", lambda p: p.video(80, 0, False, b"", WALL)
    yield "expected 1 to 6291456", lambda p: p.video(80, 0, False, bytes(limit + 1), WALL)
    yield "composition time of 10001 ms", lambda p: p.video(80, 10_001, False, picture(1, idr=False), WALL)
    yield "NAL unit of 9 bytes", lambda p: p.video(80, 0, False, b"\0\0\0\x09\x41", WALL)
    yield "audio frame of 0 bytes", lambda p: p.audio(80, b"", WALL)
    yield "expected 1 to 16384", lambda p: p.audio(80, bytes(16_385), WALL)
    yield "avcC of 0 bytes", lambda p: p.video_config(b"")
    yield "AudioSpecificConfig of 0 bytes", lambda p: p.audio_config(b"")


@pytest.mark.parametrize(("says", "call"), list(refusals()))
def test_what_is_refused_leaves_the_packager_as_it_was(says: str, call: Callable[[Packager], object]) -> None:
    feeds = [Feed(), Feed()]
    for feed in feeds:
        feed.configure()
        feed.play(0, 80)
    with pytest.raises(ValueError, match=says):
        call(feeds[0].packager)
    for feed in feeds:
        feed.video(80, 5)
        feed.finish()
    assert feeds[0].outputs == feeds[1].outputs


def test_malformed_access_units_are_h264_errors() -> None:
    feed = Feed()
    feed.configure()
    with pytest.raises(H264Error):
        feed.packager.video(0, 0, True, b"\1", WALL)


def test_a_finished_packager_takes_nothing_more() -> None:
    feed = Feed().finish()
    assert feed.outputs == []
    with pytest.raises(PackagerError, match="make another one"):
        feed.packager.finish()


def test_frames_before_their_configuration_are_counted() -> None:
    feed = Feed()
    feed.video(0, 0, idr=True)
    feed.audio(0)
    assert (feed.packager.counts.video_before_config, feed.packager.counts.audio_before_config) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"part_target_ms": 90}, "part_target_ms is 90, expected 100 to 500"),
        ({"segment_min_ms": 100}, "segment_min_ms is 100, expected 200 to 10000"),
        ({"segment_max_ms": 1500}, "segment_max_ms is 1500, expected 2000 to 60000"),
        ({"max_chunk_bytes": 1}, "max_chunk_bytes is 1"),
        ({"lone_audio_gop_ms": 20_000}, "lone_audio_gop_ms is 20000, expected 1000 to 10000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int], says: str) -> None:
    with pytest.raises(PackagerError, match=says):
        PackagerSettings(**wrong)
