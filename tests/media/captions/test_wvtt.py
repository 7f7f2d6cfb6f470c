"""WebVTT in CMAF segments."""

from hypothesis import given
from hypothesis import strategies as st

from media.boxes import Box, child, descend, iter_boxes
from media.captions.cues import Cue
from media.captions.wvtt import MAX_CUES, MAX_SHOWN, text_segment
from media.cmaf import MAX_SAMPLES, parse_chunk
from media.cmaf_init import TEXT_TIMESCALE, TEXT_TRACK_ID, text_init


def samples(cues: list[Cue], start_ms: int = 2_000, end_ms: int = 4_000) -> list[tuple[int, int, list[str]]]:
    """(start, end, what is shown) of the samples of a segment, in ms."""
    chunk = parse_chunk(text_segment(cues, start_ms, end_ms, 1))
    assert chunk.track_id == TEXT_TRACK_ID
    assert all(sample.keyframe for sample in chunk.samples)
    return [(s.dts, s.dts + s.duration, shown(s.data)) for s in chunk.samples]


def shown(data: bytes) -> list[str]:
    found = list(iter_boxes(data))
    if [one.kind for one in found] == [b"vtte"]:
        return []
    assert {one.kind for one in found} == {b"vttc"}
    return [content(data, child(data, one, b"payl")) for one in found]


def content(data: bytes, inside: Box) -> str:
    return data[inside.start : inside.end].decode()


def test_a_header_says_that_its_track_is_web_vtt() -> None:
    data = text_init()
    ftyp, moov = iter_boxes(data)
    assert b"cwvt" in data[ftyp.start : ftyp.end], "ISO/IEC 23000-19, 11.3.2"
    mdia = descend(data, moov, b"trak", b"mdia")
    handler = child(data, mdia, b"hdlr")
    assert data[handler.start + 8 : handler.start + 12] == b"text"
    timed = child(data, mdia, b"mdhd")
    assert int.from_bytes(data[timed.start + 12 : timed.start + 16], "big") == TEXT_TIMESCALE
    table = descend(data, mdia, b"minf", b"stbl", b"stsd")
    (entry,) = iter_boxes(data, table.start + 8, table.end)
    assert entry.kind == b"wvtt"
    assert content(data, child(data, entry, b"vttC", 8)) == "WEBVTT"


def test_14496_30_7_3_samples_fill_the_segment_and_change_when_what_is_shown_does() -> None:
    cues = [Cue(1_000, 2_500, "a"), Cue(2_300, 3_000, "b"), Cue(3_500, 9_000, "c")]
    assert samples(cues) == [
        (2_000, 2_300, ["a"]),
        (2_300, 2_500, ["a", "b"]),
        (2_500, 3_000, ["b"]),
        (3_000, 3_500, []),
        (3_500, 4_000, ["c"]),
    ]


def test_14496_30_7_4_a_segment_without_cues_is_one_empty_sample() -> None:
    assert samples([]) == [(2_000, 4_000, [])]
    assert samples([Cue(0, 2_000, "before"), Cue(4_000, 5_000, "after"), Cue(3_000, 3_000, "never")]) == [
        (2_000, 4_000, [])
    ]


def test_14496_30_7_4_pieces_of_a_cue_have_its_source_and_its_settings() -> None:
    cues = [Cue(2_000, 4_000, "long", "line:80%"), Cue(3_000, 4_000, "late")]
    chunk = parse_chunk(text_segment(cues, 2_000, 4_000, 1))
    sources, settings = [], []
    for sample in chunk.samples:
        for cue in iter_boxes(sample.data):
            source = child(sample.data, cue, b"vsid")
            sources.append(sample.data[source.start : source.end])
            settings += [
                content(sample.data, one) for one in iter_boxes(sample.data, cue.start, cue.end) if one.kind == b"sttg"
            ]
    assert sources[0] == sources[1] != sources[2]
    assert settings == ["line:80%", "line:80%"]


def test_very_many_cues_at_once_make_no_very_large_segment() -> None:
    cues = [Cue(2_000 + n % 900, 4_000 - n % 700, "x" * 100) for n in range(20_000)]
    found = parse_chunk(text_segment(cues, 2_000, 4_000, 1))
    assert len(found.samples) <= 2 * MAX_CUES + 1 <= MAX_SAMPLES
    assert max(len(list(iter_boxes(sample.data))) for sample in found.samples) == MAX_SHOWN


@given(
    st.lists(st.tuples(st.integers(0, 6_000), st.integers(1, 4_000)), max_size=MAX_SHOWN),
    st.integers(0, 4_000),
    st.integers(1, 3_000),
)
def test_at_any_moment_a_segment_shows_the_cues_of_that_moment(
    times: list[tuple[int, int]], start_ms: int, lasts_ms: int
) -> None:
    cues = [Cue(at, at + lasts, str(number)) for number, (at, lasts) in enumerate(times)]
    end_ms = start_ms + lasts_ms
    found = samples(cues, start_ms, end_ms)
    assert found[0][0] == start_ms
    assert found[-1][1] == end_ms
    for since, until, texts in found:
        for at in (since, until - 1):
            assert texts == [cue.text for cue in cues if cue.start_ms <= at < cue.end_ms]
