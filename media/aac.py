"""AAC's AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) and silent frames."""

from dataclasses import dataclass

from media.bits import BitReader
from media.errors import MediaError

MAX_CONFIG_BYTES = 64
MAX_RATE_HZ = 192_000

_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}
_ESCAPE_OBJECT_TYPE = 31
_ESCAPE_RATE = 15
_SBR, _PS, _LOW_DELAY = 5, 29, 23
_GENERAL_AUDIO = frozenset({1, 2, 3, 4, _LOW_DELAY})
_SBR_EXTENSION, _PS_EXTENSION = 0x2B7, 0x548

# Raw AAC-LC frames of digital silence by channel count, as encoders write them; a test decodes each.
_SILENCE = {
    1: bytes.fromhex("00c800802380"),
    2: bytes.fromhex("210049900219002380"),
}


class AacError(MediaError):
    """An AudioSpecificConfig that cannot be read, or that is not spoken here."""


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """What an AudioSpecificConfig says.

    `object_type` is the outermost one that is signalled (2 AAC-LC, 5 HE-AAC, 29 HE-AAC v2), as RFC 6381 wants it.
    `core_rate_hz` is the rate that frames count in: each lasts `frame_length` samples of it. `sample_rate_hz` is what
    comes out of the decoder: twice the core's rate with SBR.
    """

    object_type: int
    core_rate_hz: int
    sample_rate_hz: int
    channels: int
    frame_length: int

    @property
    def codecs(self) -> str:
        """The RFC 6381 name, such as `mp4a.40.2`."""
        return f"mp4a.40.{self.object_type}"


def parse_audio_config(data: bytes) -> AudioConfig:
    """Read an AudioSpecificConfig; AacError when it is cut short, or of a kind other than general audio AAC."""
    if not 2 <= len(data) <= MAX_CONFIG_BYTES:
        raise AacError(f"AudioSpecificConfig of {len(data)} bytes, expected 2 to {MAX_CONFIG_BYTES}")
    read = BitReader(data, "AudioSpecificConfig", AacError)
    core_type = signalled = _object_type(read)
    core_rate = output_rate = _rate(read)
    channel_configuration = read.bits(4)
    if signalled in (_SBR, _PS):
        output_rate = _rate(read)
        core_type = _object_type(read)
    if core_type not in _GENERAL_AUDIO:
        raise AacError(
            f"AudioSpecificConfig: audio object type {core_type}, expected AAC: one of 1, 2, 3, 4, 23, 5, 29"
        )
    frame_length, channels = _general_audio(read, core_type, channel_configuration)
    if signalled == core_type:
        signalled, output_rate = _extension(read, core_type, output_rate)
    return AudioConfig(signalled, core_rate, output_rate, 2 if signalled == _PS else channels, frame_length)


def silent_frame(config: AudioConfig) -> bytes | None:
    """One frame of silence that follows any other frame, or None where no such frame is known."""
    return _SILENCE.get(config.channels) if (config.object_type, config.frame_length) == (2, 1024) else None


def _object_type(read: BitReader) -> int:
    value = read.bits(5)
    return 32 + read.bits(6) if value == _ESCAPE_OBJECT_TYPE else value


def _rate(read: BitReader) -> int:
    index = read.bits(4)
    if index == _ESCAPE_RATE:
        rate = read.bits(24)
        if not 1000 <= rate <= MAX_RATE_HZ:
            raise AacError(f"AudioSpecificConfig: sample rate of {rate} Hz, expected 1000 to {MAX_RATE_HZ}")
        return rate
    if index >= len(_RATES):
        raise AacError(f"AudioSpecificConfig: sampling frequency index {index} is reserved, expected 0 to 12 or 15")
    return _RATES[index]


def _general_audio(read: BitReader, object_type: int, channel_configuration: int) -> tuple[int, int]:
    """(samples a frame, channels) of a GASpecificConfig (4.4.1)."""
    long, short = (512, 480) if object_type == _LOW_DELAY else (1024, 960)
    frame_length = short if read.flag() else long
    if read.flag():
        read.skip(14)  # coreCoderDelay
    read.skip(1)  # extensionFlag
    if channel_configuration == 0:
        return frame_length, _program_channels(read)
    if channel_configuration not in _CHANNELS:
        raise AacError(f"AudioSpecificConfig: channel configuration {channel_configuration} is reserved")
    return frame_length, _CHANNELS[channel_configuration]


def _program_channels(read: BitReader) -> int:
    """Channels that a program_config_element lists (4.4.1.1)."""
    read.skip(4 + 2 + 4)  # element_instance_tag, object_type, sampling_frequency_index
    front, side, back, low = read.bits(4), read.bits(4), read.bits(4), read.bits(2)
    associated, coupling = read.bits(3), read.bits(4)
    for width in (4, 4, 3):  # mono, stereo and matrix mixdown
        if read.flag():
            read.skip(width)
    channels = low + sum(1 + read.flag_and_skip(4) for _ in range(front + side + back))
    read.skip(4 * low + 4 * associated + 5 * coupling)
    read.align()
    read.skip(8 * read.bits(8))  # comment
    if not channels:
        raise AacError("AudioSpecificConfig: a program_config_element without channels")
    return channels


def _extension(read: BitReader, object_type: int, rate: int) -> tuple[int, int]:
    """(object type, output rate) after the backward compatible signalling of SBR and PS (1.6.5.2)."""
    if read.left < 16 or read.bits(11) != _SBR_EXTENSION:
        return object_type, rate
    if _object_type(read) != _SBR or not read.flag():
        return object_type, rate
    rate = _rate(read)
    if read.left >= 12 and read.bits(11) == _PS_EXTENSION and read.flag():
        return _PS, rate
    return _SBR, rate
