"""A file made of fragments: ffmpeg finds every frame of it again, at its time."""

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest

from media.boxes import CmafError, iter_boxes
from media.packaged import Chunk, Track
from media.progressive import Span, TrackTable, epoch_shifts, movie, payload, read_chunks, read_header
from tests.media.test_packager_clips import Clip, Packaged, encode, package

CLIPS = [Clip("30", 30, 0, 4), Clip("24000/1001", 48, 3, 5, 44_100), Clip("25", 250, 2, 13)]


@pytest.fixture(scope="module", params=CLIPS, ids=str)
def packaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    clip: Clip = request.param
    path: Path = tmp_path_factory.mktemp("clip") / "clip.flv"
    encode(clip, path)
    return package(path)


def segments(packaged: Packaged, track: Track) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for chunk in packaged.chunks(track):
        found[chunk.segment] = found.get(chunk.segment, b"") + chunk.data
    return found


def init_of(packaged: Packaged, track: Track) -> bytes:
    chunks: list[Chunk] = packaged.chunks(track)
    assert chunks[0].init is not None
    return chunks[0].init


def file_of(
    packaged: Packaged,
    shifts: dict[int, Fraction] | None = None,
    cut: tuple[Fraction, Fraction] = (Fraction(0), Fraction(10**6)),
    late: dict[Track, set[int]] | None = None,
) -> bytes:
    """The whole clip; `shifts` by segment, `late` the segments that are left out of a track."""
    media: dict[Track, dict[int, bytes]] = {track: segments(packaged, track) for track in ("video", "audio")}
    tables: dict[str, TrackTable] = {}
    order: list[tuple[str, int]] = []
    body: list[bytes] = []
    for number in sorted({n for of in media.values() for n in of}):
        for track, of in media.items():
            if number in of and number not in (late or {}).get(track, set()):
                header = read_header(init_of(packaged, track))
                table = tables.setdefault(track, TrackTable(header))
                chunks = read_chunks(of[number])
                order.append((track, table.add(header, (shifts or {}).get(number, Fraction(0)), chunks)))
                body.append(payload(chunks))
    return movie(tables, order, cut) + b"".join(body)


def times(data: bytes, kind: str) -> list[Fraction]:
    """When each frame is shown, as a player sees it: edit lists applied."""
    with av.open(io.BytesIO(data), mode="r") as container:
        found = []
        for frame in container.decode(container.streams.get({kind: 0})):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.pts is not None
            assert frame.time_base is not None
            found.append(frame.pts * frame.time_base)
        return found


def test_the_index_stands_before_the_media_and_the_boxes_fill_the_file(packaged: Packaged) -> None:
    data = file_of(packaged)
    assert [found.kind for found in iter_boxes(data)] == [b"ftyp", b"moov", b"mdat"]


def test_every_frame_is_there_at_its_time(packaged: Packaged) -> None:
    data = file_of(packaged)
    shown = sorted(s.dts + s.cts_offset for s in packaged.samples("video"))
    found = times(data, "video")
    assert len(found) == len(shown)
    for at, expected in zip(found, shown, strict=True):
        assert abs(at - Fraction(expected, 90_000)) < Fraction(1, 1_000)
    rate = 1 / (times(data, "audio")[1] - times(data, "audio")[0]) * 1024
    sounds = [Fraction(s.dts) / rate for s in packaged.samples("audio")]
    heard = times(data, "audio")
    assert len(heard) == len(sounds)
    assert max(abs(a - b) for a, b in zip(heard, sounds, strict=True)) < Fraction(1, 1_000)


def test_samples_are_those_that_were_sent(packaged: Packaged) -> None:
    with av.open(io.BytesIO(file_of(packaged)), mode="r") as container:
        found = {"video": list[bytes](), "audio": list[bytes]()}
        for packet in container.demux():
            if packet.size:
                found[packet.stream.type].append(bytes(packet))
    for track in ("video", "audio"):
        assert found[track] == [sample.data for sample in packaged.samples(track)]


def test_a_track_that_begins_later_stays_in_time(packaged: Packaged) -> None:
    numbers = sorted(segments(packaged, "audio"))
    if len(numbers) < 2:
        pytest.skip("one segment")
    data = file_of(packaged, late={"audio": {numbers[0]}})
    first = min(chunk.dts for chunk in packaged.chunks("audio") if chunk.segment == numbers[1])
    rate = packaged.chunks("audio")[0].timescale
    assert abs(times(data, "audio")[0] - Fraction(first, rate)) < Fraction(1, 500)
    assert times(data, "video")[0] < Fraction(1, 10)


def test_a_cut_begins_and_ends_where_it_was_asked_to(packaged: Packaged) -> None:
    data = file_of(packaged, cut=(Fraction(3, 2), Fraction(5, 2)))
    wanted = sorted(
        Fraction(s.dts + s.cts_offset, 90_000) - Fraction(3, 2)
        for s in packaged.samples("video")
        if Fraction(3, 2) <= Fraction(s.dts + s.cts_offset, 90_000) < Fraction(5, 2)
    )
    found = [at for at in times(data, "video") if at >= 0]
    assert found
    assert abs(found[0] - wanted[0]) <= Fraction(1, 24)  # to the picture
    assert abs(len(found) - len(wanted)) <= 1
    with av.open(io.BytesIO(data), mode="r") as container:
        assert container.duration is not None
        assert abs(container.duration - 1_000_000) < 50_000


def test_epochs_follow_one_another_with_their_tracks_together() -> None:
    spans = [
        Span(0, Fraction(0), Fraction(4)),
        Span(0, Fraction(1, 10), Fraction(39, 10)),
        Span(1, Fraction(30), Fraction(33)),
        Span(1, Fraction(3001, 100), Fraction(34)),
        Span(4, Fraction(100), Fraction(101)),
    ]
    shifts = epoch_shifts(spans)
    assert shifts == {0: 0, 1: 4 - 30, 4: 8 - 100}


def test_what_is_missing_lasts_as_long_as_the_picture_before_it(packaged: Packaged) -> None:
    numbers = sorted(segments(packaged, "video"))
    if len(numbers) < 3:
        return  # nothing lies between two that are there
    data = file_of(packaged, late={"video": {numbers[1]}})
    kept = [s for c in packaged.chunks("video") if c.segment != numbers[1] for s in _samples(c)]
    found = times(data, "video")
    assert len(found) == len(kept)
    assert abs(found[-1] - Fraction(max(kept), 90_000)) < Fraction(1, 1_000)


def _samples(chunk: Chunk) -> list[int]:
    return [s.dts + s.cts_offset for part in read_chunks(chunk.data) for s in part.samples]


def test_broken_segments_are_refused(packaged: Packaged) -> None:
    whole = next(iter(segments(packaged, "video").values()))
    with pytest.raises(CmafError):
        read_chunks(whole[:-1])
    with pytest.raises(CmafError):
        read_chunks(whole + b"\0\0\0\x08free")
    with pytest.raises(CmafError):
        read_header(b"\0\0\0\x08free")
