"""Both kinds of captions of one video, cut where its segments or parts end."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from media.captions.cea608 import NAMES as NAMES_608
from media.captions.cea608 import Cea608Decoder
from media.captions.cea708 import NAMES as NAMES_708
from media.captions.cea708 import Cea708Decoder
from media.captions.cues import Cue
from media.captions.sei import TRIPLET, VALID, CaptionPicture

TRACKS: Final = (*NAMES_608, *NAMES_708)
MAX_HELD: Final = 64
"""Pictures that are shown after a cut though they came before it: decoders hold back 16 at most."""


class CaptionDecoder:
    """Decodes what the pictures of a video carry, from one cut to the next. Bytes from strangers are never refused.

    Pictures come in the order of decoding, so a picture may come before others that are shown before it. All that are
    shown before a cut have come by it, for none is shown before it is decoded; those that are shown later are held.
    """

    def __init__(self) -> None:
        self._line_21 = Cea608Decoder()
        self._dtv = Cea708Decoder()
        self._held: list[tuple[int, bytes]] = []

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks that text came on so far; those of CEA-708 only where CEA-608, which says the same, is absent."""
        return self._line_21.heard or self._dtv.heard

    def cut(self, pictures: Iterable[CaptionPicture], timescale: int, end_ms: int) -> dict[str, tuple[Cue, ...]]:
        """The cues since the last cut up to this one, by track; `pictures` are those that came since, in any order."""
        held = self._held + [((picture.pts * 1000 + timescale // 2) // timescale, picture.data) for picture in pictures]
        held.sort(key=lambda picture: picture[0])
        shown = max(bisect_left(held, end_ms, key=lambda picture: picture[0]), len(held) - MAX_HELD)
        self._held = held[shown:]
        for at_ms, data in held[:shown]:
            for at in range(0, len(data) - TRIPLET + 1, TRIPLET):
                self._triplet(data[at : at + TRIPLET], min(at_ms, end_ms))
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
