import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.aac import AacError, AudioConfig, parse_audio_config, silent_frame


def bits(*fields: tuple[int, int]) -> str:
    """Hexadecimal of (width, value) fields, filled up to whole bytes."""
    text = "".join(f"{value:0{width}b}" for width, value in fields)
    return bytes(int(text[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(text), 8)).hex()


LC, GENERAL = (5, 2), (3, 0)  # object type; frame length, core coder and extension flags
WRITTEN_RATE = bits(LC, (4, 15), (24, 22_330), (4, 2), GENERAL)
WRONG_RATE = bits(LC, (4, 15), (24, 999), (4, 2), GENERAL)
# A program_config_element: a front pair, a mono at the back, a low frequency channel, a mono mixdown, two bytes of text.
COUNTS = ((4, 1), (4, 0), (4, 1), (2, 1), (3, 0), (4, 0))
PROGRAM = bits(
    *(LC, (4, 3), (4, 0), GENERAL, (4, 0), (2, 1), (4, 3), *COUNTS, (1, 1), (4, 0), (2, 0)),
    *((5, 0b10000), (5, 1), (4, 0), (4, 0), (8, 2), (16, 0x4142)),
)

CONFIGS = [
    ("1190", AudioConfig(2, 48_000, 48_000, 2, 1024)),
    ("1210", AudioConfig(2, 44_100, 44_100, 2, 1024)),
    ("1408", AudioConfig(2, 16_000, 16_000, 1, 1024)),
    ("1194", AudioConfig(2, 48_000, 48_000, 2, 960)),
    ("11b0", AudioConfig(2, 48_000, 48_000, 6, 1024)),
    ("2b098800", AudioConfig(5, 24_000, 48_000, 1, 1024)),  # explicit SBR
    ("eb098800", AudioConfig(29, 24_000, 48_000, 2, 1024)),  # explicit PS: mono in, stereo out
    ("131056e598", AudioConfig(5, 24_000, 48_000, 2, 1024)),  # SBR signalled behind, for old decoders
    ("130856e59d4880", AudioConfig(29, 24_000, 48_000, 2, 1024)),  # SBR and PS signalled behind
    ("131056e500", AudioConfig(2, 24_000, 24_000, 2, 1024)),  # said not to be there
    (WRITTEN_RATE, AudioConfig(2, 22_330, 22_330, 2, 1024)),
    (PROGRAM, AudioConfig(2, 48_000, 48_000, 4, 1024)),
]


@pytest.mark.parametrize(("data", "expected"), CONFIGS)
def test_a_configuration_says_type_rates_channels_and_frame_length(data: str, expected: AudioConfig) -> None:
    assert parse_audio_config(bytes.fromhex(data)) == expected


def test_the_name_for_codecs_follows_the_signalled_type() -> None:
    names = [parse_audio_config(bytes.fromhex(data)).codecs for data in ("1190", "2b098800", "eb098800")]
    assert names == ["mp4a.40.2", "mp4a.40.5", "mp4a.40.29"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("11", "1 bytes, expected 2 to 64"),
        ("11" * 65, "65 bytes, expected 2 to 64"),
        ("1680", "sampling frequency index 13 is reserved"),
        ("11c0", "channel configuration 8 is reserved"),
        ("4990", "object type 9, expected AAC"),
        (WRONG_RATE, "sample rate of 999 Hz"),
        ("1180", "expected 10 more bits at bit 16, found 0"),
    ],
)
def test_a_wrong_configuration_is_refused_with_what_was_expected(data: str, says: str) -> None:
    with pytest.raises(AacError, match=says):
        parse_audio_config(bytes.fromhex(data))


@settings(deadline=None)
@given(st.binary(max_size=70))
def test_any_bytes_are_a_configuration_or_an_error(data: bytes) -> None:
    try:
        found = parse_audio_config(data)
    except AacError:
        return
    assert found.channels >= 1
    assert 1000 <= found.core_rate_hz <= 192_000


@pytest.mark.parametrize("data", ["1190", "1188"])
def test_silent_frames_decode_to_silence(data: str) -> None:
    config = parse_audio_config(bytes.fromhex(data))
    frame = silent_frame(config)
    assert frame
    decoder = av.CodecContext.create("aac", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.extradata = bytes.fromhex(data)
    decoded = [out for _ in range(3) for out in decoder.decode(av.Packet(frame))]
    assert [out.samples for out in decoded] == [1024] * 3
    for out in decoded:
        sound = out.to_ndarray()
        assert sound.shape == (config.channels, 1024)
        assert not sound.any()


@pytest.mark.parametrize("data", ["11b0", "1194", "2b098800"])
def test_there_is_no_silent_frame_where_none_is_known(data: str) -> None:
    assert silent_frame(parse_audio_config(bytes.fromhex(data))) is None
