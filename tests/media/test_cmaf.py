"""Chunks: round trips, golden bytes, limits. `tests/media/renew_golden.py` writes the golden files anew."""

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.cmaf import (
    MAX_SAMPLES,
    CmafError,
    ProducerTime,
    Sample,
    audio_init,
    keyframe_end,
    parse_chunk,
    parse_init,
    produced_ms,
    producer_time,
    sequence_number,
    video_init,
    write_chunk,
)
from media.h264 import parse_avcc

GOLDEN = Path(__file__).parent / "golden"
AVCC = bytes.fromhex("01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c65801000668ebe3cb22c0fdf8f800")
WIDE = bytes.fromhex(
    "0164001effe1001c6764001eacd940b424dff8008000788000000300800000190f8a14cb01000668fba3cb22c0fdf8f800"
)
ASC = bytes.fromhex("1190")
VIDEO = (
    Sample(b"\0\0\0\2\x65\x80", 180_000, 0, 3000, keyframe=True),
    Sample(b"\0\0\0\3\x41\x80\x01", 183_000, 6000, 3000, keyframe=False),
    Sample(b"\0\0\0\2\x01\x80", 186_000, -3000, 3060, keyframe=False),
)
AUDIO = tuple(Sample(bytes((n,)) * 5, 1024 * n, 0, 1024, keyframe=True) for n in range(3))


def golden_files() -> dict[str, bytes]:
    return {
        "video-init.mp4": video_init(parse_avcc(AVCC)),
        "video-wide-init.mp4": video_init(parse_avcc(WIDE)),
        "audio-init.mp4": audio_init(ASC),
        "video-chunk.m4s": write_chunk(1, sequence_number(7, 3), VIDEO),
        "video-chunk-start.m4s": write_chunk(
            1, sequence_number(7, 0), VIDEO, segment_start=True, produced=ProducerTime(1_700_000_000_250, 180_000)
        ),
        "audio-chunk.m4s": write_chunk(2, sequence_number(7, 3), AUDIO),
    }


def test_the_bytes_up_to_the_end_of_the_first_sample_hold_the_whole_keyframe() -> None:
    start = write_chunk(1, sequence_number(7, 0), VIDEO, segment_start=True)
    end = keyframe_end(start)
    assert start[:end].endswith(VIDEO[0].data)
    assert start[end:] == VIDEO[1].data + VIDEO[2].data
    with pytest.raises(CmafError):
        keyframe_end(b"no chunk at all")


@st.composite
def runs(draw: st.DrawFn) -> tuple[Sample, ...]:
    dts = draw(st.integers(0, 1 << 60))
    samples = []
    for _ in range(draw(st.integers(1, 12))):
        duration = draw(st.sampled_from([0, 1024, 3000, 3001]) | st.integers(0, (1 << 32) - 1))
        offset = draw(st.just(0) | st.integers(-(1 << 31), (1 << 31) - 1))
        samples.append(Sample(draw(st.binary(max_size=20)), dts, offset, duration, draw(st.booleans())))
        dts += duration
    return tuple(samples)


@settings(deadline=None)
@given(runs(), st.integers(1, 9), st.integers(0, (1 << 32) - 1), st.booleans(), st.booleans())
def test_a_chunk_is_read_as_it_was_written(
    samples: tuple[Sample, ...], track: int, sequence: int, start: bool, timed: bool
) -> None:
    produced = ProducerTime(1_700_000_000_000, samples[0].dts) if timed else None
    data = write_chunk(track, sequence, samples, segment_start=start, produced=produced)
    found = parse_chunk(data)
    assert (found.track_id, found.sequence, found.base_decode_time) == (track, sequence, samples[0].dts)
    assert found.samples == samples
    assert found.duration == sum(sample.duration for sample in samples)


@pytest.mark.parametrize("name", sorted(golden_files()))
def test_bytes_never_change(name: str) -> None:
    assert golden_files()[name].hex(" ", 4) == (GOLDEN / name).read_bytes().hex(" ", 4)


def test_what_samples_share_is_written_once() -> None:
    short = write_chunk(1, 1, tuple(Sample(b"a", n * 3000, 0, 3000, keyframe=n == 0) for n in range(10)))
    mixed = write_chunk(1, 1, tuple(Sample(b"a", n * 3000, n % 2, 3000, keyframe=n % 3 == 0) for n in range(10)))
    assert len(mixed) - len(short) == 10 * 8 - 8  # flags and offsets a sample, without two shared flags


@settings(deadline=None)
@given(st.data())
def test_a_damaged_chunk_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    chunk = bytearray(data.draw(st.sampled_from(list(golden_files().values()))))
    for _ in range(data.draw(st.integers(1, 3))):
        chunk[data.draw(st.integers(0, len(chunk) - 1))] = data.draw(st.integers(0, 255))
    for read in (parse_chunk, parse_init):
        try:
            read(bytes(chunk))
        except CmafError:
            continue


def test_every_cut_of_a_chunk_is_refused() -> None:
    whole = write_chunk(1, 1, VIDEO)
    for size in range(len(whole)):
        with pytest.raises(CmafError):
            parse_chunk(whole[:size])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"trun\1", b"free\1", "expected one b'trun'"),
        (b"tfhd\0\2", b"tfhd\0\0", "expected default-base-is-moof"),
        (b"moof", b"moov", "expected one moof and one mdat, found moov, mdat"),
        (b"\0\0\0\3\0\0\0\x8c", b"\xff\xff\xff\xff\0\0\0\x8c", f"4294967295 samples, expected 1 to {MAX_SAMPLES}"),
        (b"\0\0\0\3\0\0\0\x8c", b"\0\0\0\3\0\0\0\x10", "expected it in the mdat"),
        (b"\0\0\0\3\0\0\0\x8c", b"\0\0\0\3\0\0\0\x9c", "passes the end of the mdat"),
    ],
)
def test_a_chunk_of_another_shape_is_refused_with_what_was_expected(old: bytes, new: bytes, says: str) -> None:
    whole = write_chunk(1, 1, VIDEO)
    assert whole.count(old) == 1
    with pytest.raises(CmafError, match=says):
        parse_chunk(whole.replace(old, new))


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        ((), "chunk of 0 samples"),
        ((VIDEO[0], VIDEO[2]), "sample at 186000, expected 183000"),
        ((Sample(b"", -1, 0, 1, keyframe=True),), "sample at -1"),
        ((Sample(b"", 0, 0, 1 << 32, keyframe=True),), "sample duration 4294967296"),
        ((Sample(b"", 0, 1 << 31, 1, keyframe=True),), "offset 2147483648"),
        (tuple(Sample(b"", n, 0, 1, keyframe=True) for n in range(MAX_SAMPLES + 1)), "chunk of 4097 samples"),
    ],
)
def test_samples_that_make_no_chunk_are_refused(samples: tuple[Sample, ...], says: str) -> None:
    with pytest.raises(CmafError, match=says):
        write_chunk(1, 1, samples)


def test_headers_are_read_as_they_were_written() -> None:
    video, audio = parse_init(video_init(parse_avcc(AVCC))), parse_init(audio_init(ASC))
    assert (video.kind, video.track_id, video.timescale, video.codecs) == ("video", 1, 90_000, "avc1.640028")
    assert (video.config, video.width, video.height) == (AVCC, 1920, 1080)
    assert (audio.kind, audio.track_id, audio.timescale, audio.codecs) == ("audio", 2, 48_000, "mp4a.40.2")
    assert (audio.config, audio.sample_rate, audio.channels) == (ASC, 48_000, 2)


@pytest.mark.parametrize("cut", range(0, len(audio_init(ASC)), 7))
def test_a_header_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(CmafError):
        parse_init(audio_init(ASC)[:cut])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"avc1", b"vp09", "sample entry 'vp09', expected 'avc1', 'hvc1', 'av01' or 'mp4a'"),
        (b"avcC\1", b"avcC\2", "avcC version 2, expected 1"),
        (b"moov", b"moof", "expected a 'moov' box, found ftyp, moof"),
    ],
)
def test_a_header_of_another_shape_is_refused_with_what_was_expected(old: bytes, new: bytes, says: str) -> None:
    with pytest.raises(CmafError, match=says):
        parse_init(video_init(parse_avcc(AVCC)).replace(old, new))


def test_a_rate_beyond_16_bits_is_left_to_the_configuration() -> None:
    info = parse_init(audio_init(bytes.fromhex("1010")))
    assert (info.timescale, info.sample_rate) == (96_000, 96_000)


def test_ffmpeg_reads_the_shape_of_samples_from_the_header() -> None:
    data = video_init(parse_avcc(WIDE)) + write_chunk(1, 1, VIDEO)
    with av.open(io.BytesIO(data), mode="r") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (720, 576, Fraction(16, 15))


def test_sequence_numbers_rise_along_a_track() -> None:
    numbers = [sequence_number(segment, part) for segment in range(3) for part in range(40)]
    assert numbers == sorted(set(numbers))
    assert sequence_number(1 << 40, 5) < 1 << 32


@pytest.mark.parametrize("wall_ms", [0, 1, 999, 1_700_000_000_001, 1_796_128_432_687])
def test_the_wall_clock_of_a_segment_is_read_back_to_the_millisecond(wall_ms: int) -> None:
    assert produced_ms(producer_time(1, ProducerTime(wall_ms, 5))) == wall_ms
    assert produced_ms(b"") is None
