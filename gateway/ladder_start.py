"""With which segment a rung of the ladder begins that a larger source brings: nobody has to wait for earlier ones."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from media.hls import Segment
from media.ladder import is_made
from schemas.events import TrackInfo

_RUNG: Final = re.compile(r"(?P<side>[0-9]{2,4})p")


def made_from(name: str, source: Sequence[Segment], infos: Mapping[str, TrackInfo], first: int) -> int:
    """The segment up to which the source's pictures were too small for a rendition; 0 where that is not known.

    `first` is the first segment of the rendition that came, `infos` are by init segment. A rung that was made stays
    (`media.ladder`): only the first segment of the source that is large enough tells anything. Where the source is in a
    later epoch already, renditions of that one are taken to be known: what comes late waits like anything that is late.
    """
    found = _RUNG.fullmatch(name)
    if found is None:
        return 0
    was_small = False
    for segment in source:
        info = infos.get(segment.init_uri)
        if info is None or segment.number > first:
            return 0
        if is_made(int(found["side"]), info.width, info.height, stands_in=not info.codecs.startswith("avc1")):
            return segment.number if was_small and segment.epoch == source[-1].epoch else 0
        was_small = True
    return 0
