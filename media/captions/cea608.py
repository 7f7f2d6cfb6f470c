"""Line-21 captions (CTA-608-E, as of 47 CFR 15.119): pairs of bytes to cues of CC1 to CC4.

Theory. Each of two fields brings a pair of bytes a frame, and carries two channels: CC1 and CC2 in field 1, CC3 and CC4
in field 2. A control code names its channel, letters belong to the channel of the last code. A channel has two memories
of 15 rows and 32 columns, one shown and one not, and a style: pop-on writes into the one that is not shown and swaps
them, paint-on writes into the one that is shown, roll-up writes into its lowest row and scrolls. Control codes come
twice in a row so that one may be lost; the second is passed over. Field 2 may also carry XDS, which is no caption.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from media.captions.cea608_letters import EXTENDED, SPECIAL, TRANSPARENT, basic
from media.captions.cues import PLAIN, Block, Cue, Line, Place, Screen, Style, spans_of

ROWS: Final = 15
COLUMNS: Final = 32
TIMEOUT_MS: Final = 16_000
"""A channel without data for so long is erased (CTA-608-E, C.9)."""
REPEAT_MS: Final = 200
"""A repeat of a control code comes in the next frame; the same code later is meant."""

NAMES: Final = ("cc1", "cc2", "cc3", "cc4")

_COLOURS: Final = ("", "lime", "blue", "cyan", "red", "yellow", "magenta")
_PAC_ROWS: Final = {0x10: (11, 11), 0x11: (1, 2), 0x12: (3, 4), 0x13: (12, 13), 0x14: (14, 15)} | {
    0x15: (5, 6), 0x16: (7, 8), 0x17: (9, 10),
}  # fmt: skip
_SAFE: Final = 10.0
"""Percent of the picture on each side of the 15 rows and 32 columns."""
_ROW: Final = 80 / ROWS
_COLUMN: Final = 80 / COLUMNS

Cell = tuple[str, Style]
Memory = dict[int, dict[int, Cell]]
"""Letters by row (1 to 15) and column (0 to 31)."""


class Mode(Enum):
    """Where letters go."""

    NONE = auto()
    POP_ON = auto()
    PAINT_ON = auto()
    ROLL_UP = auto()
    TEXT = auto()


@dataclass(slots=True)
class _Channel:
    """One of the four caption channels."""

    mode: Mode = Mode.NONE
    shown: Memory = field(default_factory=dict)
    hidden: Memory = field(default_factory=dict)
    row: int = ROWS
    column: int = 0
    depth: int = 2
    pen: Style = PLAIN
    screen: Screen = field(default_factory=Screen)
    heard_ms: int = 0
    heard: bool = False
    changed: bool = False
    grown: bool = True

    # What is written

    def letter(self, letter: str) -> None:
        """Put a letter at the cursor, which goes on to the next column and stays at the last."""
        memory = self._target()
        if memory is None:
            return
        self.heard = True
        row = memory.setdefault(self.row, {})
        if letter == TRANSPARENT:
            self._note(memory, grown=row.pop(self.column, None) is None)
        else:
            self._note(memory, grown=self.column not in row)
            row[self.column] = letter, self.pen
        self.column = min(self.column + 1, COLUMNS - 1)

    def instead(self, letter: str) -> None:
        """Put a letter in the place of the one before the cursor, which stood in for it."""
        self.column = max(0, self.column - 1)
        memory = self._target()
        if memory is not None and self.row in memory:
            memory[self.row].pop(self.column, None)
        self.letter(letter)

    def backspace(self) -> None:
        """Back one column, and erase what is there."""
        memory = self._target()
        self.column = max(0, self.column - 1)
        if memory is not None and self.column in memory.get(self.row, {}):
            del memory[self.row][self.column]
            self._note(memory, grown=False)

    def _target(self) -> Memory | None:
        if self.mode is Mode.POP_ON:
            return self.hidden
        return self.shown if self.mode in (Mode.PAINT_ON, Mode.ROLL_UP) else None

    def _note(self, memory: Memory, *, grown: bool) -> None:
        if memory is self.shown:
            self.changed, self.grown = True, self.grown and grown

    # What codes do

    def preamble(self, row: int, column: int, pen: Style) -> None:
        """A preamble address code: where the next letters go and how they look."""
        if self.mode is Mode.ROLL_UP:
            row = max(row, self.depth)
            if row != self.row:
                self._move(row - self.row)
        self.row, self.column, self.pen = row, column, pen

    def _move(self, by: int) -> None:
        self.shown = {row + by: cells for row, cells in self.shown.items() if 1 <= row + by <= ROWS}
        self._note(self.shown, grown=False)

    def mid_row(self, pen: Style) -> None:
        """A mid-row code takes a column, and changes the pen."""
        self.letter(" ")
        self.pen = pen

    def control(self, code: int) -> None:
        """A miscellaneous control code (CTA-608-E, table 52)."""
        if 0x25 <= code <= 0x27:
            self._roll_up(code - 0x23)
        elif action := _CONTROLS.get(code):
            action(self)

    def resume_loading(self) -> None:
        """RCL: pop-on."""
        self.mode = Mode.POP_ON

    def resume_direct(self) -> None:
        """RDC: paint-on."""
        self.mode = Mode.PAINT_ON

    def text(self) -> None:
        """TR, RTD: what follows is no caption."""
        self.mode = Mode.TEXT

    def delete_to_end(self) -> None:
        """DER: the row, from the cursor on."""
        memory = self._target()
        for column in [c for c in (memory or {}).get(self.row, {}) if c >= self.column]:
            assert memory is not None
            del memory[self.row][column]
            self._note(memory, grown=False)

    def erase_shown(self) -> None:
        """EDM."""
        self.shown = {}
        self._note(self.shown, grown=False)

    def erase_hidden(self) -> None:
        """ENM."""
        self.hidden = {}

    def end_of_caption(self) -> None:
        """EOC: swap the memories."""
        self.shown, self.hidden, self.mode = self.hidden, self.shown, Mode.POP_ON
        self._note(self.shown, grown=False)

    def carriage_return(self) -> None:
        """CR: scroll; only in roll-up."""
        if self.mode is Mode.ROLL_UP:
            first = self.row - self.depth + 1
            self.shown = {row - 1: cells for row, cells in self.shown.items() if first < row <= self.row}
            self.column, self.pen = 0, PLAIN
            self._note(self.shown, grown=False)

    def _roll_up(self, depth: int) -> None:
        if self.mode is not Mode.ROLL_UP:
            self.mode, self.row, self.column, self.hidden = Mode.ROLL_UP, ROWS, 0, {}
            self.erase_shown()
        self.depth, self.row = depth, max(self.row, depth)
        kept = {row: cells for row, cells in self.shown.items() if self.row - depth < row <= self.row}
        if len(kept) != len(self.shown):
            self.shown = kept
            self._note(kept, grown=False)

    # What is seen

    def settle(self, at_ms: int) -> None:
        """After a pair: tell the screen what has changed."""
        if self.changed:
            self.screen.show(at_ms, blocks_of(self.shown), grown=self.grown)
        self.changed, self.grown = False, True

    def expire(self, at_ms: int) -> None:
        """Erase a channel that nothing came for."""
        if not self.screen.is_empty and at_ms - self.heard_ms >= TIMEOUT_MS:
            self.erase_shown()
            self.settle(self.heard_ms + TIMEOUT_MS)


_CONTROLS: Final = {
    0x20: _Channel.resume_loading,
    0x21: _Channel.backspace,
    0x24: _Channel.delete_to_end,
    0x29: _Channel.resume_direct,
    0x2A: _Channel.text,
    0x2B: _Channel.text,
    0x2C: _Channel.erase_shown,
    0x2D: _Channel.carriage_return,
    0x2E: _Channel.erase_hidden,
    0x2F: _Channel.end_of_caption,
}


@dataclass(slots=True)
class _Field:
    """What one field has between pairs: the channel that letters belong to, and the code that may be repeated."""

    number: int
    channel: int = 0
    last: tuple[int, int, int] | None = None
    in_xds: bool = False


class Cea608Decoder:
    """Both fields. Give it pairs in the order in which they are shown, and cut it where segments end."""

    def __init__(self) -> None:
        self._fields = (_Field(0), _Field(1))
        self._channels = tuple(_Channel() for _ in NAMES)

    @property
    def heard(self) -> tuple[str, ...]:
        """The channels that captions came on so far."""
        return tuple(name for name, channel in zip(NAMES, self._channels, strict=True) if channel.heard)

    def pair(self, number: int, first: int, second: int, at_ms: int) -> None:
        """Take a pair of bytes with their parity bits; `number` is 0 for field 1, 1 for field 2.

        As 47 CFR 15.119 (j) says, a second byte with wrong parity loses the pair, a first one becomes a solid block.
        """
        if not _is_odd(second):
            return
        first, second = first & 0x7F if _is_odd(first) else 0x7F, second & 0x7F
        if (first, second) != (0, 0):
            field_ = self._fields[number]
            channel = self._take(field_, first, second, at_ms)
            if channel is not None:
                channel.settle(at_ms)

    def cut(self, at_ms: int) -> dict[str, list[Cue]]:
        """The cues of each channel up to a time, since the last cut."""
        for channel in self._channels:
            channel.expire(at_ms)
        return {name: channel.screen.cut(at_ms) for name, channel in zip(NAMES, self._channels, strict=True)}

    def _take(self, field_: _Field, first: int, second: int, at_ms: int) -> _Channel | None:
        """Do what a pair says; gives the channel that it was for."""
        if not 0x10 <= first <= 0x1F:
            if field_.number == 1 and 0 < first < 0x10:
                field_.in_xds = True
            return None if field_.in_xds else self._letters(field_, first, second, at_ms)
        field_.in_xds, field_.channel = False, first >> 3 & 1
        channel = self._channel(field_, at_ms)
        last, field_.last = field_.last, (first, second, at_ms)
        if last is not None and last[:2] == (first, second) and at_ms - last[2] <= REPEAT_MS:
            field_.last = None
            return None
        _code(channel, first & 0xF7, second)
        return channel

    def _channel(self, field_: _Field, at_ms: int) -> _Channel:
        channel = self._channels[2 * field_.number + field_.channel]
        channel.expire(at_ms)
        channel.heard_ms = at_ms
        return channel

    def _letters(self, field_: _Field, first: int, second: int, at_ms: int) -> _Channel:
        field_.last = None
        channel = self._channel(field_, at_ms)
        for code in (first, second):
            if code >= 0x20:
                channel.letter(basic(code))
        return channel


def _code(channel: _Channel, first: int, second: int) -> None:
    """Do a control code, without its channel bit."""
    if second >= 0x40:
        rows = _PAC_ROWS[first]
        attribute = second >> 1 & 0x0F
        pen = Style("" if attribute >= 7 else _COLOURS[attribute], attribute == 7, bool(second & 1))
        channel.preamble(rows[second >> 5 & 1], (attribute - 8) * 4 if attribute >= 8 else 0, pen)
    elif second < 0x20:
        return
    elif first == 0x11:
        _mid_row_or_special(channel, second)
    elif first in (0x12, 0x13):
        channel.instead(EXTENDED[first - 0x12][second - 0x20])
    elif first in (0x14, 0x15) and second < 0x30:
        channel.control(second)
    elif first == 0x17 and 0x21 <= second <= 0x23:
        channel.column = min(channel.column + second - 0x20, COLUMNS - 1)


def _mid_row_or_special(channel: _Channel, second: int) -> None:
    if second >= 0x30:
        channel.letter(SPECIAL[second - 0x30])
        return
    attribute, underline = second >> 1 & 7, bool(second & 1)
    if attribute == 7:
        channel.mid_row(replace(channel.pen, italic=True, underline=underline))
    else:
        channel.mid_row(Style(_COLOURS[attribute], italic=False, underline=underline))


def _is_odd(byte: int) -> bool:
    return byte.bit_count() % 2 == 1


def blocks_of(memory: Memory) -> tuple[Block, ...]:
    """Rows that stand together become a block, with a place on the picture."""
    rows = sorted(row for row, cells in memory.items() if any(letter != " " for letter, _ in cells.values()))
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][-1] + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return tuple(_block(run, memory) for run in runs)


def _block(rows: list[int], memory: Memory) -> Block:
    edges = [_edges(memory[row]) for row in rows]
    firsts, centres = {first for first, _ in edges}, [(first + last + 1) / 2 for first, last in edges]
    top = _SAFE + (rows[0] - 1) * _ROW
    if len(rows) > 1 and len(firsts) > 1 and max(centres) - min(centres) <= 1:
        place = Place(top, _SAFE + sum(centres) / len(centres) * _COLUMN, "center")
    else:
        place = Place(top, _SAFE + min(firsts) * _COLUMN)
    return Block(tuple(_line(memory[row]) for row in rows), place)


def _edges(cells: dict[int, Cell]) -> tuple[int, int]:
    columns = [column for column, (letter, _) in cells.items() if letter != " "]
    return min(columns), max(columns)


def _line(cells: dict[int, Cell]) -> Line:
    """The letters of a row; what is empty between them is a space."""
    first, last = _edges(cells)
    return spans_of([cells.get(column, (" ", PLAIN)) for column in range(first, last + 1)])
