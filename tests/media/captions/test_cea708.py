"""DTV captions, from an encoder of our own back to text."""

from hypothesis import given
from hypothesis import strategies as st

from media.captions.cea708 import Cea708Decoder, command_size
from media.captions.cea708_letters import basic, extended
from media.captions.cues import Cue
from tests.media.captions.encoder import Triplet, define_window, dtvcc

CLW, DSW, HDW, TGW, DLW, DLY, DLC, RST = range(0x88, 0x90)
SPA, SPC, SPL, SWA = 0x90, 0x91, 0x92, 0x97
CR, HCR, FF, BS, ETX = b"\r", b"\x0e", b"\x0c", b"\x08", b"\x03"


class Dtv:
    """A decoder that is given one packet at a time."""

    def __init__(self) -> None:
        self.decoder = Cea708Decoder()
        self.sequence = 0

    def triplets(self, at_ms: int, triplets: list[Triplet]) -> None:
        for head, first, second in triplets:
            self.decoder.triplet(starts=head & 3 == 3, first=first, second=second, at_ms=at_ms)

    def send(self, at_ms: int, *data: bytes | int, service: int = 1) -> None:
        joined = b"".join(bytes((d,)) if isinstance(d, int) else d for d in data)
        for at in range(0, len(joined), 31):
            self.triplets(at_ms, dtvcc([(service, joined[at : at + 31])], self.sequence))
            self.sequence += 1

    def cues(self, end_ms: int, name: str = "svc1") -> list[Cue]:
        return self.decoder.cut(end_ms)[name]

    def texts(self, end_ms: int, name: str = "svc1") -> list[str]:
        return [cue.text for cue in self.cues(end_ms, name)]


def test_a_window_is_a_cue_from_display_to_hide() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0, visible=False), b"Hello,\rworld!", ETX)
    dtv.send(1_000, DSW, 1)
    dtv.send(3_000, HDW, 1)
    (cue,) = dtv.cues(4_000)
    assert (cue.start_ms, cue.end_ms, cue.text) == (1_000, 3_000, "Hello,\nworld!")
    assert cue.settings.startswith("line:63.33% position:17.62%")


def test_deleting_and_resetting_end_a_cue() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(2), b"One")
    dtv.send(1_000, DLW, 4)
    dtv.send(2_000, define_window(2), b"Two")
    dtv.send(3_000, RST)
    assert [(c.start_ms, c.end_ms, c.text) for c in dtv.cues(9_000)] == [(0, 1_000, "One"), (2_000, 3_000, "Two")]


def test_toggling_shows_what_is_hidden() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(1, visible=False), b"Now")
    dtv.send(500, TGW, 2)
    dtv.send(1_500, TGW, 2)
    assert [(c.start_ms, c.end_ms) for c in dtv.cues(2_000)] == [(500, 1_500)]


def test_a_carriage_return_in_the_last_row_scrolls() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0, rows=2), b"one\rtwo")
    dtv.send(3_000, CR, b"three")
    assert dtv.texts(5_000) == ["one\ntwo", "two\nthree"]


def test_the_pen_erases_goes_back_and_goes_where_it_is_told() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0, rows=3, visible=False), b"abX", BS, b"c\rgone", HCR, b"row", SPL, 2, 4, b"low")
    dtv.send(100, DSW, 1)
    assert dtv.texts(1_000) == ["abc\nrow\nlow"]
    dtv.send(1_000, FF, b"new")
    assert dtv.texts(2_000) == ["new"]
    dtv.send(2_000, CLW, 1)
    assert dtv.texts(3_000) == []


def test_italics_underline_and_colour_become_cue_tags() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"a", SPA, 0x05, 0xC0, b"b", SPA, 5, 0, SPC, 0b111100, 0, 0, b"c")
    assert dtv.texts(1_000) == ["a<i><u>b</u></i><c.yellow>c</c>"]


def test_justification_in_the_middle_is_kept() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), SWA, 0, 0, 2, 0, b"mid")
    assert dtv.cues(1_000)[0].settings.endswith("align:center")


def test_letters_of_all_four_sets_come_back() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"\x7f \xe9 \x10\x25 \x10\xa0 \x10\x76 \x18\x4e\x2d")
    assert dtv.texts(1_000) == ["♪ é … [CC] ⅛ 中"]


def test_codes_that_are_not_defined_are_passed_over_by_their_size() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"a\x10\x08xb\x10\x10xxc\x10\x18xxxd\x10\x80xxxxe\x10\x88xxxxxf\x11xg\x10\x90\x02xxh")
    assert dtv.texts(1_000) == ["abcdefgh"]


def test_a_delay_holds_what_follows() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"now", DLY, 20, b" then")
    assert [(c.start_ms, c.text) for c in dtv.cues(5_000)] == [(0, "now"), (2_000, "now then")]


def test_cancelling_a_delay_goes_on_at_once() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"now", DLY, 90, b" then")
    dtv.send(1_500, DLC)
    assert dtv.texts(2_000) == ["now", "now then"]


def test_services_are_tracks_of_their_own() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"primary")
    dtv.send(0, define_window(0), b"second", service=2)
    assert dtv.decoder.heard == ("svc1", "svc2")
    assert dtv.texts(1_000, "svc1") == ["primary"]
    dtv.send(1_000, b"!", service=2)
    assert dtv.texts(2_000, "svc2") == ["second!"]


def test_a_command_may_be_cut_between_packets() -> None:
    whole = define_window(0) + b"text"
    for at in range(1, len(whole)):
        dtv = Dtv()
        dtv.send(0, whole[:at])
        dtv.send(40, whole[at:])
        assert dtv.texts(1_000) == ["text"], at


def test_a_missing_packet_resets_the_services() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"before")
    dtv.sequence += 1
    dtv.send(1_000, b"after")
    assert [(c.end_ms, c.text) for c in dtv.cues(2_000)] == [(1_000, "before")]


def test_a_service_that_falls_silent_is_erased() -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), b"forgotten")
    assert [(c.start_ms, c.end_ms) for c in dtv.cues(90_000)] == [(0, 30_000)]


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30))
def test_what_is_encoded_comes_back(text: str) -> None:
    dtv = Dtv()
    dtv.send(0, define_window(0), text.encode("ascii"))
    assert dtv.texts(1_000) == [text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 255), st.integers(0, 255)), max_size=300))
def test_any_triplets_give_bounded_cues_and_no_error(triplets: list[tuple[bool, int, int]]) -> None:
    decoder = Cea708Decoder()
    for index, (starts, first, second) in enumerate(triplets):
        decoder.triplet(starts=starts, first=first, second=second, at_ms=index * 33)
    _check_bounds(decoder, len(triplets) * 33 + 10)


@given(st.lists(st.binary(min_size=1, max_size=31), max_size=40), st.integers(0, 6))
def test_any_bytes_in_whole_packets_give_bounded_cues_and_no_error(blocks: list[bytes], service: int) -> None:
    dtv = Dtv()
    for index, block in enumerate(blocks):
        dtv.send(index * 33, define_window(index % 8), service=service)
        dtv.send(index * 33, block, service=service)
    _check_bounds(dtv.decoder, len(blocks) * 33 + 10)


def _check_bounds(decoder: Cea708Decoder, end_ms: int) -> None:
    for cues in decoder.cut(end_ms).values():
        assert all(0 <= cue.start_ms < cue.end_ms <= end_ms for cue in cues)
        assert len(cues) <= 2_000 + 8


@given(st.binary(min_size=1, max_size=40))
def test_the_size_of_a_command_is_never_negative(stream: bytes) -> None:
    assert 0 <= command_size(stream) <= 66


def test_every_byte_has_a_letter() -> None:
    assert all(basic(value) for value in (*range(0x20, 0x80), *range(0xA0, 0x100)))
    assert all(extended(value) for value in range(256))
