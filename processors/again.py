"""Makes the parts of one rendition of a GOP again, from the source chunks that the log has. Blocking, without effects.

The same work as live, with the same chunks: the same build and settings give the same bytes, which the caller compares
with what the log tells of them. `source` and `audio` are the chunks themselves.
"""

import re
from collections.abc import Sequence
from typing import Final

from media.errors import MediaError
from media.ladder import MAX_SIDE, Rendition, checked_rung, choose_ladder, parse_rungs, requested_rendition
from processors import parts
from processors.encoder import MadePart
from processors.gop import Gop, renditions_of
from processors.remake import Source, source_size
from processors.replay import LoggedGop
from schemas.events import MediaChunk, PartReady, TrackInfo
from stores.segments import init_name
from stores.settings import Settings

REQUESTED: Final = re.compile(r"([0-9]{2,4})p([0-9]{2,6})k")


class AgainError(ValueError):
    """A rendition cannot be made again from a GOP; the message says why."""


Again = tuple[PartReady, bytes, bytes]
"""A part as it is announced, its bytes, and its init segment."""


def parts_again(gop: LoggedGop, rendition: str, settings: Settings) -> list[Again]:
    """The parts that a GOP becomes in a rendition, in order.

    Raises:
        AgainError: the log lacks the beginning of the GOP, or the ladder does not have the rendition now.
    """
    if rendition in {parts.SOURCE, parts.AUDIO}:
        return _passed_on(gop, rendition)
    if not gop.whole:
        raise AgainError(f"the log has lost the beginning of GOP {gop.number}")
    made = _encoded(gop.video, rendition_of(gop.video[0], rendition, settings), settings.encoder_preset)
    return [(parts.made(part), part.data, part.init) for part in made]


def rendition_of(first: MediaChunk, name: str, settings: Settings) -> Rendition:
    """What a rendition of a GOP is, by its name: a rung of the ladder, or one that somebody asked for.

    Raises:
        AgainError: neither.
    """
    rungs = parse_rungs(settings.ladder)
    found = next((rendition for rendition in renditions_of(first, rungs) if rendition.name == name), None)
    info = TrackInfo(
        codecs=first.codecs,
        width=first.width,
        height=first.height,
        frame_rate=first.frame_rate,
        sample_rate=0,
        channels=0,
    )
    source = Source(first.video_id, first.channel, info)
    return found or rendition_of_source(source, first.init or b"", name, settings)


def rendition_of_source(source: Source, init: bytes, name: str, settings: Settings) -> Rendition:
    """The same of a source as it is recorded; `init` is the init segment of the GOP.

    Raises:
        AgainError: neither.
    """
    width, height = source_size(source, init)
    asked = REQUESTED.fullmatch(name)
    try:
        if asked is not None:
            return requested_rendition(width, height, checked_rung(int(asked[1]), int(asked[2]) * 1000))
        rungs = parse_rungs(settings.ladder)
        stands_in = not source.info.codecs.startswith("avc1")
        ladder = choose_ladder(width, height, source.info.frame_rate, rungs, stands_in=stands_in, below=MAX_SIDE)
    except MediaError as error:
        raise AgainError(str(error)) from error
    found = next((rendition for rendition in ladder if rendition.name == name), None)
    if found is None:
        raise AgainError(f"the ladder has no {name} now; set LOGCAST_LADDER as it was")
    return found


def _passed_on(gop: LoggedGop, rendition: str) -> list[Again]:
    chunks = gop.video if rendition == parts.SOURCE else gop.audio
    init = chunks[0].init if chunks else None
    if init is None:
        raise AgainError(f"the log has lost the beginning of GOP {gop.number}")
    name = init_name(chunks[0].video_id, rendition, init)
    return [(parts.passed_on(chunk, name), chunk.data, init) for chunk in chunks]


def _encoded(chunks: Sequence[MediaChunk], rendition: Rendition, preset: str) -> list[MadePart]:
    gop = Gop(chunks[0], (rendition,), preset)
    made: list[MadePart] = []
    for chunk in chunks:
        made += gop.encode(0, gop.step(chunk))
    return made + gop.encode(0, gop.finish())
