"""What is made of stored segments later is, byte for byte, what the ladder would have made live."""

from itertools import groupby

import pytest

from media.cmaf import CmafError, split_chunks
from media.ladder import Rung, requested_rendition
from processors.gop import Gop
from processors.remake import Source, StoredSegment, lost, remake, source_size
from schemas.events import TrackInfo
from tests.processors.gops import TIMESCALE, VIDEO_ID, Clip, assert_contiguous, decoded, make_gops, samples_of

CLIP = Clip(gop_frames=24, part_frames=6, segment_parts=2, b_frames=2)
RENDITION = requested_rendition(CLIP.width, CLIP.height, Rung(64, 100_000))
INFO = TrackInfo(codecs="avc1.64000b", width=CLIP.width, height=CLIP.height, frame_rate=30.0, sample_rate=0, channels=0)
SOURCE = Source(VIDEO_ID, "ann", INFO)


def stored(clip: Clip = CLIP) -> list[StoredSegment]:
    (gop,) = make_gops(clip)
    init = gop.video[0].init or b""
    return [
        StoredSegment(number, 0, 0, TIMESCALE, parts[0].captured_ms, init, b"".join(part.data for part in parts))
        for number, parts in ((n, list(of)) for n, of in groupby(gop.video, key=lambda chunk: chunk.segment))
    ]


def test_the_bytes_are_those_of_the_live_ladder() -> None:
    (gop,) = make_gops(CLIP)
    live, parts = Gop(gop.video[0], (RENDITION,), "ultrafast"), []
    for chunk in gop.video:
        parts += live.encode(0, live.step(chunk))
    parts += live.encode(0, live.finish())
    made = remake(SOURCE, stored(), RENDITION, "ultrafast")
    assert made.problem == ""
    assert b"".join(made.objects[f"{n:08d}.m4s"] for n in (0, 1)) == b"".join(part.data for part in parts)
    assert [(s.segment, [p.size for p in s.parts]) for s in made.segments] == [
        (0, [len(part.data) for part in parts[:2]]),
        (1, [len(part.data) for part in parts[2:]]),
    ]
    assert made.info is not None
    assert (made.info.width, made.info.height) == (RENDITION.width, 64)


def test_every_picture_of_the_source_is_there_at_its_time() -> None:
    made = remake(SOURCE, stored(), RENDITION, "ultrafast")
    data = [chunk for n in (0, 1) for chunk in split_chunks(made.objects[f"{n:08d}.m4s"])]
    assert_contiguous(samples_of(data))
    init = made.objects[made.segments[0].init.rpartition("/")[2]]
    assert len(decoded(init, data)) == CLIP.gop_frames
    starts = [part.captured_ms for segment in made.segments for part in segment.parts]
    assert starts == [chunk.captured_ms for chunk in make_gops(CLIP)[0].video]


def test_a_segment_that_cannot_be_read_is_lost_with_all_that_needs_it() -> None:
    first, second = stored()
    broken = StoredSegment(second.number, 0, 0, TIMESCALE, second.start_ms, second.init, second.data[:-9])
    made = remake(SOURCE, [first, broken], RENDITION, "ultrafast")
    assert [len(segment.parts) for segment in made.segments] == [2, 0]
    assert made.problem.startswith("segment 1: box b'mdat'")
    assert "00000001.m4s" not in made.objects


def test_bytes_that_are_no_video_make_nothing_and_say_why() -> None:
    first, second = stored()
    noise = StoredSegment(0, 0, 0, TIMESCALE, 0, first.init, b"\0" * 64)
    made = remake(SOURCE, [noise, second], RENDITION, "ultrafast")
    assert made.objects == {}
    assert made.info is None
    assert [len(segment.parts) for segment in made.segments] == [0, 0]
    assert made.problem


def test_what_is_lost_follows_what_was_made() -> None:
    first, _ = stored()
    made = remake(SOURCE, [first], RENDITION, "ultrafast").with_lost(lost(1, 2, "the source of segment 1 is lost"))
    assert [(segment.segment, len(segment.parts)) for segment in made.segments] == [(0, 2), (1, 0), (2, 0)]
    assert made.problem == "the source of segment 1 is lost"


def test_the_size_is_that_of_the_init_segment_or_else_what_the_index_says() -> None:
    assert source_size(SOURCE, stored()[0].init) == (CLIP.width, CLIP.height)
    assert source_size(SOURCE, b"") == (CLIP.width, CLIP.height)


def test_segments_are_split_into_their_chunks_and_nothing_else_is_taken() -> None:
    (gop,) = make_gops(CLIP)
    data = [chunk.data for chunk in gop.video]
    assert split_chunks(b"".join(data)) == data
    for wrong in (b"", b"".join(data)[:-1], data[0] + b"\0\0\0\x08moov", data[0] + b"\0\0\0\x08free"):
        with pytest.raises(CmafError):
            split_chunks(wrong)
