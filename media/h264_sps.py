"""The sequence parameter set of H.264: picture size, frame rate, reordering (ITU-T H.264 clause 7.3.2.1 and annex E)."""

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from media.bits import BitReader
from media.errors import MediaError

MAX_SPS_BYTES = 4096
MAX_SIDE = 16_384
MAX_FRAME_RATE = 1000
PROFILES_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})

_NAL_SPS = 7
_EXTENDED_SAR = 255
# Table E-1, aspect_ratio_idc 1 to 16.
_SAR = (
    *((1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11)),
    *((80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
)


class H264Error(MediaError):
    """H.264 bytes that cannot be read, or that exceed a limit."""


@dataclass(frozen=True, slots=True)
class Sps:
    """What a sequence parameter set says of the pictures.

    `width` and `height` are luma samples after cropping; `sample_aspect` is the shape of one sample (width, height).
    `frame_rate` is frames per second, None where the set has no timing. `max_reorder_frames` is None where it is not
    said; 0 means no B-frames are reordered.
    """

    profile: int
    constraints: int
    level: int
    chroma_format: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int
    sample_aspect: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None
    max_reorder_frames: int | None = None

    @property
    def display_width(self) -> int:
        """Width in square samples, at the same height."""
        across, down = self.sample_aspect
        return (self.width * across + down // 2) // down


@dataclass(frozen=True, slots=True)
class _Vui:
    sample_aspect: tuple[int, int] = (1, 1)
    frame_rate: Fraction | None = None
    max_reorder_frames: int | None = None


def unescaped(nal: bytes) -> bytes:
    """The RBSP of a NAL unit: emulation prevention bytes taken out (clause 7.4.1)."""
    return nal.replace(b"\0\0\3", b"\0\0")


def parse_sps(nal: bytes) -> Sps:
    """Read a whole SPS NAL unit, header byte included; H264Error when it is cut short or beyond the limits."""
    if not 4 <= len(nal) <= MAX_SPS_BYTES:
        raise H264Error(f"SPS of {len(nal)} bytes, expected 4 to {MAX_SPS_BYTES}")
    if nal[0] & 31 != _NAL_SPS:
        raise H264Error(f"NAL unit of type {nal[0] & 31}, expected {_NAL_SPS} (SPS)")
    read = BitReader(unescaped(nal[1:]), "SPS", H264Error)
    profile, constraints, level = read.bits(8), read.bits(8), read.bits(8)
    read.ue_up_to(31, "seq_parameter_set_id")
    chroma, luma_depth, chroma_depth, separate = _chroma(read, profile)
    _picture_order(read)
    width, height = _size(read, 0 if separate else chroma)
    vui = _vui(read) if read.flag() else _Vui()
    return Sps(
        profile=profile,
        constraints=constraints,
        level=level,
        chroma_format=chroma,
        bit_depth_luma=luma_depth,
        bit_depth_chroma=chroma_depth,
        width=width,
        height=height,
        sample_aspect=vui.sample_aspect,
        frame_rate=vui.frame_rate,
        max_reorder_frames=vui.max_reorder_frames,
    )


def _chroma(read: BitReader, profile: int) -> tuple[int, int, int, bool]:
    """(chroma_format_idc, luma bits, chroma bits, separate planes)."""
    if profile not in PROFILES_WITH_CHROMA:
        return 1, 8, 8, False
    chroma = read.ue_up_to(3, "chroma_format_idc")
    separate = chroma == 3 and read.flag()
    luma_depth = 8 + read.ue_up_to(6, "bit_depth_luma_minus8")
    chroma_depth = 8 + read.ue_up_to(6, "bit_depth_chroma_minus8")
    read.skip(1)  # qpprime_y_zero_transform_bypass_flag
    if read.flag():
        for index in range(12 if chroma == 3 else 8):
            if read.flag():
                _skip_scaling_list(read, 16 if index < 6 else 64)
    return chroma, luma_depth, chroma_depth, separate


def _skip_scaling_list(read: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + read.se()) % 256
        last = following or last


def _picture_order(read: BitReader) -> None:
    read.ue_up_to(12, "log2_max_frame_num_minus4")
    kind = read.ue_up_to(2, "pic_order_cnt_type")
    if kind == 0:
        read.ue_up_to(12, "log2_max_pic_order_cnt_lsb_minus4")
    elif kind == 1:
        read.skip(1)
        read.se()
        read.se()
        for _ in range(read.ue_up_to(255, "num_ref_frames_in_pic_order_cnt_cycle")):
            read.se()
    read.ue_up_to(16, "max_num_ref_frames")
    read.skip(1)  # gaps_in_frame_num_value_allowed_flag


def _size(read: BitReader, chroma_array: int) -> tuple[int, int]:
    """Cropped width and height in luma samples (equations 7-18 to 7-22)."""
    width = 16 * (1 + read.ue_up_to(MAX_SIDE // 16, "pic_width_in_mbs_minus1"))
    map_height = 16 * (1 + read.ue_up_to(MAX_SIDE // 16, "pic_height_in_map_units_minus1"))
    frame_only = read.flag()
    height = map_height * (1 if frame_only else 2)
    if not frame_only:
        read.skip(1)  # mb_adaptive_frame_field_flag
    read.skip(1)  # direct_8x8_inference_flag
    if read.flag():
        unit_x = 2 if chroma_array in (1, 2) else 1
        unit_y = (2 if chroma_array == 1 else 1) * (1 if frame_only else 2)
        left, right, top, bottom = (read.ue() for _ in range(4))
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise H264Error(f"SPS: picture of {width}x{height}, expected 1 to {MAX_SIDE} each way")
    return width, height


def _vui(read: BitReader) -> _Vui:
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
    rate = _timing(read) if read.flag() else None
    with_hrd = [_skip_hrd(read) for _ in range(2) if read.flag()]
    if with_hrd:
        read.skip(1)  # low_delay_hrd_flag
    read.skip(1)  # pic_struct_present_flag
    return _Vui(aspect, rate, _reorder(read) if read.flag() else None)


def sample_aspect(read: BitReader) -> tuple[int, int]:
    """The shape of a sample as a VUI says it (H.264 and H.265 alike); square where that makes no sense."""
    index = read.bits(8)
    if index == _EXTENDED_SAR:
        across, down = read.bits(16), read.bits(16)
    else:
        across, down = _SAR[index - 1] if 1 <= index <= len(_SAR) else (1, 1)
    if not across or not down or not 1 <= 16 * across // down <= 256:  # unspecified, or beyond 1:16 and 16:1
        return 1, 1
    shared = gcd(across, down)
    return across // shared, down // shared


def _timing(read: BitReader) -> Fraction | None:
    """Frames per second: a tick is a field's time (clause E.2.1)."""
    units, scale = read.bits(32), read.bits(32)
    read.skip(1)  # fixed_frame_rate_flag
    if not units or not 0 < scale <= 2 * units * MAX_FRAME_RATE:
        return None
    return Fraction(scale, 2 * units)


def _skip_hrd(read: BitReader) -> bool:
    schedules = 1 + read.ue_up_to(31, "cpb_cnt_minus1")
    read.skip(8)
    for _ in range(schedules):
        read.ue()
        read.ue()
        read.skip(1)
    read.skip(20)
    return True


def _reorder(read: BitReader) -> int:
    read.skip(1)  # motion_vectors_over_pic_boundaries_flag
    for _ in range(4):  # max_bytes_per_pic_denom, max_bits_per_mb_denom, log2_max_mv_length horizontal and vertical
        read.ue()
    return read.ue_up_to(16, "max_num_reorder_frames")
