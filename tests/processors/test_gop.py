"""A GOP through the ladder: every picture once, at its time, in parts that join, in the same bytes each time."""

from dataclasses import replace

import pytest

from media.cmaf import ProducerTime, parse_chunk, parse_init, producer_time, write_chunk
from media.cmaf_init import VIDEO_TRACK_ID
from media.ladder import Rung, parse_rungs
from processors.encoder import MadePart
from processors.gop import Gop, renditions_of
from tests.processors.gops import (
    Clip,
    Shown,
    SourceGop,
    assert_contiguous,
    decoded,
    make_gops,
    mark,
    samples_of,
    with_data,
)

RUNGS = parse_rungs("720:2800,96:300,64:150")


def run(source: SourceGop, rungs: tuple[Rung, ...] = RUNGS) -> tuple[dict[str, list[MadePart]], list[str | None]]:
    """The parts of each rendition, and the problem of each chunk."""
    gop = Gop(source.video[0], renditions_of(source.video[0], rungs), "superfast")
    made: dict[str, list[MadePart]] = {encoder.rendition.name: [] for encoder in gop.encoders}
    problems = []
    for scaled in [*(gop.step(chunk) for chunk in source.video), gop.finish()]:
        for index, encoder in enumerate(gop.encoders):
            made[encoder.rendition.name] += gop.encode(index, scaled)
        problems.append(scaled.problem)
    return made, problems[:-1]


def shown(parts: list[MadePart]) -> list[Shown]:
    return decoded(parts[0].init, [part.data for part in parts])


def numbers(source: SourceGop) -> list[int]:
    """When the source's pictures are shown, in that order."""
    return sorted(s.dts + s.cts_offset for s in samples_of(chunk.data for chunk in source.video))


CLIPS = [
    Clip(),
    Clip(b_frames=2),
    Clip(b_frames=3, gop_frames=25, part_frames=7),
    Clip(b_frames=2, jitter=True),
    Clip(jitter=True, part_frames=1),
    Clip(segment_parts=2),
    Clip(segment_parts=1, b_frames=2),
    Clip(pix_fmt="yuv420p10le"),
    Clip(pix_fmt="yuv444p"),
    Clip(pix_fmt="yuvj420p"),
    Clip(interlaced=True),
    Clip(gop_frames=1, part_frames=6),
]


@pytest.mark.parametrize("clip", CLIPS, ids=str)
def test_every_picture_comes_out_once_at_its_time(clip: Clip) -> None:
    (source,) = make_gops(clip)
    made, problems = run(source)
    assert set(problems) == {None}
    for name, size in (("96p", (128, 96)), ("64p", (86, 64))):
        pictures = shown(made[name])
        assert [p.pts for p in pictures] == numbers(source)
        assert {(p.width, p.height) for p in pictures} == {size}
        assert all(abs(p.level - mark(n)) < 14 for n, p in enumerate(pictures)), [p.level for p in pictures]


@pytest.mark.parametrize("clip", CLIPS, ids=str)
def test_parts_have_the_times_of_the_sources_to_the_tick(clip: Clip) -> None:
    (source,) = make_gops(clip)
    made, _ = run(source)
    for parts in made.values():
        assert [p.planned.chunk.index for p in parts] == [c.index for c in source.video]
        chunks = [parse_chunk(p.data) for p in parts]
        assert [(c.base_decode_time, c.duration, len(c.samples)) for c in chunks] == [
            (c.dts, c.duration, c.frames) for c in source.video
        ]
        assert_contiguous(samples_of(p.data for p in parts))


@pytest.mark.parametrize("clip", [Clip(segment_parts=2), Clip(segment_parts=1, b_frames=2), Clip()], ids=str)
def test_segments_start_with_an_idr_picture_and_nothing_else_does(clip: Clip) -> None:
    (source,) = make_gops(clip)
    made, _ = run(source)
    for parts in made.values():
        assert [p.independent for p in parts] == [c.part == 0 for c in source.video]
        for part in parts:
            keyframes = [s.keyframe for s in parse_chunk(part.data).samples]
            assert keyframes == [part.independent] + [False] * (part.frames - 1)


def test_a_segment_in_the_middle_of_a_gop_can_be_played_by_itself() -> None:
    (source,) = make_gops(Clip(segment_parts=2))
    made, _ = run(source)
    second = [part for part in made["96p"] if part.planned.chunk.segment == 1]
    assert [p.pts for p in decoded(second[0].init, [p.data for p in second])] == numbers(source)[12:]


def test_gops_join_without_a_gap() -> None:
    for clip in (Clip(gops=3), Clip(gops=3, b_frames=2)):
        parts = [part for source in make_gops(clip) for part in run(source)[0]["64p"]]
        assert_contiguous(samples_of(part.data for part in parts))
        assert len({part.init for part in parts}) == 1


@pytest.mark.parametrize("clip", [Clip(), Clip(b_frames=2, segment_parts=2)], ids=str)
def test_the_same_gop_gives_the_same_bytes(clip: Clip) -> None:
    (source,) = make_gops(clip)
    first, again = run(source)[0], run(source)[0]
    assert {n: [p.data for p in parts] for n, parts in first.items()} == {
        n: [p.data for p in parts] for n, parts in again.items()
    }


def test_without_reordering_each_part_is_out_with_its_chunk() -> None:
    (source,) = make_gops(Clip())
    gop = Gop(source.video[0], renditions_of(source.video[0], RUNGS), "superfast")
    for chunk in source.video:
        (part,) = gop.encode(0, gop.step(chunk))
        assert part.planned.chunk.index == chunk.index


def test_with_reordering_a_part_is_out_with_the_next_chunk_and_the_last_at_the_end() -> None:
    (source,) = make_gops(Clip(b_frames=2))
    gop = Gop(source.video[0], renditions_of(source.video[0], RUNGS), "superfast")
    out = [[p.planned.chunk.index for p in gop.encode(0, gop.step(chunk))] for chunk in source.video]
    assert out == [[], [0], [1], [2]]
    assert [p.planned.chunk.index for p in gop.encode(0, gop.finish())] == [3]


def test_nothing_is_scaled_up_and_a_small_source_has_no_renditions() -> None:
    (source,) = make_gops(Clip(width=64, height=48))
    assert renditions_of(source.video[0], RUNGS) == ()
    (source,) = make_gops(Clip(width=96, height=160))
    assert [(r.name, r.width, r.height) for r in renditions_of(source.video[0], RUNGS)] == [("64p", 64, 106)]


def test_transcoded_segments_begin_with_the_capture_time_of_the_source() -> None:
    made, _ = run(make_gops(Clip(segment_parts=2))[0])
    for part in (part for parts in made.values() for part in parts):
        chunk = part.planned.chunk
        told = producer_time(VIDEO_TRACK_ID, ProducerTime(chunk.captured_ms, chunk.dts))
        assert (told in part.data) == (chunk.part == 0)


def test_a_rendition_describes_itself() -> None:
    (source,) = make_gops(Clip())
    made, _ = run(source)
    for name, parts in made.items():
        info = parse_init(parts[0].init)
        assert (info.codecs, info.width, info.height) == (
            parts[0].info.codecs,
            parts[0].info.width,
            parts[0].info.height,
        )
        assert info.codecs.startswith("avc1.4d40")
        assert info.timescale == 90_000
        assert f"{parts[0].info.height}p" == name


def broken_sample(data: bytes, index: int) -> bytes:
    """The chunk with one sample that is no H.264."""
    chunk = parse_chunk(data)
    samples = list(chunk.samples)
    samples[index] = replace(samples[index], data=b"\xff\xff\xff\xff" + samples[index].data[4:])
    return write_chunk(VIDEO_TRACK_ID, chunk.sequence, samples)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_chunk_that_is_no_cmaf_is_covered_by_the_picture_before_it(b_frames: int) -> None:
    (source,) = make_gops(Clip(b_frames=b_frames))
    made, problems = run(with_data(source, 1, b"\0\0\0\1garbage"))
    assert [bool(p) for p in problems] == [False, True, False, False]
    for parts in made.values():
        assert [p.planned.chunk.index for p in parts] == [0, 1, 2, 3]
        assert [parse_chunk(p.data).duration for p in parts] == [c.duration for c in source.video]
        assert_contiguous(samples_of(p.data for p in parts))
        assert shown(parts)[0].pts == numbers(source)[0]


@pytest.mark.parametrize("index", [1, 3, 5])
def test_the_time_of_a_broken_sample_goes_to_the_picture_before_it(index: int) -> None:
    (source,) = make_gops(Clip())
    made, problems = run(with_data(source, 1, broken_sample(source.video[1].data, index)))
    assert [bool(p) for p in problems] == [False, True, False, False]
    for parts in made.values():
        assert [parse_chunk(p.data).duration for p in parts] == [c.duration for c in source.video]
        assert [p.frames for p in parts] == [6, 5, 6, 6]
        assert_contiguous(samples_of(p.data for p in parts))


def test_a_gop_without_its_idr_picture_gives_no_parts() -> None:
    (source,) = make_gops(Clip())
    for data in (broken_sample(source.video[0].data, 0), b"", source.video[0].data[:-1]):
        made, problems = run(with_data(source, 0, data))
        assert all(problems)
        assert made == {"96p": [], "64p": []}


@pytest.mark.parametrize("init", [None, b"", b"\0\0\0\x08moov"])
def test_a_gop_without_an_init_segment_gives_no_parts_but_knows_its_renditions(init: bytes | None) -> None:
    (source,) = make_gops(Clip())
    chunks = (replace(source.chunks[0], init=init), *source.chunks[1:])
    made, problems = run(replace(source, chunks=chunks))
    assert all(problems)
    assert made == {"96p": [], "64p": []}


def test_any_damage_to_a_chunk_is_survived_and_keeps_the_time() -> None:
    (source,) = make_gops(Clip(b_frames=2, gop_frames=18))
    good = source.video[1].data
    for at in range(0, len(good), max(1, len(good) // 40)):
        damaged = good[:at] + bytes([good[at] ^ 0x5A]) + good[at + 1 :]
        made, _ = run(with_data(source, 1, damaged), parse_rungs("64:150"))
        samples = samples_of(p.data for p in made["64p"])
        assert [p.planned.chunk.index for p in made["64p"]] == [0, 1, 2]
        assert len(samples) <= 18
