import contextlib
from fractions import Fraction

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.h264 import (
    MAX_NALS,
    AvcConfig,
    H264Error,
    Sps,
    access_unit,
    annex_b,
    annex_b_nals,
    avc_config,
    build_avcc,
    is_idr,
    nal_units,
    parse_avcc,
    parse_sps,
    with_four_byte_lengths,
)

# avcC records that libx264 wrote: cropped High, Baseline, interlaced with sample aspect 16:15, 4:4:4 with HRD.
HIGH = "01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c65801000668ebe3cb22c0fdf8f800"
BASELINE = "0142c01effe100196742c01eda0280bfe5c044000003000400000300c83c58ba8001000468ce0fc8"
INTERLACED = "0164001effe1001c6764001eacd940b424dff8008000788000000300800000190f8a14cb01000668fba3cb22c0fdf8f800"
FULL_CHROMA = (
    "01f40015ffe1002467f40015919681519e3e2f011000000300100000078604000f424001e84a4d28078b1750"
    "01000768ce0f19100640fff8f800"
)
RECORDS = [
    (HIGH, "avc1.640028", (1920, 1080), (1, 1), Fraction(30_000, 1001), 2),
    (BASELINE, "avc1.42c01e", (640, 360), (1, 1), Fraction(25), 0),
    (INTERLACED, "avc1.64001e", (720, 576), (16, 15), Fraction(25), 2),
    (FULL_CHROMA, "avc1.f40015", (322, 182), (1, 1), Fraction(60), 0),
]

nals = st.lists(
    st.tuples(st.integers(1, 31), st.binary(max_size=40)).map(
        # An encoder escapes these, and ends no NAL unit with zero.
        lambda made: bytes((made[0],)) + made[1].replace(b"\0", b"\1") + b"\x80"
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize(("record", "codecs", "size", "aspect", "rate", "reorder"), RECORDS)
def test_real_records_say_what_the_encoder_was_told(
    record: str, codecs: str, size: tuple[int, int], aspect: tuple[int, int], rate: Fraction, reorder: int
) -> None:
    config = parse_avcc(bytes.fromhex(record))
    picture = config.picture
    assert config.codecs == codecs
    assert (picture.width, picture.height) == size
    assert picture.sample_aspect == aspect
    assert (picture.frame_rate, picture.max_reorder_frames) == (rate, reorder)


@pytest.mark.parametrize("record", [row[0] for row in RECORDS])
def test_a_record_that_was_read_is_written_as_it_was(record: str) -> None:
    assert build_avcc(parse_avcc(bytes.fromhex(record))).hex() == record


@pytest.mark.parametrize("record", [row[0] for row in RECORDS])
def test_every_cut_of_a_record_is_refused_or_lacks_only_the_chroma_fields(record: str) -> None:
    data = bytes.fromhex(record)
    whole = parse_avcc(data)
    for size in range(len(data)):
        try:
            found = parse_avcc(data[:size])
        except H264Error:
            continue
        assert (found.sps, found.pps) == (whole.sps, whole.pps)
        assert size >= len(data) - 4


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_a_parameter_set_or_an_error(data: bytes) -> None:
    try:
        found = parse_sps(b"\x67" + data)
    except H264Error:
        return
    assert isinstance(found, Sps)
    assert 0 < found.width <= 16_384


@settings(deadline=None)
@given(st.data())
def test_a_damaged_record_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    record = bytearray.fromhex(data.draw(st.sampled_from([row[0] for row in RECORDS])))
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(H264Error):
        assert parse_avcc(bytes(record)).picture.width <= 16_384


def test_wide_samples_make_a_wider_picture() -> None:
    picture = parse_avcc(bytes.fromhex(INTERLACED)).picture
    assert (picture.display_width, picture.height) == (768, 576)


def test_an_encoders_extradata_gives_the_record() -> None:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 162, 90, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.flags |= 0x400000  # AV_CODEC_FLAG_GLOBAL_HEADER
    encoder.open()
    config = avc_config(bytes(encoder.extradata or b""))
    assert parse_avcc(build_avcc(config)) == config
    assert (config.picture.width, config.picture.height) == (162, 90)


@settings(deadline=None)
@given(nals)
def test_annex_b_and_length_prefixes_hold_the_same_units(units: list[bytes]) -> None:
    unit = access_unit(units)
    assert list(nal_units(unit)) == units
    assert list(annex_b_nals(annex_b(unit))) == units


@settings(deadline=None)
@given(nals, st.sampled_from([1, 2, 4]))
def test_other_length_sizes_are_made_four_bytes(units: list[bytes], size: int) -> None:
    packed = b"".join(len(nal).to_bytes(size, "big") + nal for nal in units)
    assert with_four_byte_lengths(packed, size) == access_unit(units)


def test_annex_b_takes_the_parameter_sets_along() -> None:
    config = parse_avcc(bytes.fromhex(BASELINE))
    found = list(annex_b_nals(annex_b(access_unit([b"\x65\x88\x80"]), config)))
    assert found == [config.sps[0], config.pps[0], b"\x65\x88\x80"]


def test_an_idr_is_found_behind_other_units() -> None:
    assert is_idr(access_unit([b"\x09\xf0", b"\x06\x05\x80", b"\x65\x88"]))
    assert not is_idr(access_unit([b"\x09\xf0", b"\x06\x05\x80", b"\x41\x9a"]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\0\0\0\5\x65", "NAL unit of 5 bytes at byte 4"),
        (b"\0\0\0\0", "NAL unit of 0 bytes"),
        (b"\0\0\0\1\x65\0\0", "at byte 9"),
        (access_unit([b"\x41"] * (MAX_NALS + 1)), "more than 4096"),
    ],
)
def test_a_malformed_access_unit_is_refused_with_its_place(data: bytes, says: str) -> None:
    with pytest.raises(H264Error, match=says):
        is_idr(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\1", "avcC of 1 bytes, expected 7"),
        (b"\2" + bytes.fromhex(BASELINE)[1:], "version 2, expected 1"),
        (bytes.fromhex("01640028fee0" + "00"), "3 bytes, expected 1, 2 or 4"),
        (bytes.fromhex("01640028ffe0" + "00"), "0 SPS and 0 PPS"),
        (bytes.fromhex("01640028ffe100046842c01e00"), "type 8 at byte 6, expected 7"),
    ],
)
def test_a_wrong_record_is_refused_with_what_was_expected(data: bytes, says: str) -> None:
    with pytest.raises(H264Error, match=says):
        parse_avcc(data)


def test_a_config_without_parameter_sets_cannot_be_made() -> None:
    with pytest.raises(H264Error, match="at least one of each"):
        AvcConfig(4, (), ())
