import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.boxes import MAX_BOXES, Box, CmafError, FieldReader, box, child, descend, full_box, iter_boxes

kinds = st.binary(min_size=4, max_size=4)


@settings(deadline=None)
@given(st.lists(st.tuples(kinds, st.binary(max_size=30)), max_size=8))
def test_boxes_side_by_side_are_found_as_they_were_written(made: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(box(kind, payload) for kind, payload in made)
    assert [(found.kind, data[found.start : found.end]) for found in iter_boxes(data)] == made


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_boxes_or_an_error(data: bytes) -> None:
    try:
        found = list(iter_boxes(data))
    except CmafError:
        return
    assert sum(one.end - one.begin for one in found) == len(data)


def test_a_size_of_64_bits_is_understood() -> None:
    data = b"\0\0\0\1mdat" + (20).to_bytes(8, "big") + b"abcd"
    assert list(iter_boxes(data)) == [Box(b"mdat", 0, 16, 20)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\0\0\0", "header of 8 bytes at byte 0, found 3"),
        (b"\0\0\0\7free", "of 7 bytes at byte 0, expected 8 to 8"),
        (b"\0\0\0\x10free", "of 16 bytes at byte 0, expected 8 to 8"),
        (b"\0\0\0\1mdat", "header of 16 bytes"),
        (box(b"free") * (MAX_BOXES + 1), "more than 256 boxes"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(CmafError, match=says):
        list(iter_boxes(data))


def test_a_path_leads_to_one_box() -> None:
    data = box(b"moov", box(b"trak", full_box(b"tkhd", 1, 7, b"abc")))
    top = next(iter_boxes(data))
    found = descend(data, top, b"trak", b"tkhd")
    read = FieldReader(data, found)
    assert read.version_and_flags() == (1, 7)
    assert read.rest() == b"abc"


@pytest.mark.parametrize("inside", [b"", box(b"trak") * 2])
def test_a_missing_or_a_second_child_is_refused(inside: bytes) -> None:
    data = box(b"moov", inside)
    with pytest.raises(CmafError, match="expected one b'trak' in b'moov', found"):
        child(data, next(iter_boxes(data)), b"trak")


def test_fields_end_where_their_box_ends() -> None:
    data = box(b"tfdt", b"\0\0\0\1") + b"more"
    read = FieldReader(data, Box(b"tfdt", 0, 8, 12))
    assert read.int32() == 1
    with pytest.raises(CmafError, match="expected 2 more bytes at byte 12, found 0"):
        read.uint(2)
