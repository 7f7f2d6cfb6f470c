"""The rules notice what a server must not do."""

import pytest

from tests.faults.playlist_rules import PlaylistRules

HEAD = """#EXTM3U
#EXT-X-VERSION:10
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,CAN-SKIP-DATERANGES=YES,HOLD-BACK=6,PART-HOLD-BACK=3
#EXT-X-PART-INF:PART-TARGET=1
"""


def playlist(*segments: str, sequence: int = 0, discontinuities: int = 0, ended: bool = False) -> str:
    lines = [f"#EXT-X-MEDIA-SEQUENCE:{sequence}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}"]
    end = "#EXT-X-ENDLIST" if ended else '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="next.m4s"'
    return "\n".join([HEAD + lines[0], lines[1], '#EXT-X-MAP:URI="init.mp4"', *segments, end, ""])


def segment(number: int, *, parts: int = 0, at_s: int = -1, name: str = "") -> str:
    """Two seconds, as everywhere here."""
    listed = [f'#EXT-X-PART:DURATION=1.00000,URI="{number}.{part}.m4s"' for part in range(parts)]
    date = f"#EXT-X-PROGRAM-DATE-TIME:2026-12-01T12:00:{2 * number if at_s < 0 else at_s:02}.000Z"
    return "\n".join([date, *listed, "#EXTINF:2.00000,", name or f"{number}.m4s"])


def open_segment(number: int, parts: int) -> str:
    return segment(number, parts=parts).partition("\n#EXTINF")[0]


GOES_ON = [
    playlist(segment(0, parts=2), open_segment(1, 1)),
    playlist(segment(0), segment(1, parts=2), open_segment(2, 1)),
    playlist(segment(1), segment(2), sequence=1, ended=True),
]


def test_a_playlist_that_goes_on_as_it_should_breaks_no_rule() -> None:
    rules = PlaylistRules()
    assert [rules.saw(text) for text in GOES_ON] == [True, True, False]
    assert rules.wrong == []
    assert rules.newest == (2, 0)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (playlist(segment(0), segment(1, name="other.m4s")), "segment.uri"),
        (playlist(segment(0), segment(1), discontinuities=1), "old.epoch"),
        (
            playlist(segment(0, parts=2), segment(1, parts=2), open_segment(2, 1)),
            "the parts of segment 0 had left and are back",
        ),
        (playlist(segment(0), segment(1), segment(2, parts=2), segment(3, at_s=5, parts=2)), "segment 2 reaches"),
        (playlist(segment(0), segment(1, at_s=3)), "old.date"),
        (playlist(segment(0)), "only the first ones may go"),
        ("<html>", "#EXTM3U"),
    ],
)
def test_what_a_server_must_not_do_is_noticed(text: str, wrong: str) -> None:
    rules = PlaylistRules()
    for before in GOES_ON[:2]:
        rules.saw(before)
    rules.saw(text)
    assert len(rules.wrong) == 1
    assert wrong in rules.wrong[0]


def test_what_had_left_must_not_come_back() -> None:
    rules = PlaylistRules()
    for text in [*GOES_ON, playlist(segment(0), segment(1), segment(2), ended=True)]:
        rules.saw(text)
    assert "after.sequence >= before.sequence" in rules.wrong[0]
