"""WebVTT out, WebVTT and SubRip in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.captions.cues import Cue
from media.captions.uploads import MAX_BYTES, MAX_CUES, UploadError, read_upload
from media.captions.webvtt import CLOCK, WRAP, document, overlapping, segment_text, timestamp_map


def test_a_segment_has_its_timestamp_map_and_its_cues() -> None:
    text = segment_text([Cue(1_000, 2_500, "Hello", "line:80%"), Cue(3_600_000, 3_601_001, "Two\nlines")], 1_000)
    assert text == (
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"
        "00:00:01.000 --> 00:00:02.500 line:80%\nHello\n\n"
        "01:00:00.000 --> 01:00:01.001\nTwo\nlines\n"
    )


def test_a_segment_without_cues_is_still_a_segment() -> None:
    assert segment_text([], 0) == "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"


@pytest.mark.parametrize("hours", [0, 26, 27, 53, 54, 100])
def test_the_map_follows_the_wrap_of_mpeg_timestamps(hours: int) -> None:
    start_ms = hours * 3_600_000
    found = re.fullmatch(r"X-TIMESTAMP-MAP=LOCAL:(\d+):(\d\d):(\d\d)\.000,MPEGTS:(\d+)", timestamp_map(start_ms))
    assert found is not None
    h, m, s, ticks = map(int, found.groups())
    local = (h * 3600 + m * 60 + s) * CLOCK
    assert local % WRAP == ticks < WRAP
    media = start_ms * CLOCK // 1000
    assert media // WRAP == (local + CLOCK) // WRAP or media < CLOCK
    assert (media - local + ticks) % WRAP == media % WRAP


def test_a_cue_belongs_to_every_segment_that_it_overlaps() -> None:
    cue = Cue(1_500, 4_000, "long")
    assert [bool(overlapping([cue], start, start + 1_000)) for start in range(0, 5_000, 1_000)] == [
        False, True, True, True, False,
    ]  # fmt: skip


VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE nobody sees this

intro
00:01.000 --> 00:02.000 line:10% position:50%,center bogus:1 align:start
<v Ann>Hello <b>there</b></v> <script>alert(1)</script> <c.loud.x>&amp; & more</c> a < b

00:00:00.500 --> 00:00:00.900
first
"""


def test_webvtt_is_made_plain() -> None:
    assert read_upload(VTT.encode()) == (
        Cue(500, 900, "first"),
        Cue(
            1_000,
            2_000,
            "<v Ann>Hello <b>there</b></v> alert(1) <c.loud.x>&amp; &amp; more</c> a &lt; b",
            "line:10% position:50%,center align:start",
        ),
    )


def test_subrip_is_read_with_crlf_and_a_byte_order_mark() -> None:
    srt = "\ufeff1\r\n00:00:01,500 --> 00:00:03,000\r\n<i>Hi</i> <font color=red>you</font>\r\n{\\an8}top\r\n\r\n2\r\n00:00:04,000 --> 00:00:05,000\r\nBye\r\n"
    assert read_upload(srt.encode()) == (Cue(1_500, 3_000, "<i>Hi</i> you\ntop"), Cue(4_000, 5_000, "Bye"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("WEBVTT\n\n00:02.000 --> 00:01.000\nx\n", "line 3: expected an end after the start"),
        ("WEBVTT\n\nid\n00:02 --> 00:03.000\nx\n", "line 4: expected a timing"),
        ("WEBVTT\n\njust text\nmore\n", "line 3: expected a timing"),
        ("hello", "line 1: expected a timing"),
        ("", "line 1: expected WEBVTT"),
        ("WEBVTT\n\n100:00:02.000 --> 100:00:03.000\nx\n", "line 3: expected at most 99 hours"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, says: str) -> None:
    with pytest.raises(UploadError, match=re.escape(says)):
        read_upload(text.encode())


def test_what_is_no_utf_8_is_said_with_its_line() -> None:
    with pytest.raises(UploadError, match="line 3: expected UTF-8, found byte 0xe9"):
        read_upload(b"WEBVTT\n\n\xe9")


def test_size_and_number_of_cues_are_limited() -> None:
    with pytest.raises(UploadError, match="bytes"):
        read_upload(b"WEBVTT\n\n" + b"x" * MAX_BYTES)
    many = "WEBVTT\n\n" + "0:01.0-->0:02.0\nx\n\n" * (MAX_CUES + 1)
    with pytest.raises(UploadError, match="cues"):
        read_upload(many.encode())


_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**5), _TEXTS), max_size=8))
def test_what_is_written_is_read_back(rows: list[tuple[int, int, str]]) -> None:
    cues = read_upload(
        document([Cue(start, start + length, text.replace("-->", "")) for start, length, text in rows]).encode()
    )
    assert read_upload(document(cues).encode()) == cues


@given(
    st.one_of(
        st.binary(max_size=300), st.text(st.sampled_from("WEBVT<>&-: .,0123\n{}\\b/"), max_size=200).map(str.encode)
    )
)
def test_any_upload_is_read_or_refused(data: bytes) -> None:
    for prefix in (b"", b"WEBVTT\n\n", b"WEBVTT\n\n00:01.000 --> 00:02.000\n"):
        try:
            cues = read_upload(prefix + data)
        except UploadError:
            continue
        for cue in cues:
            assert "-->" not in cue.text
            assert "\n\n" not in cue.text
            assert not re.search(r"<(?!/?(?:[cibuv]|lang|ruby|rt)[.> \t]|[0-9])", cue.text)
