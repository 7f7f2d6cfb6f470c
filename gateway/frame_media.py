"""Media from an offset on as one fragmented MP4: the init segment, then parts as they are, at the live edge as they come."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.moments import Moment, Piece, start_s
from gateway.pictures import Pictures
from gateway.rendition_fold import RenditionFold
from gateway.video_fold import VideoFold
from media.hls import Segment

WAIT_S: Final = 8.0
"""Media that does not come within this time ends the answer: the publisher may be away."""

Wait = Callable[[VideoFold, str, tuple[int, int | None], float], Awaitable[bool]]
"""`Broadcasts.wait`."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What an answer holds: from the first piece of `moment` until `until_s` is reached, within one init segment."""

    fold: VideoFold
    moment: Moment
    until_s: float


async def mp4_from(pictures: Pictures, cut: Cut, wait: Wait) -> AsyncIterator[bytes]:
    """The init segment and the pieces; ends early at a gap, at another init segment, and where nothing more comes.

    Nothing is given where the beginning is not stored.
    """
    init = await pictures.init(cut.fold, cut.moment.rendition, cut.moment.init)
    if init is None:
        return
    async for data in _media(pictures, cut, wait):
        if init:
            yield init
            init = b""
        yield data


async def _media(pictures: Pictures, cut: Cut, wait: Wait) -> AsyncIterator[bytes]:
    rendition, number = cut.moment.rendition, cut.moment.pieces[0].segment
    while True:
        segment = await _segment(cut, rendition, number, wait)
        if segment is None or segment.gap or segment.init_uri != cut.moment.init or start_s(segment) >= cut.until_s:
            return
        sent = 0
        async for data, count in _of_segment(pictures, cut, segment, wait):
            yield data
            sent = count
        after = rendition.segment(number)
        if after is None or not after.closed or sent < after.part_count:
            return
        number += 1


async def _segment(cut: Cut, rendition: RenditionFold, number: int, wait: Wait) -> Segment | None:
    """A segment, waited for when it is the next one."""
    segment = rendition.segment(number)
    if segment is None and number == rendition.following[0] and not cut.fold.has_ended(rendition):
        await wait(cut.fold, rendition.name, (number, 0), WAIT_S)
        segment = rendition.segment(number)
    return segment


async def _of_segment(pictures: Pictures, cut: Cut, segment: Segment, wait: Wait) -> AsyncIterator[tuple[bytes, int]]:
    """The pieces of a segment with how many of its parts they make up; of an open one as they come."""
    rendition, number, part = cut.moment.rendition, segment.number, 0
    if segment.closed:
        whole = await pictures.read(cut.fold, rendition, Piece(number, segment.part_count))
        for data in whole or ():
            yield data, segment.part_count
        return
    while start_s(segment) < cut.until_s:
        at = rendition.segment(number)
        if at is None or (at.closed and part >= at.part_count) or _reached(at, part) >= cut.until_s:
            return
        if part >= at.part_count:
            if not await wait(cut.fold, rendition.name, (number, part), WAIT_S):
                return
            continue
        found = await pictures.read(cut.fold, rendition, Piece(number, part=part))
        if found is None:
            return
        part += 1
        yield found[0], part


def _reached(segment: Segment, parts: int) -> float:
    """Media time that the first parts of a segment reach."""
    return start_s(segment) + sum(part.duration_s for part in segment.parts[:parts])
