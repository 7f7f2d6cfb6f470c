import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtmp.amf0 import AmfDate, AmfValue, EcmaArray, decode, encode
from media.rtmp.errors import AmfError, LimitError, RtmpError
from media.rtmp.limits import RtmpLimits

LIMITS = RtmpLimits()

# The wire form of each type, from the AMF 0 specification (sections 2.2 to 2.18).
BOTH_WAYS: list[tuple[AmfValue, str]] = [
    (1.0, "00 3ff0000000000000"),
    (-0.5, "00 bfe0000000000000"),
    (True, "01 01"),
    (False, "01 00"),
    ("live", "02 0004 6c697665"),
    ("", "02 0000"),
    ("ü", "02 0002 c3bc"),
    ({"a": None, "b": 1.0}, "03 0001 61 05 0001 62 00 3ff0000000000000 0000 09"),
    ({}, "03 0000 09"),
    (None, "05"),
    (EcmaArray({"k": "v"}), "08 00000001 0001 6b 02 0001 76 0000 09"),
    ([None, True], "0a 00000002 05 01 01"),
    ([], "0a 00000000"),
    (AmfDate(1000.0), "0b 408f400000000000 0000"),
]

ONE_WAY: list[tuple[AmfValue, str]] = [
    (None, "06"),
    (None, "0d"),
    (True, "01 02"),
    ("long", "0c 00000004 6c6f6e67"),
    ("<a/>", "0f 00000004 3c612f3e"),
    ({"x": "y"}, "10 0003 466f6f 0001 78 02 0001 79 0000 09"),
    ({"k": "v"}, "08 00000000 0001 6b 02 0001 76 0000 09"),
    ({"k": "v"}, "08 00000001 0001 6b 02 0001 76"),
    ("\ufffd", "02 0001 ff"),
]


@pytest.mark.parametrize(("value", "wire"), BOTH_WAYS)
def test_values_are_written_as_the_specification_says(value: AmfValue, wire: str) -> None:
    assert encode(value) == bytes.fromhex(wire)


@pytest.mark.parametrize(("value", "wire"), BOTH_WAYS + ONE_WAY)
def test_values_are_read_as_the_specification_says(value: AmfValue, wire: str) -> None:
    read = decode(bytes.fromhex(wire), LIMITS)
    assert read == [value]
    if isinstance(value, EcmaArray):
        assert isinstance(read[0], EcmaArray)


def test_a_string_that_is_too_long_for_16_bits_is_written_as_a_long_string() -> None:
    text = "x" * 70_000
    wire = encode(text)
    assert wire[:5] == b"\x0c" + (70_000).to_bytes(4, "big")
    assert decode(wire, RtmpLimits(amf_string_bytes=70_000)) == [text]


def test_a_reference_gives_the_object_it_points_to() -> None:
    # [ {"a": null}, reference to object 1 ]; object 0 is the array itself.
    wire = bytes.fromhex("0a 00000002 03 0001 61 05 0000 09 07 0001")
    assert decode(wire, LIMITS) == [[{"a": None}, {"a": None}]]


@pytest.mark.parametrize("wire", ["0a 00000001 07 0000", "07 0000", "0a 00000001 07 0005"])
def test_a_reference_to_nothing_or_into_a_cycle_is_refused(wire: str) -> None:
    with pytest.raises(AmfError, match="reference to object"):
        decode(bytes.fromhex(wire), LIMITS)


def test_references_count_as_if_they_were_written_out() -> None:
    # Each array holds two references to the one before: 2**20 values if anyone walks over them.
    wire = bytes.fromhex("0a 00000001 05")
    for index in range(20):
        wire += bytes.fromhex("0a 00000002") + 2 * (b"\x07" + index.to_bytes(2, "big"))
    with pytest.raises(LimitError, match="more than 16384 values"):
        decode(wire, LIMITS)


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        ("00 3ff0", r"read 2 bytes at offset 1, expected 8"),
        ("02 0005 61", r"read 1 bytes at offset 3, expected 5"),
        ("03 0001 61 05", "expected 2"),
        ("03", "expected 2"),
        ("04", "marker 0x04 at offset 0"),
        ("0e", "marker 0x0e"),
        ("05 ff", "marker 0xff at offset 1"),
        ("09", "outside of an object"),
        ("11 0a", "AMF3"),
    ],
)
def test_what_is_not_amf0_is_refused_with_its_place(wire: str, says: str) -> None:
    with pytest.raises(AmfError, match=says):
        decode(bytes.fromhex(wire), LIMITS)


@pytest.mark.parametrize(
    ("limits", "wire", "says"),
    [
        (RtmpLimits(amf_string_bytes=3), "02 0004 6c697665", "string of 4 bytes, at most 3"),
        (RtmpLimits(amf_values=2), "05 05 05", "more than 2 values"),
        (RtmpLimits(amf_values=9), "0a 7fffffff", "array of 2147483647 values"),
        (RtmpLimits(amf_depth=2), "0a00000001 0a00000001 0a00000000", "deeper than 2"),
    ],
)
def test_every_limit_is_kept(limits: RtmpLimits, wire: str, says: str) -> None:
    with pytest.raises(LimitError, match=says):
        decode(bytes.fromhex(wire), limits)


def test_depth_that_is_just_allowed_is_read() -> None:
    assert decode(bytes.fromhex("0a00000001 0a00000000"), RtmpLimits(amf_depth=2)) == [[[]]]


def test_values_without_a_form_in_amf0_are_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no form"):
        encode(b"raw")
    with pytest.raises(TypeError, match="set has no form"):
        encode({"a": {1}})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="65536 bytes"):
        encode({"n" * 65_536: None})


text = st.text(max_size=40).filter(lambda s: not any(0xD800 <= ord(c) <= 0xDFFF for c in s))
leaves = st.none() | st.booleans() | st.floats(allow_nan=False) | text | st.builds(AmfDate, st.floats(allow_nan=False))
names = text.filter(bool)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names, inner, max_size=4)
        | st.dictionaries(names, inner, max_size=4).map(EcmaArray)
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, max_size=4))
def test_what_is_written_is_read_back(given_values: list[AmfValue]) -> None:
    limits = RtmpLimits(amf_depth=64)
    assert decode(encode(*given_values), limits) == given_values


@given(st.binary(max_size=200))
def test_any_bytes_give_values_or_an_rtmp_error(data: bytes) -> None:
    try:
        decode(data, LIMITS)
    except RtmpError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=3), st.data())
def test_damaged_values_give_values_or_an_rtmp_error(given_values: list[AmfValue], data: st.DataObject) -> None:
    wire = bytearray(encode(*given_values))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(wire), LIMITS)
    except RtmpError as error:
        assert str(error)  # noqa: PT017


def test_not_a_number_is_a_number() -> None:
    wire = b"\x00" + struct.pack(">d", math.nan)
    (value,) = decode(wire, LIMITS)
    assert isinstance(value, float)
    assert math.isnan(value)
