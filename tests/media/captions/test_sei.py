"""Caption bytes in pictures of H.264 and HEVC."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.captions.sei import MAX_PICTURE_BYTES, CaptionPicture, chunk_captions, picture_captions
from media.cmaf import Sample, write_chunk
from media.errors import MediaError
from media.h264 import access_unit
from tests.media.captions.encoder import cc_data, sei, with_captions

PAIR = b"\xfc\x94\x20"
SLICE_264 = access_unit([b"\x65" + bytes(range(1, 60))])
SLICE_265 = access_unit([b"\x26\x01" + bytes(range(1, 60))])


@pytest.mark.parametrize(("codec", "slices"), [("avc1", SLICE_264), ("hvc1", SLICE_265)])
def test_triplets_come_out_of_a_picture(codec: str, slices: bytes) -> None:
    sample = with_captions(slices, [PAIR, b"\xff\x41\x42"], hevc=codec == "hvc1")
    assert picture_captions(sample, codec) == PAIR + b"\xff\x41\x42"


def metadata_obu(body: bytes) -> bytes:
    """An OBU of metadata (type 5, with its size) of ITU-T T.35, behind a temporal delimiter."""
    size = len(body) + 1
    leb = bytes((size & 127 | 128, size >> 7)) if size > 127 else bytes((size,))
    return b"\x12\x00" + b"\x2a" + leb + b"\x04" + body


def test_triplets_come_out_of_a_temporal_unit_of_av1() -> None:
    assert picture_captions(metadata_obu(cc_data([PAIR, b"\xfc\x80\x80"])), "av01") == PAIR


def test_emulation_prevention_is_taken_out() -> None:
    sample = with_captions(SLICE_264, [b"\xff\x00\x00", b"\x02\x00\x00", b"\xfe\x41\x42"])  # the second is padding
    assert b"\0\0\3\2" in sample
    assert picture_captions(sample) == b"\xff\x00\x00\xfe\x41\x42"


def test_padding_is_dropped() -> None:
    padding = [b"\xfc\x80\x80", b"\xfd\x00\x00", b"\xf8\x94\x20", b"\xfa\x00\x00"]
    assert picture_captions(with_captions(SLICE_264, padding)) == b""
    assert picture_captions(with_captions(SLICE_264, [*padding, PAIR])) == PAIR


def test_messages_beside_it_are_passed_over() -> None:
    other = b"\x05" + bytes((16,)) + b"GA94" + bytes(12)  # unregistered user data
    ours = cc_data([PAIR])
    nal = b"\x06" + other + bytes((4, len(ours))) + ours + b"\x80"
    assert picture_captions(access_unit([nal])) == PAIR


def test_another_code_of_the_same_owner_is_no_caption() -> None:
    body = cc_data([PAIR]).replace(b"GA94\x03", b"GA94\x06")
    assert picture_captions(access_unit([b"\x06" + bytes((4, len(body))) + body + b"\x80"])) == b""


def test_pictures_come_in_the_order_in_which_they_are_shown() -> None:
    triplets = [bytes((0xFC, 0x41 + n, 0x80)) for n in range(3)]
    offsets = (0, 2_000, -1_000)  # I P B: the third is shown before the second
    samples = [
        Sample(with_captions(SLICE_264, [triplet]), 1_000 * n, offset, 1_000, n == 0)
        for n, (triplet, offset) in enumerate(zip(triplets, offsets, strict=True))
    ]
    found = chunk_captions(write_chunk(1, 1, samples), "avc1.64001f")
    assert found == (
        CaptionPicture(0, triplets[0]), CaptionPicture(1_000, triplets[2]), CaptionPicture(3_000, triplets[1]),
    )  # fmt: skip


def test_a_codec_without_such_messages_is_not_read() -> None:
    assert chunk_captions(b"GA94 and nothing that is a chunk", "vp09.00.10.08") == ()
    assert chunk_captions(b"nothing that is a chunk", "avc1.64001f") == ()


def test_one_picture_gives_no_more_than_its_bound() -> None:
    nal = sei([bytes((0xFC, 0x41, 0x42))] * 31)
    assert len(picture_captions(access_unit([nal] * 9))) == MAX_PICTURE_BYTES


@given(st.binary(max_size=200), st.sampled_from(["avc1", "hvc1", "av01"]))
def test_any_bytes_give_whole_triplets_or_a_media_error(data: bytes, codec: str) -> None:
    body = b"\x04\x20\xb5\x00\x31GA94\x03" + data
    sample = access_unit([(b"\x4e\x01" if codec == "hvc1" else b"\x06") + body])
    found = picture_captions(metadata_obu(body[2:]) if codec == "av01" else sample, codec)
    assert len(found) % 3 == 0
    assert len(found) <= MAX_PICTURE_BYTES
    with suppress(MediaError):
        picture_captions(data + b"GA94", codec)
