import contextlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.h264 import access_unit
from media.h265 import H265Error, NalType, is_irap, parse_hvcc, parse_sps
from tests.media.other_codecs import Made, make

CLIP = Made("hvc1", frames=3)


def test_a_picture_of_1088_lines_is_cropped_to_1080() -> None:
    sps = parse_hvcc(make(Made("hvc1", width=1920, height=1080, frames=2)).record).picture
    assert (sps.width, sps.height, sps.frame_rate, sps.display_width) == (1920, 1080, Fraction(30), 1920)
    assert (sps.bit_depth_luma, sps.chroma_format, sps.profile_tier_level[11]) == (8, 1, 120)


@pytest.mark.parametrize(
    ("made", "codecs"),
    [
        (Made("hvc1", frames=3), "hvc1.1.6.L30.90"),
        (Made("hvc1", width=640, height=362, frames=3), "hvc1.1.6.L63.90"),
        (Made("hvc1", frames=3, pix_fmt="yuv420p10le"), "hvc1.2.4.L30.90"),
        (Made("hvc1", frames=3, pix_fmt="yuv444p", width=98, height=50), "hvc1.4.10.L30.9E.8"),
    ],
    ids=str,
)
def test_what_x265_writes_is_named_and_measured(made: Made, codecs: str) -> None:
    config = parse_hvcc(make(made).record)
    assert config.codecs == codecs
    assert (config.picture.width, config.picture.height) == (made.width, made.height)
    assert (config.picture.frame_rate, config.length_size) == (Fraction(30), 4)


def test_a_shorter_length_becomes_one_of_four_bytes_and_nothing_else_changes() -> None:
    record = bytearray(make(CLIP).record)
    record[21] = record[21] & 0xFC | 1
    config = parse_hvcc(bytes(record))
    assert config.length_size == 2
    assert config.with_four_byte_lengths().record == make(CLIP).record


@pytest.mark.parametrize(
    ("kind", "begins"),
    [(1, False), (9, False), (16, True), (18, True), (19, True), (20, True), (21, True), (24, False), (39, False)],
)
def test_decoding_begins_at_idr_bla_and_cra(kind: int, begins: bool) -> None:
    unit = access_unit([bytes((NalType.PPS << 1, 1, 0)), bytes((kind << 1, 1, 7))])
    assert is_irap(unit) is begins


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:22], "hvcC of 22 bytes"),
        (lambda data: b"\2" + data[1:], "hvcC version 2"),
        (lambda data: data[:21] + b"\2" + data[22:], "lengths of 3 bytes"),
        (lambda data: data[:22] + b"\0", "without a parameter set of type 32"),
        (lambda data: data[:22] + b"\xff" + data[23:], "255 arrays"),
        (lambda data: data[:30], "found"),
    ],
)
def test_a_malformed_record_is_refused_with_what_was_expected(change: "object", says: str) -> None:
    assert callable(change)
    with pytest.raises(H265Error, match=says):
        parse_hvcc(change(make(CLIP).record))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_records_raise_nothing_but_the_modules_error(data: st.DataObject) -> None:
    record = bytearray(make(CLIP).record)
    for at in data.draw(st.lists(st.integers(0, len(record) - 1), max_size=8)):
        record[at] = data.draw(st.integers(0, 255))
    damaged = bytes(record[: data.draw(st.integers(0, len(record)))])
    with contextlib.suppress(H265Error):
        parse_hvcc(damaged)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_as_access_unit_or_sps_raise_nothing_but_the_modules_error(data: bytes) -> None:
    for read in (is_irap, lambda body: parse_sps(bytes((NalType.SPS << 1, 1)) + body)):
        with contextlib.suppress(H265Error):
            read(data)
