"""With which segment a rung begins: the first one whose picture the ladder makes it of."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.ladder_start import made_from
from media.hls import Segment
from media.ladder import Rung, choose_ladder
from schemas.events import TrackInfo

SIDES = (180, 240, 360)
RUNGS = tuple(Rung(side, 400_000) for side in (144, 180, 240))


def source(sides: Sequence[int], codecs: str = "avc1.64001e") -> tuple[list[Segment], dict[str, TrackInfo]]:
    """Segments from 7 on whose pictures have these shorter sides, and what their init segments say."""
    segments = [
        Segment(7 + at, 0, 0, 0, 1, 1, f"init-{side}", True, (), 1, 1, closed=True) for at, side in enumerate(sides)
    ]
    infos = {
        f"init-{side}": TrackInfo(codecs=codecs, width=2 * side, height=side, frame_rate=0, sample_rate=0, channels=0)
        for side in set(sides)
    }
    return segments, infos


def test_a_rung_begins_with_the_first_segment_that_is_larger() -> None:
    assert made_from("240p", *source([180, 240, 360, 360]), 9) == 9
    assert made_from("240p", *source([180, 240, 360, 360]), 10) == 9


def test_it_is_not_known_where_the_window_does_not_show_a_smaller_picture_before() -> None:
    assert made_from("240p", *source([360, 180, 360]), 9) == 0
    assert made_from("240p", *source([180, 180]), 9) == 0
    assert made_from("240p", *source([180, 360]), 7) == 0
    assert made_from("240p", source([180, 360])[0], {}, 8) == 0


def test_a_rung_that_comes_when_the_source_is_in_a_later_epoch_is_late() -> None:
    segments, infos = source([180, 240, 240])
    assert made_from("200p", segments, infos, 8) == 8
    assert made_from("200p", [*segments[:2], replace(segments[2], epoch=1)], infos, 8) == 0


def test_other_renditions_than_rungs_of_the_ladder_are_not_judged() -> None:
    for name in ("source", "audio", "240p700k"):
        assert made_from(name, *source([180, 360]), 8) == 0


@given(st.lists(st.sampled_from(SIDES), min_size=1, max_size=6), st.sampled_from(["avc1.64001e", "hvc1.1.6.L93.90"]))
def test_where_it_is_known_it_is_what_the_ladder_makes(sides: list[int], codecs: str) -> None:
    made, below = [], 0
    for side in sides:
        ladder = choose_ladder(2 * side, side, 0, RUNGS, stands_in=not codecs.startswith("avc1"), below=below)
        made.append({rendition.name for rendition in ladder})
        below = max(below, side)
    for name in {name for names in made for name in names} - {"source"}:
        first = 7 + next(at for at, names in enumerate(made) if name in names)
        for came in range(first, 7 + len(sides)):
            assert made_from(name, *source(sides, codecs), came) in {0, first}
        assert made_from(name, *source(sides, codecs), first) == (first if first > 7 else 0)
