"""The windows of one DTV caption service (CTA-708-E, clause 8): what its codes write, and what is seen of it."""

from dataclasses import dataclass, field, replace
from typing import Final

from media.captions.cea708_letters import TRANSPARENT
from media.captions.cues import PLAIN, Block, Line, Place, Style, spans_of

WINDOWS: Final = 8
MAX_ROWS: Final = 16
MAX_COLUMNS: Final = 64

_COLOURS: Final = {
    0b111111: "", 0b001100: "lime", 0b000011: "blue", 0b001111: "cyan", 0b110000: "red", 0b111100: "yellow",
    0b110011: "magenta",
}  # fmt: skip
"""WebVTT's colour classes by the two highest bits of red, green, blue; white is the player's own."""

_CENTRED_STYLES: Final = (3, 6)
_SCROLLS_UP: Final = 3
_ROW: Final = 80 / 15
_COLUMN: Final = 80 / 42

Cell = tuple[str, Style]


@dataclass(slots=True)
class Window:
    """A grid of letters with a pen. `changed` and `grown` tell what happened since the service last looked."""

    visible: bool = False
    priority: int = 0
    relative: bool = False
    vertical: int = 0
    horizontal: int = 0
    anchor: int = 0
    rows: int = 1
    columns: int = 1
    align: str = "start"
    row: int = 0
    column: int = 0
    pen: Style = PLAIN
    cells: dict[int, dict[int, Cell]] = field(default_factory=dict)
    changed: bool = False
    grown: bool = True

    def define(self, parameters: bytes, *, is_new: bool) -> None:
        """DFx (8.10.5.2): six bytes; a window that is there keeps its letters and its pen."""
        visible, anchored, horizontal, shape, columns, styles = parameters
        was = self.visible
        self.visible, self.priority = bool(visible & 0x20), visible & 7
        self.relative, self.vertical, self.horizontal = bool(anchored & 0x80), anchored & 0x7F, horizontal
        self.anchor, self.rows, self.columns = shape >> 4, (shape & 15) + 1, (columns & 63) + 1
        if is_new:
            self.clear()
        if styles >> 3 & 7 or is_new:
            self.align = "center" if styles >> 3 & 7 in _CENTRED_STYLES else "start"
        if styles & 7 or is_new:
            self.pen = PLAIN
        self.cells = {row: cells for row, cells in self.cells.items() if row < self.rows}
        self.row, self.column = min(self.row, self.rows - 1), min(self.column, self.columns)
        self.note(grown=was == self.visible and not is_new)

    def note(self, *, grown: bool = False) -> None:
        """What is seen has changed."""
        self.changed, self.grown = True, self.grown and grown

    def letter(self, letter: str) -> None:
        """Put a letter at the pen; beyond the last column nothing is put."""
        if self.column >= self.columns:
            return
        row = self.cells.setdefault(self.row, {})
        if letter == TRANSPARENT:
            self.note(grown=row.pop(self.column, None) is None)
        else:
            self.note(grown=self.column not in row)
            row[self.column] = letter, self.pen
        self.column += 1

    def backspace(self) -> None:
        """BS."""
        self.column = max(0, self.column - 1)
        if self.cells.get(self.row, {}).pop(self.column, None):
            self.note()

    def clear(self) -> None:
        """FF, CLW."""
        self.cells, self.row, self.column = {}, 0, 0
        self.note()

    def carriage_return(self) -> None:
        """CR: to the next row; past the last one the text scrolls."""
        self.column = 0
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.cells = {row - 1: cells for row, cells in self.cells.items() if row > 0}
        self.note()

    def erase_row(self) -> None:
        """HCR: back to the start of the row, which is erased."""
        self.column = 0
        if self.cells.pop(self.row, None):
            self.note()

    def locate(self, row: int, column: int) -> None:
        """SPL."""
        self.row, self.column = min(row, self.rows - 1), min(column, self.columns)

    def attributes(self, third: int) -> None:
        """SWA: of all window attributes only the justification changes cues."""
        self.align = ("start", "end", "center", "start")[third & 3]
        self.note(grown=True)

    def pen_attributes(self, second: int) -> None:
        """SPA: italics and underline."""
        self.pen = replace(self.pen, italic=bool(second & 0x80), underline=bool(second & 0x40))

    def pen_colour(self, foreground: int) -> None:
        """SPC: the nearest of WebVTT's colours, where there is one."""
        high = foreground & 0b101010
        self.pen = replace(self.pen, colour=_COLOURS.get(high | high >> 1, ""))

    def block(self) -> Block | None:
        """What is seen of the window: nothing when it is hidden or has no letters."""
        rows = sorted(row for row, cells in self.cells.items() if any(letter != " " for letter, _ in cells.values()))
        if not self.visible or not rows:
            return None
        lines = tuple(_line(self.cells[row]) for row in rows)
        return Block(lines, self._place(len(lines)))

    def _place(self, lines: int) -> Place:
        """The anchor is one of nine points of the window, numbered by rows (8.4.4); its place is in safe-area units."""
        down, right = divmod(min(self.anchor, 8), 3)
        y = self.vertical if self.relative else 10 + 80 * min(self.vertical, 74) / 75
        x = self.horizontal if self.relative else 10 + 80 * min(self.horizontal, 209) / 210
        top = y - down * lines * _ROW / 2
        width = self.columns * _COLUMN
        left = x - right * width / 2
        anchor = {"start": left, "center": left + width / 2, "end": left + width}[self.align]
        return Place(min(max(top, 0.0), 100 - lines * _ROW), min(max(anchor, 0.0), 100.0), self.align)


def _line(cells: dict[int, Cell]) -> Line:
    columns = [column for column, (letter, _) in cells.items() if letter != " "]
    return spans_of([cells.get(column, (" ", PLAIN)) for column in range(min(columns), max(columns) + 1)])
