"""Two copies of a part are compared, and a difference is said with what encoded both."""

from dataclasses import replace

from consumers.copies import COPIES, Copies
from schemas.events import Track
from tests.consumers.broadcast import Broadcast

BROADCAST = Broadcast("0123456789abcdefghjk", comments=0)
PART = replace(BROADCAST.part("480p", Track.VIDEO, 7, 0), encoder="x264 165 aa")
OTHER = BROADCAST.part("480p", Track.VIDEO, 7, 1)


def counted(kind: str) -> float:
    return float(COPIES.labels(kind)._value.get())


def test_a_copy_with_the_same_bytes_is_counted_and_nothing_is_said() -> None:
    copies, before = Copies(), counted("same")
    assert [copies.note(part) for part in (PART, OTHER, PART)] == ["", "", ""]
    assert counted("same") == before + 1


def test_a_copy_with_other_bytes_names_the_part_and_both_encoders() -> None:
    copies, before = Copies(), counted("different")
    copies.note(PART)
    told = copies.note(replace(PART, sha256=b"\1" * 32, encoder="x264 164 bb"))
    assert PART.name in told
    assert "x264 165 aa and x264 164 bb" in told
    assert counted("different") == before + 1
    assert copies.note(PART) == "", "the first one wins, here as in the playlists"


def test_what_is_remembered_is_bounded() -> None:
    copies = Copies(remembered=1)
    copies.note(PART)
    copies.note(OTHER)
    assert copies.note(replace(PART, sha256=b"\1" * 32)) == "", "the first copy is forgotten"
