"""The sequence parameter set of H.265: profile, picture size, frame rate (ITU-T H.265 clause 7.3.2.2 and annex E)."""

from dataclasses import dataclass
from fractions import Fraction

from media.bits import BitReader
from media.errors import MediaError
from media.h264_sps import MAX_FRAME_RATE, MAX_SIDE, MAX_SPS_BYTES, sample_aspect, unescaped

NAL_SPS = 33
_PROFILE_BYTES = 12
_MAX_REFERENCE_SETS, _MAX_PICTURES, _MAX_LONG_TERM = 64, 16, 32
_CHROMA_444 = 3


class H265Error(MediaError):
    """H.265 bytes that cannot be read, or that exceed a limit."""


@dataclass(frozen=True, slots=True)
class Sps:
    """What a sequence parameter set says of the pictures; fields as those of `h264_sps.Sps`.

    `profile_tier_level` are the 12 bytes of the general profile, its compatibility and constraint flags, and the level
    (clause 7.3.3), as an hvcC has them too.
    """

    profile_tier_level: bytes
    chroma_format: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int
    sample_aspect: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None

    @property
    def display_width(self) -> int:
        """Width in square samples, at the same height."""
        across, down = self.sample_aspect
        return (self.width * across + down // 2) // down


def parse_sps(nal: bytes) -> Sps:
    """Read a whole SPS NAL unit, header included; H265Error when it is cut short or beyond the limits."""
    if not 4 <= len(nal) <= MAX_SPS_BYTES:
        raise H265Error(f"SPS of {len(nal)} bytes, expected 4 to {MAX_SPS_BYTES}")
    if nal[0] >> 1 & 63 != NAL_SPS:
        raise H265Error(f"NAL unit of type {nal[0] >> 1 & 63}, expected {NAL_SPS} (SPS)")
    read = BitReader(unescaped(nal[2:]), "SPS", H265Error)
    read.skip(4)  # sps_video_parameter_set_id
    sub_layers = read.bits(3)
    read.skip(1)  # sps_temporal_id_nesting_flag
    profile = bytes(read.bits(8) for _ in range(_PROFILE_BYTES))
    _skip_sub_layers(read, sub_layers)
    read.ue_up_to(15, "sps_seq_parameter_set_id")
    chroma = read.ue_up_to(3, "chroma_format_idc")
    separate = chroma == _CHROMA_444 and read.flag()
    width, height = _size(read, 0 if separate else chroma)
    luma, chroma_depth = (8 + read.ue_up_to(8, f"bit_depth_{name}_minus8") for name in ("luma", "chroma"))
    _skip_coding(read, sub_layers)
    aspect, rate = _vui(read) if read.flag() else ((1, 1), None)
    return Sps(profile, chroma, luma, chroma_depth, width, height, aspect, rate)


def _skip_sub_layers(read: BitReader, count: int) -> None:
    """Past the profiles and levels of the sub-layers (7.3.3)."""
    present = [(read.flag(), read.flag()) for _ in range(count)]
    if count:
        read.skip(2 * (8 - count))
    for profile, level in present:
        read.skip(88 * profile + 8 * level)


def _size(read: BitReader, chroma_array: int) -> tuple[int, int]:
    """Cropped width and height in luma samples (7.4.3.2.1)."""
    width = read.ue_up_to(MAX_SIDE, "pic_width_in_luma_samples")
    height = read.ue_up_to(MAX_SIDE, "pic_height_in_luma_samples")
    if read.flag():
        left, right, top, bottom = (read.ue() for _ in range(4))
        width -= (2 if chroma_array in (1, 2) else 1) * (left + right)
        height -= (2 if chroma_array == 1 else 1) * (top + bottom)
    if width <= 0 or height <= 0:
        raise H265Error(f"SPS: picture of {width}x{height}, expected 1 to {MAX_SIDE} each way")
    return width, height


def _skip_coding(read: BitReader, sub_layers: int) -> None:
    """From the picture order count to the VUI."""
    order_bits = 4 + read.ue_up_to(12, "log2_max_pic_order_cnt_lsb_minus4")
    for _ in range(sub_layers + 1 if read.flag() else 1):
        for _ in range(3):  # max_dec_pic_buffering_minus1, max_num_reorder_pics, max_latency_increase_plus1
            read.ue()
    for _ in range(6):  # sizes of coding and transform blocks, transform hierarchy depths
        read.ue()
    if read.flag() and read.flag():
        _skip_scaling_lists(read)
    read.skip(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if read.flag():
        read.skip(8)  # pcm_sample_bit_depth
        read.ue()
        read.ue()
        read.skip(1)
    _skip_reference_sets(read)
    if read.flag():
        for _ in range(read.ue_up_to(_MAX_LONG_TERM, "num_long_term_ref_pics_sps")):
            read.skip(order_bits + 1)
    read.skip(2)  # sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag


def _skip_scaling_lists(read: BitReader) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not read.flag():
                read.ue()
                continue
            for _ in range(min(64, 1 << (4 + 2 * size)) + (size > 1)):
                read.se()


def _skip_reference_sets(read: BitReader) -> None:
    """Past the short-term reference picture sets (7.3.7); a set may be told as a change of the one before it."""
    pictures = 0
    for index in range(read.ue_up_to(_MAX_REFERENCE_SETS, "num_short_term_ref_pic_sets")):
        if index and read.flag():
            read.skip(1)  # delta_rps_sign
            read.ue()
            pictures = sum(read.flag() or read.flag() for _ in range(pictures + 1))
        else:
            negative, positive = (read.ue_up_to(_MAX_PICTURES, f"num_{name}_pics") for name in ("negative", "positive"))
            pictures = negative + positive
            for _ in range(pictures):
                read.ue()
                read.skip(1)
        if pictures > _MAX_PICTURES:
            raise H265Error(f"SPS: a reference picture set of {pictures} pictures, expected at most {_MAX_PICTURES}")


def _vui(read: BitReader) -> tuple[tuple[int, int], Fraction | None]:
    """(shape of a sample, frames per second) as far as the VUI says (E.2.1)."""
    aspect = sample_aspect(read) if read.flag() else (1, 1)
    if read.flag():
        read.skip(1)  # overscan
    if read.flag():
        read.skip(4)  # video_format, full range
        if read.flag():
            read.skip(24)  # primaries, transfer, matrix
    if read.flag():
        read.ue_up_to(5, "chroma_sample_loc_type_top_field")
        read.ue_up_to(5, "chroma_sample_loc_type_bottom_field")
    read.skip(3)  # neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if read.flag():
        for _ in range(4):  # default display window: players show the conformance window
            read.ue()
    return aspect, _timing(read) if read.flag() else None


def _timing(read: BitReader) -> Fraction | None:
    units, scale = read.bits(32), read.bits(32)
    return Fraction(scale, units) if units and 0 < scale <= units * MAX_FRAME_RATE else None
