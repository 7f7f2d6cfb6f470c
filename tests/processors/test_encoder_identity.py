"""Parts say what encoded them: the same for all parts of a rendition, another where a setting is another."""

import re

from media.ladder import parse_rungs
from processors.encoder_identity import UNKNOWN, encoder_identity
from processors.gop import Gop, renditions_of
from processors.parts import made as ready
from tests.processors.gops import Clip, make_gops

FIRST, SECOND = make_gops(Clip(gops=2))


def identities(preset: str = "superfast", ladder: str = "64:150") -> set[str]:
    found = set()
    for source in (FIRST, SECOND):
        gop = Gop(source.video[0], renditions_of(source.video[0], parse_rungs(ladder)), preset)
        for scaled in [*(gop.step(chunk) for chunk in source.video), gop.finish()]:
            found |= {ready(part).encoder for part in gop.encode(0, scaled)}
    return found


def test_all_parts_of_a_rendition_have_one_identity_which_names_the_build() -> None:
    (identity,) = identities()
    assert re.fullmatch(r"x264 \d+( r\w+)? [0-9a-f]{8}", identity)


def test_another_preset_or_bit_rate_is_another_identity() -> None:
    assert len(identities() | identities(preset="ultrafast") | identities(ladder="64:160")) == 3


def test_an_encoder_that_does_not_say_what_it_is_is_unknown() -> None:
    assert encoder_identity([b"\x65slice"]) == UNKNOWN
    assert encoder_identity([]) == UNKNOWN
