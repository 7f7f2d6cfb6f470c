"""An encoder of captions, for tests: line-21 pairs, DTVCC packets, cc_data in SEI messages, clips that carry them."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av

from media.captions.cea608_letters import EXTENDED, SPECIAL
from media.h264 import access_unit, nal_units

Pair = tuple[int, int]
Triplet = bytes

RCL, BS, DER, RU2, RU3, RU4, RDC, TR, EDM, CR, ENM, EOC = (
    0x20, 0x21, 0x24, 0x25, 0x26, 0x27, 0x29, 0x2A, 0x2C, 0x2D, 0x2E, 0x2F,
)  # fmt: skip
_BASIC = {"’": 0x27, "á": 0x2A, "é": 0x5C, "í": 0x5E, "ó": 0x5F, "ú": 0x60, "ç": 0x7B, "÷": 0x7C, "Ñ": 0x7D, "ñ": 0x7E, "█": 0x7F}  # noqa: RUF001  # fmt: skip
_ROWS = {1: (0x11, 0x40), 2: (0x11, 0x60), 3: (0x12, 0x40), 4: (0x12, 0x60), 5: (0x15, 0x40), 6: (0x15, 0x60), 7: (0x16, 0x40), 8: (0x16, 0x60), 9: (0x17, 0x40), 10: (0x17, 0x60), 11: (0x10, 0x40), 12: (0x13, 0x40), 13: (0x13, 0x60), 14: (0x14, 0x40), 15: (0x14, 0x60)}  # fmt: skip


def odd(value: int) -> int:
    """A byte of seven bits with its parity bit."""
    return value | (0x80 if value.bit_count() % 2 == 0 else 0)


def code(first: int, second: int, channel: int = 1) -> list[Pair]:
    """A control code, twice."""
    pair = odd(first | (8 if channel % 2 == 0 else 0)), odd(second)
    return [pair, pair]


def control(second: int, channel: int = 1) -> list[Pair]:
    """A miscellaneous control code, in the form of the channel's field."""
    return code(0x14 if channel < 3 else 0x15, second, channel)


def address(row: int, column: int = 0, channel: int = 1, *, attribute: int | None = None) -> list[Pair]:
    """A preamble address code, and a tab offset where the column needs one; or a colour (0 to 7) instead of a column."""
    first, second = _ROWS[row]
    low = attribute * 2 if attribute is not None else 0x10 + column // 4 * 2
    pairs = code(first, second | low, channel)
    return pairs + (code(0x17, 0x20 + column % 4, channel) if attribute is None and column % 4 else [])


def letters(text: str, channel: int = 1) -> list[Pair]:
    """Text as pairs; special and extended letters as the codes they are."""
    pairs: list[Pair] = []
    waiting: list[int] = []

    def flush() -> None:
        if waiting:
            pairs.append((odd(waiting[0]), odd(waiting[1]) if len(waiting) > 1 else 0x80))
            waiting.clear()

    for letter in text:
        if letter in SPECIAL:
            flush()
            pairs.extend(code(0x11, 0x30 + SPECIAL.index(letter), channel))
        elif letter not in _BASIC and not (letter.isascii() and letter not in "*{}\\^_|~'"):
            row = 0 if letter in EXTENDED[0] else 1
            waiting.append(ord("?"))
            flush()
            pairs.extend(code(0x12 + row, 0x20 + EXTENDED[row].index(letter), channel))
        else:
            waiting.append(_BASIC.get(letter) or ord(letter))
            if len(waiting) == 2:
                flush()
    flush()
    return pairs


def pop_on(lines: Sequence[str], row: int = 14, column: int = 0, channel: int = 1) -> list[Pair]:
    """Load a caption; EOC shows it."""
    pairs = control(RCL, channel) + control(ENM, channel)
    for index, line in enumerate(lines):
        pairs += address(row + index, column, channel) + letters(line, channel)
    return pairs


def line_21(pairs: Iterable[Pair], field: int = 0) -> list[Triplet]:
    """Pairs as triplets."""
    return [bytes((0xFC | field, *pair)) for pair in pairs]


def dtvcc(blocks: Sequence[tuple[int, bytes]], sequence: int) -> list[Triplet]:
    """Service blocks as the triplets of one packet."""
    body = b"".join(bytes((service << 5 | len(data), *data)) for service, data in blocks)
    body += b"\0" * (1 - len(body) % 2)
    packet = bytes(((sequence & 3) << 6 | (len(body) + 1) // 2, *body))
    pairs = [packet[at : at + 2] for at in range(0, len(packet), 2)]
    return [bytes((0xFF if at == 0 else 0xFE, *pair)) for at, pair in enumerate(pairs)]


def define_window(number: int, *, row: int = 60, rows: int = 2, columns: int = 32, visible: bool = True) -> bytes:
    """DFx with its anchor at the lower left."""
    return bytes((0x98 + number, 0x20 if visible else 0, row, 20, 6 << 4 | rows - 1, columns - 1, 1 << 3 | 1))


def cc_data(triplets: Sequence[Triplet]) -> bytes:
    """The body of a registered user data message."""
    assert len(triplets) <= 31
    return b"\xb5\x00\x31GA94\x03" + bytes((0xC0 | len(triplets), 0xFF)) + b"".join(triplets) + b"\xff"


def sei(triplets: Sequence[Triplet], *, hevc: bool = False) -> bytes:
    """A NAL unit with one message, emulation prevented."""
    body = cc_data(triplets)
    size = b"\xff" * (len(body) // 255) + bytes((len(body) % 255,))
    rbsp, out, zeros = b"\x04" + size + body + b"\x80", bytearray(), 0
    for byte in rbsp:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return (b"\x4e\x01" if hevc else b"\x06") + bytes(out)


def with_captions(sample: bytes, triplets: Sequence[Triplet], *, hevc: bool = False) -> bytes:
    """A length-prefixed access unit with the message before its first slice."""
    nals = list(nal_units(sample))
    is_slice: Callable[[bytes], bool] = (lambda n: n[0] >> 1 & 63 < 32) if hevc else (lambda n: n[0] & 31 in (1, 5))
    at = next(index for index, nal in enumerate(nals) if is_slice(nal))
    return access_unit([*nals[:at], sei(triplets, hevc=hevc), *nals[at:]])


def captioned_clip(source: Path, target: Path, pictures: Sequence[Sequence[Triplet]]) -> None:
    """Copy a clip of H.264 (and sound) with triplets on its pictures, the first picture that is shown first."""
    with av.open(str(source)) as clip, av.open(str(target), "w") as made:
        streams = {stream.index: made.add_stream_from_template(stream) for stream in clip.streams}
        packets = [packet for packet in clip.demux() if packet.size and packet.pts is not None]
        shown = sorted(p.pts for p in packets if p.stream.type == "video" and p.pts is not None)
        for packet in packets:
            if packet.stream.type == "video":
                index = shown.index(packet.pts) if packet.pts is not None else 0
                triplets = pictures[index] if index < len(pictures) else ()
                packet_ = av.Packet(with_captions(bytes(packet), triplets or [b"\xfc\x80\x80"]))
                packet_.pts, packet_.dts, packet_.time_base = packet.pts, packet.dts, packet.time_base
                packet_.duration, packet_.is_keyframe = packet.duration, packet.is_keyframe
            else:
                packet_ = packet
            packet_.stream = streams[packet.stream.index]
            made.mux(packet_)


def spread(at: Sequence[tuple[Fraction | float, Sequence[Pair]]], frames: int, rate: int, field: int = 0) -> list[list[Triplet]]:  # fmt: skip
    """Pairs on pictures, one pair each, from the picture of a time in seconds on."""
    pictures: list[list[Triplet]] = [[] for _ in range(frames)]
    for start, pairs in at:
        first = round(start * rate)
        for index, triplet in enumerate(line_21(pairs, field)):
            assert not pictures[first + index], f"picture {first + index} has a pair already"
            pictures[first + index] = [triplet]
    return pictures
