import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.flv import (
    AudioCodec,
    AudioTag,
    FlvError,
    StreamMetadata,
    TagKind,
    VideoCodec,
    VideoTag,
    parse_audio,
    parse_video,
    read_metadata,
)

# From the byte layouts of FLV 10.1, E.4.3, and E-RTMP v2, "Enhanced Video".
VIDEO: list[tuple[str, VideoTag]] = [
    ("17 00 000000 0142", VideoTag(VideoCodec.H264, TagKind.CONFIG, True, 0, b"\x01\x42", "codec 7")),
    ("17 00 000050 0142", VideoTag(VideoCodec.H264, TagKind.CONFIG, True, 0, b"\x01\x42", "codec 7")),
    ("17 01 000050 aabb", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 80, b"\xaa\xbb", "codec 7")),
    ("27 01 ffffd8 aabb", VideoTag(VideoCodec.H264, TagKind.FRAME, False, -40, b"\xaa\xbb", "codec 7")),
    ("27 01 800000", VideoTag(VideoCodec.H264, TagKind.FRAME, False, -(1 << 23), b"", "codec 7")),
    ("47 01 000000 aa", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 0, b"\xaa", "codec 7")),
    ("17 02 000000", VideoTag(VideoCodec.H264, TagKind.END, True, 0, b"", "codec 7")),
    ("17 02", VideoTag(VideoCodec.H264, TagKind.END, True, 0, b"", "codec 7")),
    ("57 00", VideoTag(VideoCodec.H264, TagKind.METADATA, False, 0, b"\x00", "codec 7")),
    ("1c 01 000028 aa", VideoTag(VideoCodec.HEVC, TagKind.FRAME, True, 40, b"\xaa", "codec 12")),
    ("22 aa", VideoTag(VideoCodec.SORENSON_H263, TagKind.FRAME, False, 0, b"\xaa", "codec 2")),
    ("14", VideoTag(VideoCodec.VP6, TagKind.FRAME, True, 0, b"", "codec 4")),
    ("1f aa", VideoTag(VideoCodec.UNKNOWN, TagKind.FRAME, True, 0, b"\xaa", "codec 15")),
    ("90 68766331 01", VideoTag(VideoCodec.HEVC, TagKind.CONFIG, True, 0, b"\x01", "hvc1")),
    ("91 68766331 000085 aa", VideoTag(VideoCodec.HEVC, TagKind.FRAME, True, 133, b"\xaa", "hvc1")),
    ("a1 61766331 ffffff aa", VideoTag(VideoCodec.H264, TagKind.FRAME, False, -1, b"\xaa", "avc1")),
    ("a3 68766331 aa", VideoTag(VideoCodec.HEVC, TagKind.FRAME, False, 0, b"\xaa", "hvc1")),
    ("92 68766331", VideoTag(VideoCodec.HEVC, TagKind.END, True, 0, b"", "hvc1")),
    ("d4 68766331 02", VideoTag(VideoCodec.HEVC, TagKind.METADATA, False, 0, b"\x02", "hvc1")),
    ("91 61763031 aabb", VideoTag(VideoCodec.AV1, TagKind.FRAME, True, 0, b"\xaa\xbb", "av01")),
    ("95 61763031 aa", VideoTag(VideoCodec.AV1, TagKind.CONFIG, True, 0, b"\xaa", "av01")),
    ("a1 76703039 aa", VideoTag(VideoCodec.VP9, TagKind.FRAME, False, 0, b"\xaa", "vp09")),
    ("91 78787878 aa", VideoTag(VideoCodec.UNKNOWN, TagKind.FRAME, True, 0, b"\xaa", "xxxx")),
    ("91 ff787878 aa", VideoTag(VideoCodec.UNKNOWN, TagKind.FRAME, True, 0, b"\xaa", "\\xffxxx")),
    ("d1 00", VideoTag(VideoCodec.UNKNOWN, TagKind.METADATA, False, 0, b"\x00", "command")),
    # ModEx: 3 bytes of nanoseconds; another kind of extension; one of 256 bytes or more.
    ("97 02 00ffff 01 61766331 000000 aa", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 0, b"\xaa", "avc1", 65_535)),
    ("97 02 ffffff 01 61766331 000000", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 0, b"", "avc1", 999_999)),
    ("97 00 ff 11 61766331 000000", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 0, b"", "avc1")),
    ("97 ff 00ff" + "00" * 256 + "11 61766331 000000", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 0, b"", "avc1")),
    ("97 00 ff 17 00 ff 13 61766331", VideoTag(VideoCodec.H264, TagKind.FRAME, True, 0, b"", "avc1")),
    # Multitrack with one track.
    ("96 01 68766331 03 000005 aa", VideoTag(VideoCodec.HEVC, TagKind.FRAME, True, 5, b"\xaa", "hvc1", 0, 3)),
]

AUDIO: list[tuple[str, AudioTag]] = [
    ("", AudioTag(AudioCodec.UNKNOWN, TagKind.END, b"", "silence")),
    ("af 00 1210", AudioTag(AudioCodec.AAC, TagKind.CONFIG, b"\x12\x10", "codec 10")),
    ("af 01 aabb", AudioTag(AudioCodec.AAC, TagKind.FRAME, b"\xaa\xbb", "codec 10")),
    ("af 01", AudioTag(AudioCodec.AAC, TagKind.FRAME, b"", "codec 10")),
    ("2f aa", AudioTag(AudioCodec.MP3, TagKind.FRAME, b"\xaa", "codec 2", 44_100, 2)),
    ("2a aa", AudioTag(AudioCodec.MP3, TagKind.FRAME, b"\xaa", "codec 2", 22_050, 1)),
    ("e6 aa", AudioTag(AudioCodec.MP3, TagKind.FRAME, b"\xaa", "codec 14", 8_000, 1)),
    ("b6 aa", AudioTag(AudioCodec.SPEEX, TagKind.FRAME, b"\xaa", "codec 11", 16_000, 1)),
    ("72", AudioTag(AudioCodec.G711_A_LAW, TagKind.FRAME, b"", "codec 7", 8_000, 1)),
    ("c0 aa", AudioTag(AudioCodec.UNKNOWN, TagKind.FRAME, b"\xaa", "codec 12", 5_512, 1)),
    ("90 4f707573 aa", AudioTag(AudioCodec.OPUS, TagKind.CONFIG, b"\xaa", "Opus")),
    ("91 4f707573 aa", AudioTag(AudioCodec.OPUS, TagKind.FRAME, b"\xaa", "Opus")),
    ("92 6d703461", AudioTag(AudioCodec.AAC, TagKind.END, b"", "mp4a")),
    ("94 664c6143 01", AudioTag(AudioCodec.FLAC, TagKind.METADATA, b"\x01", "fLaC")),
    ("91 2e6d7033 aa", AudioTag(AudioCodec.MP3, TagKind.FRAME, b"\xaa", ".mp3")),
    ("91 61632d33 aa", AudioTag(AudioCodec.AC3, TagKind.FRAME, b"\xaa", "ac-3")),
    ("91 65632d33 aa", AudioTag(AudioCodec.EAC3, TagKind.FRAME, b"\xaa", "ec-3")),
    ("97 02 000001 01 6d703461 aa", AudioTag(AudioCodec.AAC, TagKind.FRAME, b"\xaa", "mp4a", offset_ns=1)),
    ("95 01 6d703461 02 aa", AudioTag(AudioCodec.AAC, TagKind.FRAME, b"\xaa", "mp4a", track_id=2)),
]


@pytest.mark.parametrize(("body", "tag"), VIDEO)
def test_video_tags_are_read_as_the_specifications_say(body: str, tag: VideoTag) -> None:
    assert parse_video(bytes.fromhex(body)) == tag


@pytest.mark.parametrize(("body", "tag"), AUDIO)
def test_audio_tags_are_read_as_the_specifications_say(body: str, tag: AudioTag) -> None:
    assert parse_audio(bytes.fromhex(body)) == tag


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "video tag of 0 bytes ends early: read 0 bytes at offset 0, expected 1"),
        ("17", "read 0 bytes at offset 1, expected 1"),
        ("17 01 0000", "read 2 bytes at offset 2, expected 3"),
        ("17 03 000000", "found AVC packet type 3, expected 0 to 2"),
        ("91 6876", "read 2 bytes at offset 1, expected 4"),
        ("91 68766331 00", "read 1 bytes at offset 5, expected 3"),
        ("99 68766331", "found VideoPacketType 9, expected 0 to 5"),
        ("97", "read 0 bytes at offset 1"),
        ("97 05 aa", "read 1 bytes at offset 2, expected 6"),
        ("97 ff 00", "read 1 bytes at offset 2, expected 2"),
        ("96 11 68766331", "found multitrack type 1 in a video tag, expected 0"),
        ("96 06 68766331 00", "found VideoPacketType 6"),
    ],
)
def test_video_tags_that_cannot_be_read_say_why(body: str, says: str) -> None:
    with pytest.raises(FlvError, match=says):
        parse_video(bytes.fromhex(body))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("af", "audio tag of 1 bytes ends early"),
        ("af 02", "found AAC packet type 2, expected 0 to 1"),
        ("91 4f", "read 1 bytes at offset 1, expected 4"),
        ("93 4f707573", "found AudioPacketType 3, expected 0, 1, 2 or 4"),
        ("95 21", "found multitrack type 2 in a audio tag"),
    ],
)
def test_audio_tags_that_cannot_be_read_say_why(body: str, says: str) -> None:
    with pytest.raises(FlvError, match=says):
        parse_audio(bytes.fromhex(body))


@given(st.binary(max_size=40))
def test_any_bytes_give_a_tag_or_an_flv_error(body: bytes) -> None:
    for parse in (parse_video, parse_audio):
        try:
            tag = parse(body)
        except FlvError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert len(tag.data) <= len(body)
            assert 0 <= tag.offset_ns < 1_000_000


@given(st.binary(max_size=30), st.sampled_from([0x80, 0x90, 0x97, 0x96, 0xD7, 0x17, 0x27]))
def test_any_bytes_behind_a_likely_first_byte_give_a_tag_or_an_flv_error(rest: bytes, first: int) -> None:
    try:
        tag = parse_video(bytes((first,)) + rest)
    except FlvError as error:
        assert str(error)  # noqa: PT017
    else:
        assert -(1 << 23) <= tag.composition_ms < 1 << 23


def test_the_metadata_of_obs_is_read() -> None:
    values = {
        "duration": 0.0,
        "width": 1920.0,
        "height": 1080.0,
        "videodatarate": 6000.0,
        "framerate": 60.0,
        "audiodatarate": 160.0,
        "encoder": "obs-output module (libobs version 30.0.0)",
    }
    assert read_metadata(values) == StreamMetadata(
        1920, 1080, 60.0, 6000.0, 160.0, "obs-output module (libobs version 30.0.0)"
    )


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, 1e300, "1920", True, None, [1.0], {}])
def test_what_cannot_be_believed_is_left_out(value: object) -> None:
    names = ("width", "height", "framerate", "videodatarate", "audiodatarate")
    assert read_metadata(dict.fromkeys(names, value)) == StreamMetadata()


def test_odd_sizes_and_encoders_are_bounded() -> None:
    assert read_metadata({"width": 0.2, "height": 719.6, "encoder": "x" * 500}) == StreamMetadata(
        height=720, encoder="x" * 128
    )
    assert read_metadata({"encoder": ""}) == StreamMetadata()
    assert read_metadata({"encoder": 5.0}) == StreamMetadata()
    assert read_metadata({}) == StreamMetadata()


@given(
    st.dictionaries(
        st.sampled_from(["width", "height", "framerate", "videodatarate", "encoder"]), st.floats() | st.text()
    )
)
def test_any_metadata_is_read(values: dict[str, object]) -> None:
    read = read_metadata(values)
    assert read.width is None or 0 < read.width <= 16_384
    assert read.frame_rate is None or 0 < read.frame_rate <= 1_000
