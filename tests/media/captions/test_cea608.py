"""Line-21 captions, from an encoder of our own back to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.captions.cea608 import Cea608Decoder
from media.captions.cea608_letters import EXTENDED, SPECIAL, basic
from media.captions.cues import Cue
from tests.media.captions.encoder import (
    BS,
    CR,
    DER,
    EDM,
    EOC,
    RCL,
    RDC,
    RU2,
    RU3,
    TR,
    Pair,
    address,
    code,
    control,
    letters,
    pop_on,
)

FRAME_MS = 40


class Line21:
    """A decoder that is given one pair a frame."""

    def __init__(self, field: int = 0) -> None:
        self.decoder = Cea608Decoder()
        self.field = field

    def send(self, at_ms: int, pairs: list[Pair]) -> int:
        """Gives the time of the last pair."""
        for index, pair in enumerate(pairs):
            self.decoder.pair(self.field, *pair, at_ms + index * FRAME_MS)
        return at_ms + (len(pairs) - 1) * FRAME_MS

    def cues(self, end_ms: int, name: str = "cc1") -> list[Cue]:
        return self.decoder.cut(end_ms)[name]

    def texts(self, end_ms: int, name: str = "cc1") -> list[str]:
        return [cue.text for cue in self.cues(end_ms, name)]


def test_a_pop_on_caption_is_a_cue_from_eoc_to_edm() -> None:
    line = Line21()
    line.send(0, pop_on(["Hello,", "world!"]))
    line.send(2_000, control(EOC))
    line.send(4_000, control(EDM))
    (cue,) = line.cues(6_000)
    assert (cue.start_ms, cue.end_ms, cue.text) == (2_000, 4_000, "Hello,\nworld!")
    assert cue.settings == "line:79.33% position:10% align:start"


def test_the_next_caption_ends_the_one_before() -> None:
    line = Line21()
    line.send(0, pop_on(["One"]))
    line.send(1_000, control(EOC) + pop_on(["Two"]))
    line.send(3_000, control(EOC))
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in line.cues(5_000)] == [
        (1_000, 3_000, "One"),
        (3_000, 5_000, "Two"),
    ]


def test_a_caption_that_is_shown_at_a_cut_goes_on_behind_it() -> None:
    line = Line21()
    line.send(0, pop_on(["Long"]))
    line.send(1_000, control(EOC))
    assert [(cue.start_ms, cue.end_ms) for cue in line.cues(2_000)] == [(1_000, 2_000)]
    line.send(3_000, control(EDM))
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in line.cues(4_000)] == [(2_000, 3_000, "Long")]


def test_a_code_that_comes_twice_is_done_once() -> None:
    line = Line21()
    line.send(0, control(RCL) + address(15) + letters("ab") + control(BS) + letters("c"))
    line.send(2_000, control(EOC))
    assert line.texts(3_000) == ["ac"]


def test_the_same_code_later_is_meant() -> None:
    line = Line21()
    line.send(0, control(RCL) + address(15) + letters("abc"))
    line.send(1_000, control(BS)[:1])
    line.send(2_000, control(BS)[:1])
    line.send(3_000, control(EOC))
    assert line.texts(4_000) == ["a"]


@pytest.mark.parametrize("depth", [2, 3])
def test_roll_up_keeps_so_many_lines_and_scrolls(depth: int) -> None:
    line = Line21()
    line.send(0, control(RU2 if depth == 2 else RU3))
    for index, text in enumerate(["First line", "Second line", "Third line"]):
        line.send(1_000 + 3_000 * index, control(CR) + address(15) + letters(text))
    texts = line.texts(10_000)
    assert texts[0] == "First line"
    assert texts[-1] == "\n".join(["First line", "Second line", "Third line"][-depth:])


def test_a_line_that_is_typed_is_one_cue() -> None:
    line = Line21()
    line.send(0, control(RU2) + control(CR) + address(15) + letters("A whole line of text is typed"))
    (cue,) = line.cues(3_000)
    assert (cue.start_ms, cue.text) == (6 * FRAME_MS, "A whole line of text is typed")


def test_what_is_added_after_a_pause_is_not_shown_early() -> None:
    line = Line21()
    line.send(0, control(RDC) + address(14) + letters("Now"))
    line.send(5_000, address(15) + letters("later"))
    assert [(cue.text, cue.end_ms) for cue in line.cues(7_000)] == [("Now", 5_080), ("Now\nlater", 7_000)]


def test_paint_on_writes_over_what_is_there() -> None:
    line = Line21()
    line.send(0, control(RDC) + address(15) + letters("abcd"))
    line.send(2_000, address(15) + letters("xy"))
    assert line.texts(3_000) == ["abcd", "xycd"]


def test_delete_to_end_of_row_leaves_what_is_before_the_cursor() -> None:
    line = Line21()
    line.send(0, control(RDC) + address(15) + letters("abcdefgh"))
    line.send(2_000, address(15, 4) + control(DER))
    assert line.texts(3_000) == ["abcdefgh", "abcd"]


def test_rows_apart_are_cues_apart_with_their_own_places() -> None:
    line = Line21()
    line.send(0, control(RCL) + address(1, 4) + letters("Top") + address(15, 9) + letters("Bottom") + control(EOC))
    assert [(cue.text, cue.settings) for cue in line.cues(4_000)] == [
        ("Top", "line:10% position:20% align:start"),
        ("Bottom", "line:84.67% position:32.5% align:start"),
    ]


def test_lines_with_one_middle_are_centred() -> None:
    line = Line21()
    line.send(0, control(RCL) + address(14, 8) + letters("Wide line here.."))
    line.send(1_000, address(15, 13) + letters("narrow") + control(EOC))
    (cue,) = line.cues(3_000)
    assert cue.settings == "line:79.33% position:50% align:center"


def test_colours_italics_and_underline_become_cue_tags() -> None:
    line = Line21()
    line.send(0, control(RCL) + address(14, attribute=5) + letters("Gold") + code(0x11, 0x2E) + letters("leaf"))
    line.send(1_000, code(0x11, 0x21) + letters("line") + address(15, attribute=7) + letters("slanted") + control(EOC))
    assert line.texts(4_000) == ["<c.yellow>Gold </c><c.yellow><i>leaf </i></c><u>line</u>\n<i>slanted</i>"]


def test_what_cue_text_does_not_allow_is_escaped() -> None:
    line = Line21()
    line.send(0, pop_on(["a <b> & c --> d"]) + control(EOC))
    assert line.texts(3_000) == ["a &lt;b&gt; &amp; c --&gt; d"]


@pytest.mark.parametrize("text", ["¿Qué?", "ÀÉÎÕÜ ß¥Øø", "“Ça va” — ÷ñ█", "♪ la la ♪", "{a}\\^_|~*'"])
def test_special_and_extended_letters_come_back(text: str) -> None:
    line = Line21()
    line.send(0, pop_on([text]) + control(EOC))
    shown = text.replace("&", "&amp;")
    assert line.texts(6_000) == [shown]


def test_every_letter_of_the_tables_is_another_one() -> None:
    table = [basic(value) for value in range(0x20, 0x80)]
    assert len(set(table)) == 96
    assert len(set(SPECIAL)) == len(SPECIAL) == 16
    assert [len(row) for row in EXTENDED] == [32, 32]


@pytest.mark.parametrize(("channel", "field", "name"), [(1, 0, "cc1"), (2, 0, "cc2"), (3, 1, "cc3"), (4, 1, "cc4")])
def test_each_channel_is_a_track(channel: int, field: int, name: str) -> None:
    line = Line21(field)
    line.send(0, pop_on(["Here"], channel=channel) + control(EOC, channel))
    assert line.decoder.heard == (name,)
    assert line.texts(3_000, name) == ["Here"]


def test_xds_in_field_two_is_no_caption() -> None:
    line = Line21(1)
    line.send(0, pop_on(["Talk"], channel=3))
    line.send(1_500, [(0x01, 0x83 ^ 0x80)])
    line.decoder.pair(1, 0x01, 0x83, 1_600)
    line.send(1_700, letters("XDS name"))
    line.send(2_500, control(EOC, 3))
    assert line.texts(3_000, "cc3") == ["Talk"]


def test_text_mode_is_no_caption() -> None:
    line = Line21()
    line.send(0, control(TR) + letters("teletext"))
    line.send(1_000, control(RCL) + address(15) + letters("ok") + control(EOC))
    assert line.texts(3_000) == ["ok"]


def test_wrong_parity_loses_a_pair_or_shows_a_block() -> None:
    line = Line21()
    line.send(0, control(RCL) + address(15))
    a, b = letters("ab")[0]
    line.send(500, [(a ^ 0x80, b), (a, b ^ 0x80), (a, b)])
    line.send(1_000, control(EOC))
    assert line.texts(2_000) == ["█bab"]


def test_a_channel_that_falls_silent_is_erased_after_sixteen_seconds() -> None:
    line = Line21()
    line.send(0, pop_on(["Forgotten"]))
    shown = line.send(1_000, control(EOC))
    assert [(cue.start_ms, cue.end_ms) for cue in line.cues(60_000)] == [(1_000, shown + 16_000)]
    assert line.cues(61_000) == []


_LINES = st.lists(
    st.text(st.sampled_from("abcXYZ 0189.,?!éñ♪À“öß"), min_size=1, max_size=32).filter(lambda t: t.strip() == t),
    min_size=1,
    max_size=4,
)


@given(_LINES, st.sampled_from([1, 2, 3, 4]))
def test_what_is_encoded_comes_back(lines: list[str], channel: int) -> None:
    line = Line21((channel - 1) // 2)
    line.send(0, pop_on(lines, row=11, channel=channel) + control(EOC, channel))
    assert line.texts(20_000, f"cc{channel}") == ["\n".join(lines)]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 255), st.integers(0, 255)), max_size=300))
def test_any_pairs_give_bounded_cues_and_no_error(pairs: list[tuple[int, int, int]]) -> None:
    decoder = Cea608Decoder()
    for index, (field, first, second) in enumerate(pairs):
        decoder.pair(field, first, second, index * 33)
    end_ms = len(pairs) * 33 + 10
    for cues in decoder.cut(end_ms).values():
        assert all(0 <= cue.start_ms < cue.end_ms <= end_ms for cue in cues)
        assert len(cues) <= 15 * len(pairs)
        assert all(len(cue.text) <= 15 * 33 * 20 for cue in cues)
