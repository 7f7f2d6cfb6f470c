"""Captions on the parts of a tape, as the worker announces them."""

from collections.abc import Sequence

from schemas.events import CaptionsFound, PictureCaptions
from tests.gateway.tape import VIDEO_SCALE, Tape
from tests.media.captions.encoder import EDM, EOC, Pair, control, line_21, pop_on

FRAME_MS = 40


def captions(tape: Tape, segment: int, part: int, pairs: Sequence[Pair], *, at_ms: int = 0) -> CaptionsFound:
    """Pairs of line 21, one a picture, from a time within the part on."""
    start_ms = tape.start_ms(segment, part) + at_ms
    pictures = [
        PictureCaptions(pts=(start_ms + index * FRAME_MS) * VIDEO_SCALE // 1000, data=triplet)
        for index, triplet in enumerate(line_21(pairs))
    ]
    return CaptionsFound(
        video_id=tape.video_id,
        channel="ann",
        gop=segment,
        segment=segment,
        part=part,
        epoch=0,
        timescale=VIDEO_SCALE,
        pictures=tuple(pictures),
    )


def captioned(tape: Tape, texts: dict[int, str]) -> list[CaptionsFound]:
    """A text in each of some segments, shown from its third part up to its last."""
    found = []
    for segment, text in texts.items():
        found.append(captions(tape, segment, 0, pop_on([text])))
        found.append(captions(tape, segment, 2, control(EOC)))
        found.append(captions(tape, segment, tape.counts[segment] - 1, control(EDM)))
    return found
