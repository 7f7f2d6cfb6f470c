"""Both kinds of captions of one video, segment by segment."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from media.captions.cea608 import NAMES as NAMES_608
from media.captions.cea608 import Cea608Decoder
from media.captions.cea708 import NAMES as NAMES_708
from media.captions.cea708 import Cea708Decoder
from media.captions.cues import Cue
from media.captions.sei import TRIPLET, VALID, CaptionPicture

TRACKS: Final = (*NAMES_608, *NAMES_708)


class CaptionDecoder:
    """Decodes what the segments of a video carry, in their order. Bytes from strangers are never refused."""

    def __init__(self) -> None:
        self._line_21 = Cea608Decoder()
        self._dtv = Cea708Decoder()

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks that text came on so far; those of CEA-708 only where CEA-608, which says the same, is absent."""
        return self._line_21.heard or self._dtv.heard

    def segment(self, pictures: Iterable[CaptionPicture], timescale: int, end_ms: int) -> dict[str, tuple[Cue, ...]]:
        """The cues of one segment by track, cut at its end; `pictures` in any order."""
        for picture in sorted(pictures, key=lambda picture: picture.pts):
            at_ms = min(round(Fraction(picture.pts * 1000, timescale)), end_ms)
            for at in range(0, len(picture.data) - TRIPLET + 1, TRIPLET):
                self._triplet(picture.data[at : at + TRIPLET], at_ms)
        cues = self._line_21.cut(end_ms) | self._dtv.cut(end_ms)
        return {track: tuple(found) for track, found in cues.items() if found}

    def _triplet(self, triplet: bytes, at_ms: int) -> None:
        """One triplet (CTA-708-E, table 3): its head holds cc_valid and cc_type."""
        head, first, second = triplet
        kind = head & 3
        if not head & VALID:
            return
        if kind < 2:
            self._line_21.pair(kind, first, second, at_ms)
        else:
            self._dtv.triplet(starts=kind == 3, first=first, second=second, at_ms=at_ms)
