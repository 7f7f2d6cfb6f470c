import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.av1 import Av1Error, ObuType, obus, parse_av1c, sample
from tests.media.other_codecs import Made, make

CLIP = Made("av01", frames=3)


def obu(kind: int, payload: bytes, *, sized: bool = True) -> bytes:
    return bytes((kind << 3 | 2, len(payload))) + payload if sized else bytes((kind << 3,)) + payload


DELIMITER = obu(ObuType.TEMPORAL_DELIMITER, b"")
KEY, SHOWN_INTER, HIDDEN_KEY, REPEATED = b"\x10rest", b"\x30rest", b"\x00rest", b"\x88rest"


@pytest.mark.parametrize(
    ("made", "codecs"),
    [
        (Made("av01", frames=3), "av01.0.00M.08"),
        (Made("av01", width=1280, height=720, frames=3), "av01.0.05M.08"),
        (Made("av01", frames=3, pix_fmt="yuv420p10le", width=322, height=182), "av01.0.00M.10"),
    ],
    ids=str,
)
def test_what_svt_av1_writes_is_named_and_measured(made: Made, codecs: str) -> None:
    config = parse_av1c(make(made).record)
    assert config.codecs == codecs
    assert (config.picture.width, config.picture.height) == (made.width, made.height)


@pytest.mark.parametrize(
    ("payload", "begins"), [(KEY, True), (SHOWN_INTER, False), (HIDDEN_KEY, False), (REPEATED, False)]
)
@pytest.mark.parametrize("kind", [ObuType.FRAME, ObuType.FRAME_HEADER])
def test_decoding_begins_at_a_key_frame_that_is_shown(kind: int, payload: bytes, begins: bool) -> None:
    assert sample(obu(kind, payload)) == (obu(kind, payload), begins)


def test_temporal_delimiters_and_padding_are_left_out_and_the_last_obu_gets_a_size() -> None:
    unit = DELIMITER + obu(ObuType.PADDING, b"xx") + obu(ObuType.FRAME, KEY, sized=False)
    assert sample(unit) == (obu(ObuType.FRAME, KEY), True)


def test_a_large_obu_without_a_size_gets_one_of_several_bytes() -> None:
    payload = KEY + bytes(300)
    (kept, _) = sample(obu(ObuType.FRAME, payload, sized=False))
    assert list(obus(kept)) == [(ObuType.FRAME, kept, payload)]
    assert len(kept) == 1 + 2 + len(payload)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "av1C of 0 bytes"),
        (b"\x80\0\0\0\0", "0x80"),
        (b"\x81\0\x0c\0" + DELIMITER, "without a sequence header"),
        (b"\x81\0\x0c\0" + obu(ObuType.SEQUENCE_HEADER, b"\0"), "sequence header"),
    ],
)
def test_a_malformed_record_is_refused_with_what_was_expected(data: bytes, says: str) -> None:
    with pytest.raises(Av1Error, match=says):
        parse_av1c(data)


@pytest.mark.parametrize("unit", [b"", DELIMITER, b"\x80", b"\x32\x09ab", b"\x32" + b"\xff" * 9])
def test_a_temporal_unit_without_a_whole_frame_is_refused(unit: bytes) -> None:
    with pytest.raises(Av1Error):
        sample(unit)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_records_raise_nothing_but_the_modules_error(data: st.DataObject) -> None:
    record = bytearray(make(CLIP).record)
    for at in data.draw(st.lists(st.integers(0, len(record) - 1), max_size=8)):
        record[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Av1Error):
        parse_av1c(bytes(record[: data.draw(st.integers(0, len(record)))]))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_as_temporal_unit_raise_nothing_but_the_modules_error(data: bytes) -> None:
    with contextlib.suppress(Av1Error):
        sample(data)
