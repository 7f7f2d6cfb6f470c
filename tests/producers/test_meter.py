"""How a stream arrives: what is counted in a span, what holds for the connection, and what went wrong."""

from dataclasses import replace

from media.packaged import Chunk, PackagerCounts
from producers.meter import MAX_PROBLEM, REPORT_MS, Meter
from schemas.events import IngestMeasured

START_MS = 1_790_000_000_000
FRAME_MS = 40
CHUNK = Chunk(
    track="video",
    gop=0,
    segment=0,
    part=0,
    index=0,
    epoch=0,
    dts=0,
    duration=1,
    timescale=1,
    independent=True,
    frames=1,
    captured_ms=0,
    part_target_ms=200,
    epoch_ms=0,
    codecs="",
    data=b"",
)


def feed(meter: Meter, first: int, last: int, *, keyframes: int = 50, timestamp_ms: int = 7_000) -> None:
    """25 pictures a second, and sound; a keyframe each `keyframes` pictures."""
    for number in range(first, last):
        now_ms = START_MS + number * FRAME_MS
        at_ms = timestamp_ms + number * FRAME_MS
        meter.video(at_ms, 0, 5_000, now_ms, keyframe=number % keyframes == 0)
        meter.audio(300, now_ms)


def look(meter: Meter, number: int, *, left: bool = False) -> IngestMeasured:
    """The measurement when so many pictures have come."""
    return meter.measured("v" * 20, "ann", START_MS + number * FRAME_MS, PackagerCounts(), left=left)


def test_a_span_counts_what_came_in_it_and_the_next_begins_at_nothing() -> None:
    meter = Meter(START_MS)
    feed(meter, 0, 50)
    first = look(meter, 50)
    assert (first.video_frames, first.audio_frames, first.video_bytes, first.audio_bytes) == (50, 50, 250_000, 15_000)
    assert (first.span_ms, first.media_ms, first.silence_ms) == (2_000, 1_960, FRAME_MS)
    feed(meter, 50, 75)
    second = look(meter, 75)
    assert (second.video_frames, second.span_ms, second.media_ms) == (25, 1_000, 1_000)
    silent = look(meter, 125)
    assert (silent.video_frames, silent.media_ms, silent.silence_ms) == (0, -1, 2_000)


def test_the_keyframe_interval_is_the_longest_of_the_last_four() -> None:
    meter = Meter(START_MS)
    feed(meter, 0, 50)
    assert (look(meter, 50).keyframe_ms, look(meter, 50).since_keyframe_ms) == (0, 49 * FRAME_MS)
    feed(meter, 50, 151)
    assert (look(meter, 151).keyframe_ms, look(meter, 151).since_keyframe_ms) == (2_000, 0)
    feed(meter, 151, 1_151, keyframes=250)
    assert look(meter, 1_151).keyframe_ms == 10_000


def test_timestamps_that_jump_are_counted_and_measure_nothing() -> None:
    meter = Meter(START_MS)
    feed(meter, 0, 10)
    feed(meter, 10, 20, timestamp_ms=900_000)
    assert (look(meter, 20).leaps, look(meter, 20).media_ms) == (1, -1)
    feed(meter, 20, 30, timestamp_ms=900_000)
    assert (look(meter, 30).leaps, look(meter, 30).keyframe_ms) == (1, 0)


def test_what_went_wrong_is_said_once_and_at_once() -> None:
    meter = Meter(START_MS)
    assert not meter.is_due(START_MS + REPORT_MS - 1)
    assert meter.is_due(START_MS + REPORT_MS)
    meter.went_wrong("first " + "x" * 1_000)
    meter.went_wrong("second")
    assert meter.is_due(START_MS)
    said = look(meter, 1, left=True)
    assert (said.problem[:6], len(said.problem), said.left) == ("first ", MAX_PROBLEM, True)
    assert look(meter, 2).problem == ""


def test_chunks_say_what_the_media_is_and_offsets_whether_pictures_are_reordered() -> None:
    meter = Meter(START_MS)
    meter.video(0, 0, 10, START_MS, keyframe=True)
    assert not look(meter, 1).reordered
    meter.video(40, 80, 10, START_MS, keyframe=False)
    meter.chunk(replace(CHUNK, track="video", codecs="avc1.64001f", width=1280, height=720, frame_rate=25.0))
    meter.chunk(replace(CHUNK, track="audio", codecs="mp4a.40.2", sample_rate=48_000, channels=2))
    said = look(meter, 1)
    assert said.reordered
    assert (said.video_codecs, said.width, said.height, said.frame_rate) == ("avc1.64001f", 1280, 720, 25.0)
    assert (said.audio_codecs, said.sample_rate, said.channels) == ("mp4a.40.2", 48_000, 2)
