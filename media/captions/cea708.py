"""DTV captions (CTA-708-E): DTVCC packets to cues of services 1 to 6.

Theory. Triplets of type 3 begin a packet, those of type 2 go on with it (clause 5). A packet is a run of service blocks
(6.2); the bytes of one service's blocks are a stream of codes (7.1): letters of four sets, and commands to eight windows
(8.10), each with as many parameters as its number tells. What the visible windows hold is what is seen. A packet that is
missing (its number is not the next) resets all services, for nobody knows what it said.
"""

from dataclasses import dataclass, field
from typing import Final

from media.captions.cea708_letters import UNKNOWN, basic, extended
from media.captions.cea708_windows import WINDOWS, Window
from media.captions.cues import Block, Cue, Screen

SERVICES: Final = 6
NAMES: Final = tuple(f"svc{number}" for number in range(1, SERVICES + 1))
MAX_STREAM: Final = 4096
"""Bytes of a service that may wait for a delay or for the rest of a command; the standard's buffer is 128 (8.10.5.3)."""
TIMEOUT_MS: Final = 30_000
"""A service without data for so long is erased, that captions do not stand for ever when their source is gone."""

_ETX, _BS, _FF, _CR, _HCR, _EXT1, _P16 = 0x03, 0x08, 0x0C, 0x0D, 0x0E, 0x10, 0x18
_CLW, _DSW, _HDW, _TGW, _DLW, _DLY, _DLC, _RST = range(0x88, 0x90)
_SPA, _SPC, _SPL, _SWA, _DF0 = 0x90, 0x91, 0x92, 0x97, 0x98
_C1_PARAMETERS: Final = {_CLW: 1, _DSW: 1, _HDW: 1, _TGW: 1, _DLW: 1, _DLY: 1, _SPA: 2, _SPC: 3, _SPL: 2, _SWA: 4}


def command_size(stream: bytes) -> int:
    """Bytes of the command or letter that a stream begins with; 0 while that cannot be told."""
    code = stream[0]
    if code == _EXT1:
        return _extended_size(stream)
    if code < 0x20:
        return 1 if code < 0x10 else 2 if code < 0x18 else 3
    if 0x80 <= code < 0xA0:
        return 1 + (6 if code >= _DF0 else _C1_PARAMETERS.get(code, 0))
    return 1


def _extended_size(stream: bytes) -> int:
    """The same behind EXT1: C2 and C3 commands, none of which is defined, are passed over by their sizes (7.1.9)."""
    if len(stream) < 2:
        return 0
    code = stream[1]
    if code < 0x20:
        return 2 + (code >> 3)
    if 0x80 <= code < 0x90:
        return 2 + (4 if code < 0x88 else 5)
    if 0x90 <= code < 0xA0:
        return 3 + (stream[2] & 0x3F) if len(stream) > 2 else 0
    return 2


@dataclass(slots=True)
class _Service:
    """One caption service."""

    windows: dict[int, Window] = field(default_factory=dict)
    current: Window | None = None
    stream: bytearray = field(default_factory=bytearray)
    delayed_ms: int | None = None
    screen: Screen = field(default_factory=Screen)
    heard: bool = False
    heard_ms: int = 0
    _shape_changed: bool = False

    def take(self, data: bytes, at_ms: int) -> None:
        """Bytes of the service."""
        self.advance(at_ms)
        self.heard_ms = at_ms
        self.stream += data
        if self.delayed_ms is not None and (_DLC in data or _RST in data or len(self.stream) > MAX_STREAM):
            self.delayed_ms = None
        self._run(at_ms)

    def advance(self, at_ms: int) -> None:
        """Time goes on: a delay ends, what is left alone is erased."""
        if self.delayed_ms is not None and at_ms >= self.delayed_ms:
            ended_ms, self.delayed_ms = self.delayed_ms, None
            self._run(ended_ms)
        if not self.screen.is_empty and at_ms - self.heard_ms >= TIMEOUT_MS:
            self.reset(self.heard_ms + TIMEOUT_MS)

    def reset(self, at_ms: int) -> None:
        """RST, or a packet is lost."""
        self.windows, self.current, self.delayed_ms = {}, None, None
        self.stream.clear()
        self.screen.show(at_ms, ())

    def _run(self, at_ms: int) -> None:
        while self.stream and self.delayed_ms is None:
            size = command_size(bytes(self.stream[:3]))
            if not 0 < size <= len(self.stream):
                break
            command = bytes(self.stream[:size])
            del self.stream[:size]
            self._do(command, at_ms)
        del self.stream[MAX_STREAM:]
        self._settle(at_ms)

    def _settle(self, at_ms: int) -> None:
        changed = [window for window in self.windows.values() if window.changed]
        if changed or self._shape_changed:
            grown = not self._shape_changed and all(window.grown for window in changed)
            self.screen.show(at_ms, self._blocks(), grown=grown)
        for window in changed:
            window.changed, window.grown = False, True
        self._shape_changed = False

    def _blocks(self) -> tuple[Block, ...]:
        """Of the visible windows, those of the highest priority (0) first."""
        ordered = sorted(self.windows.items(), key=lambda item: (item[1].priority, item[0]))
        return tuple(block for _, window in ordered if (block := window.block()) is not None)

    def _do(self, command: bytes, at_ms: int) -> None:
        code = command[0]
        if code == _EXT1:
            if 0x20 <= command[1] < 0x80 or command[1] >= 0xA0:
                self._letters(extended(command[1]))
        elif code == _P16:
            self._letters(_wide(command[1:3]))
        elif code < 0x20:
            self._c0(code)
        elif 0x80 <= code < 0xA0:
            self._c1(code, command[1:], at_ms)
        else:
            self._letters(basic(code))

    def _letters(self, letters: str) -> None:
        if self.current is not None:
            self.heard = True
            for letter in letters:
                self.current.letter(letter)

    def _c0(self, code: int) -> None:
        window = self.current
        if window is None:
            return
        if code == _BS:
            window.backspace()
        elif code == _FF:
            window.clear()
        elif code == _CR:
            window.carriage_return()
        elif code == _HCR:
            window.erase_row()

    def _c1(self, code: int, parameters: bytes, at_ms: int) -> None:
        if code < _CLW:
            self.current = self.windows.get(code & 7)
        elif code <= _DLW:
            self._several(code, parameters[0])
        elif code == _DLY:
            self.delayed_ms = at_ms + parameters[0] * 100
        elif code == _RST:
            self.reset(at_ms)
        elif code >= _DF0:
            self._define(code & 7, parameters)
        elif self.current is not None:
            self._pen(self.current, code, parameters)

    def _several(self, code: int, bitmap: int) -> None:
        """CLW, DSW, HDW, TGW, DLW: of the windows in a bitmap."""
        for number in [number for number in self.windows if bitmap >> number & 1]:
            window = self.windows[number]
            if code == _CLW:
                window.clear()
            elif code == _DLW:
                del self.windows[number]
                self.current = None if self.current is window else self.current
                self._shape_changed = True
            else:
                window.visible = code == _DSW or (code == _TGW and not window.visible)
                window.note()

    def _define(self, number: int, parameters: bytes) -> None:
        is_new = number not in self.windows
        window = self.windows.setdefault(number, Window())
        window.define(parameters, is_new=is_new)
        self.current = window

    def _pen(self, window: Window, code: int, parameters: bytes) -> None:
        if code == _SPA:
            window.pen_attributes(parameters[1])
        elif code == _SPC:
            window.pen_colour(parameters[0] & 0x3F)
        elif code == _SPL:
            window.locate(parameters[0] & 15, parameters[1] & 63)
        elif code == _SWA:
            window.attributes(parameters[2])


def _wide(code: bytes) -> str:
    """A letter of 16 bits, which is taken for UCS-2 as everybody does."""
    letter = chr(int.from_bytes(code, "big"))
    return letter if letter.isprintable() else UNKNOWN


class Cea708Decoder:
    """All services. Give it triplets in the order in which they are shown, and cut it where segments end."""

    def __init__(self) -> None:
        self._services = tuple(_Service() for _ in NAMES)
        self._packet = bytearray()
        self._size = 0
        self._due: int | None = None

    @property
    def heard(self) -> tuple[str, ...]:
        """The services that letters came on so far."""
        return tuple(name for name, service in zip(NAMES, self._services, strict=True) if service.heard)

    def triplet(self, *, starts: bool, first: int, second: int, at_ms: int) -> None:
        """Two bytes of a packet: its first (type 3), or the next (type 2)."""
        if starts:
            self._packet.clear()
            self._size = 2 * (first & 63) or 128
        elif not self._size:
            return
        self._packet += bytes((first, second))
        if len(self._packet) >= self._size:
            packet, self._size = bytes(self._packet[: self._size]), 0
            self._whole(packet, at_ms)

    def cut(self, at_ms: int) -> dict[str, list[Cue]]:
        """The cues of each service up to a time, since the last cut."""
        for service in self._services:
            service.advance(at_ms)
        return {name: service.screen.cut(at_ms) for name, service in zip(NAMES, self._services, strict=True)}

    def _whole(self, packet: bytes, at_ms: int) -> None:
        number = packet[0] >> 6
        if self._due is not None and number != self._due:
            for service in self._services:
                service.reset(at_ms)
        self._due = (number + 1) & 3
        at = 1
        while at < len(packet):
            which, size = packet[at] >> 5, packet[at] & 31
            at += 1
            if which == 7:  # an extended number takes the next byte
                if at >= len(packet):
                    return
                which = packet[at] & 63
                at += 1
            if which == 0 or not size:
                return
            if which <= SERVICES and at + size <= len(packet):
                self._services[which - 1].take(packet[at : at + size], at_ms)
            at += size


assert WINDOWS == 8, "the number of a window is three bits"
