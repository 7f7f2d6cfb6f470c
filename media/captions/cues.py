"""Cues, and how what a decoder shows over time becomes cues.

A decoder of captions has a screen that changes: text is added letter by letter, scrolled, replaced, erased. A cue is a
text with a start and an end. The rule between them: every change ends the cue and begins the next, except that letters
which are only added soon after the last ones belong to the cue that is there. A line that is typed while it is shown
so becomes one cue, shown whole from its first letter on, at most `GROW_S` early.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Final

GROW_MS: Final = 4_000
PAUSE_MS: Final = 1_000
MAX_CUES: Final = 2_000
"""Cues between two cuts; a caption every 30 ms for a minute is a mistake, and the rest is dropped."""


@dataclass(frozen=True, slots=True)
class Style:
    """How letters look: a WebVTT colour class (empty: white), italics, underline."""

    colour: str = ""
    italic: bool = False
    underline: bool = False


PLAIN: Final = Style()


@dataclass(frozen=True, slots=True)
class Span:
    """Letters of one style."""

    text: str
    style: Style = PLAIN


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands: its top and its anchor, in percent of the picture, and how lines are aligned there."""

    top: float
    anchor: float
    align: str = "start"


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stand together on the screen."""

    lines: tuple[Line, ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """A text from `start_ms` up to `end_ms` of media time.

    Attributes:
        text: WebVTT cue text: escaped, with cue tags, lines separated by newlines.
        settings: WebVTT cue settings; empty: the player's own.
    """

    start_ms: int
    end_ms: int
    text: str
    settings: str = ""


class Screen:
    """What is shown, from one cut to the next."""

    def __init__(self) -> None:
        self._blocks: tuple[Block, ...] = ()
        self._since_ms = 0
        self._changed_ms = 0
        self._cues: list[Cue] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing is shown."""
        return not self._blocks

    def show(self, at_ms: int, blocks: tuple[Block, ...], *, grown: bool = False) -> None:
        """From now on this is shown; `grown`: what was shown before is still there as it was, with more beside it."""
        if blocks == self._blocks:
            return
        soon = at_ms - self._changed_ms <= PAUSE_MS and at_ms - self._since_ms <= GROW_MS
        if not (grown and self._blocks and soon):
            self._end(at_ms)
            self._since_ms = max(at_ms, self._since_ms)
        self._blocks, self._changed_ms = blocks, at_ms

    def cut(self, at_ms: int) -> list[Cue]:
        """The cues up to a time; what is shown then goes on in the cues after it."""
        self._end(at_ms)
        self._since_ms = max(at_ms, self._since_ms)
        cues, self._cues = self._cues, []
        return cues

    def _end(self, at_ms: int) -> None:
        if at_ms > self._since_ms and len(self._cues) < MAX_CUES:
            self._cues += block_cues(self._blocks, self._since_ms, at_ms)


def block_cues(blocks: Sequence[Block], start_ms: int, end_ms: int) -> list[Cue]:
    """A cue for each block that has letters."""
    cues = []
    for block in blocks:
        text = "\n".join(filter(None, map(line_text, block.lines)))
        if text:
            cues.append(Cue(start_ms, end_ms, text, place_settings(block.place)))
    return cues


def place_settings(place: Place | None) -> str:
    """The cue settings of a place (WebVTT, 4.4): the top in percent, so that lines never move with the player's font."""
    if place is None:
        return ""
    top = f"line:{_percent(place.top)}"
    return f"{top} position:{_percent(place.anchor)} align:{place.align}"


def _percent(value: float) -> str:
    return f"{min(100.0, max(0.0, value)):.2f}".rstrip("0").rstrip(".") + "%"


def line_text(line: Line) -> str:
    """Cue text of a line, without spaces at its ends."""
    spans = [span for span in line if span.text]
    while spans and not spans[0].text.strip():
        spans.pop(0)
    while spans and not spans[-1].text.strip():
        spans.pop()
    if not spans:
        return ""
    spans[0] = replace(spans[0], text=spans[0].text.lstrip())
    spans[-1] = replace(spans[-1], text=spans[-1].text.rstrip())
    return "".join(map(_span_text, spans))


def _span_text(span: Span) -> str:
    text, style = escaped(span.text), span.style
    if style.underline:
        text = f"<u>{text}</u>"
    if style.italic:
        text = f"<i>{text}</i>"
    return f"<c.{style.colour}>{text}</c>" if style.colour else text


def escaped(text: str) -> str:
    """Text as cue text, in which & and < begin something and --> would end the cue (WebVTT, 4.2.2)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spans_of(cells: Sequence[tuple[str, Style]]) -> Line:
    """Letters with their styles as spans."""
    runs = groupby(cells, key=itemgetter(1))
    return tuple(Span("".join(letter for letter, _ in run), style) for style, run in runs)
