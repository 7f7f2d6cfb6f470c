"""SCTE 35 `splice_insert`: the ad cue that HLS carries in SCTE35-OUT and SCTE35-IN (RFC 8216bis section 4.4.5.1).

Only what a break needs: whole-program splices with a time and, going out, a duration after which the program returns.
Section numbers are of ANSI/SCTE 35 2023.
"""

from dataclasses import dataclass
from typing import Final

from media.errors import MediaError

TABLE_ID: Final = 0xFC
SPLICE_INSERT: Final = 0x05
CLOCK_HZ: Final = 90_000
PTS_BITS: Final = 33
NO_TIER: Final = 0xFFF


class Scte35Error(MediaError):
    """A number does not fit its field."""


@dataclass(frozen=True, slots=True)
class SpliceInsert:
    """One splice point.

    Attributes:
        event_id: 32 bits; the same going out and coming in.
        out: True where the break begins, False where the program returns.
        pts: media time of the splice in ticks of 90 kHz; only its lower 33 bits are kept, as in MPEG-2.
        duration: length of the break in ticks of 90 kHz, going out; the program returns by itself after it.
    """

    event_id: int
    out: bool
    pts: int
    duration: int | None = None

    def encode(self) -> bytes:
        """The `splice_info_section` with its CRC (section 9.6).

        Raises:
            Scte35Error: the event id or the duration does not fit.
        """
        command = self._command()
        # protocol_version; encrypted_packet, encryption_algorithm and pts_adjustment; cw_index; tier and command length
        body = b"\0" + bytes(5) + b"\xff" + (NO_TIER << 12 | len(command)).to_bytes(3, "big")
        body += bytes([SPLICE_INSERT]) + command + b"\0\0"  # no descriptors
        # section_syntax_indicator 0, private_indicator 0, sap_type 3 (not specified), section_length with the CRC
        head = bytes([TABLE_ID]) + (0x3000 | len(body) + 4).to_bytes(2, "big")
        section = head + body
        return section + crc32_mpeg2(section).to_bytes(4, "big")

    def _command(self) -> bytes:
        """`splice_insert()` (section 9.7.3)."""
        _fits(self.event_id, 32, "event id")
        event = self.event_id.to_bytes(4, "big") + b"\x7f"  # not cancelled, reserved bits set
        flags = self.out << 7 | 0x40 | (self.duration is not None) << 5 | 0x0F  # program splice, not immediate
        time = (1 << 39 | 0x3F << 33 | self.pts & (1 << PTS_BITS) - 1).to_bytes(5, "big")
        length = b""
        if self.duration is not None:
            _fits(self.duration, PTS_BITS, "duration")
            length = (1 << 39 | 0x3F << 33 | self.duration).to_bytes(5, "big")  # auto_return
        return event + bytes([flags]) + time + length + bytes(4)  # unique_program_id, avail_num, avails_expected


def crc32_mpeg2(data: bytes) -> int:
    """CRC-32/MPEG-2: polynomial 0x04C11DB7, start 0xFFFFFFFF, not reflected, no final inversion."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
    return crc


def _fits(value: int, bits: int, what: str) -> None:
    if not 0 <= value < 1 << bits:
        raise Scte35Error(f"{what}: expected 0 to {(1 << bits) - 1}, found {value}")
