"""GOPs of H.265 and AV1 through the ladder: every picture once, at its time, in parts that join."""

import itertools

import pytest

from media.cmaf import parse_chunk
from media.ladder import parse_rungs
from media.packaged import Chunk, PackagerSettings, StartPosition
from media.packager import Packager
from processors.encoder import MadePart
from processors.gop import Gop, renditions_of
from producers.broadcast import media_chunk
from schemas.events import MediaChunk
from tests.media.other_codecs import Made, make, mark, package
from tests.processors.gops import assert_contiguous, decoded, samples_of

RUNGS = parse_rungs("80:300,64:150")
CLIPS = [Made("hvc1"), Made("hvc1", pix_fmt="yuv420p10le"), Made("av01")]


def gops(made: Made) -> list[list[MediaChunk]]:
    found: dict[int, list[MediaChunk]] = {}
    for out in package(made):
        if isinstance(out, Chunk):
            found.setdefault(out.gop, []).append(media_chunk("0123456789abcdefghjk", "ann", out, 0))
    return list(found.values())


def run(chunks: list[MediaChunk]) -> tuple[dict[str, list[MadePart]], set[str | None]]:
    gop = Gop(chunks[0], renditions_of(chunks[0], RUNGS), "superfast")
    made: dict[str, list[MadePart]] = {encoder.rendition.name: [] for encoder in gop.encoders}
    problems = set()
    for scaled in [*(gop.step(chunk) for chunk in chunks), gop.finish()]:
        for index, encoder in enumerate(gop.encoders):
            made[encoder.rendition.name] += gop.encode(index, scaled)
        problems.add(scaled.problem)
    return made, problems


@pytest.mark.parametrize("made", CLIPS, ids=str)
def test_every_picture_comes_out_once_at_its_time(made: Made) -> None:
    first = 0
    for chunks in gops(made):
        parts, problems = run(chunks)
        assert problems == {None}
        source = samples_of(chunk.data for chunk in chunks)
        assert list(parts) == ["80p", "64p"]
        for of in parts.values():
            pictures = decoded(of[0].init, [part.data for part in of])
            assert [p.pts for p in pictures] == sorted(s.dts + s.cts_offset for s in source)
            assert all(abs(p.level - mark(first + n)) < 20 for n, p in enumerate(pictures)), [p.level for p in pictures]
            assert_contiguous(samples_of(part.data for part in of))
        first += len(source)
    assert first == made.frames


def test_pictures_that_an_open_gop_takes_from_the_one_before_it_are_covered() -> None:
    for chunks in gops(Made("hvc1", closed=False)):
        parts, _ = run(chunks)
        for of in parts.values():
            found = [parse_chunk(part.data) for part in of]
            assert [(one.base_decode_time, one.duration) for one in found] == [(c.dts, c.duration) for c in chunks]
            assert of[0].independent
            assert_contiguous([sample for one in found for sample in one.samples])


def test_a_stuttering_source_gives_parts_of_the_same_times_and_every_picture() -> None:
    clip = make(Made("av01"))
    packager = Packager(PackagerSettings(), StartPosition())
    outputs, late_ms = packager.video_config(clip.record, "av01"), 0
    for number, packet in enumerate(clip.packets):
        late_ms += {10: 700, 29: 450, 45: 150}.get(number, 0)
        outputs += packager.video(packet.dts_ms + late_ms, packet.composition_ms, packet.key, packet.data, 0)
    outputs += packager.finish()
    chunks = [media_chunk("0123456789abcdefghjk", "ann", out, 0) for out in outputs if isinstance(out, Chunk)]
    assert all(chunk.duration <= 200 * 90 for chunk in chunks)
    found = 0
    for _, group in itertools.groupby(chunks, key=lambda chunk: chunk.gop):
        mine = list(group)
        parts, problems = run(mine)
        assert problems == {None}
        source = samples_of(chunk.data for chunk in mine)
        for of in parts.values():
            assert [(p.planned.chunk.dts, p.planned.chunk.duration) for p in of] == [(c.dts, c.duration) for c in mine]
            shown = [picture.pts for picture in decoded(of[0].init, [part.data for part in of])]
            assert shown == sorted(s.dts + s.cts_offset for s in source)
        found += len(source)
    assert found == len(clip.packets)
