"""Compares what two workers made of the same: with a hot standby each part comes twice, and must be the same bytes.

So does a part that was done again after a crash. A difference means that two workers do not have the same build or
settings: whoever reads a part may then get the bytes of the other. It is counted and said, with what encoded both.
"""

import logging
from collections import OrderedDict
from typing import Final

from prometheus_client import Counter

from schemas.events import PartReady

log = logging.getLogger(__name__)

REMEMBERED: Final = 20_000
"""Parts: some ten minutes of fifty renditions; a copy comes within seconds."""

COPIES: Final = Counter("logcast_part_copies", "Parts that came a second time, by what their bytes are.", ["bytes"])


class Copies:
    """The parts of late, by name."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._parts: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    def note(self, part: PartReady) -> str:
        """Take a part; gives how it differs from the copy that came before, empty where it does not, or is the first."""
        made = part.sha256, part.encoder
        first = self._parts.setdefault(part.name, made)
        if first is made:
            if len(self._parts) > self._remembered:
                self._parts.popitem(last=False)
            return ""
        if first[0] == part.sha256:
            COPIES.labels("same").inc()
            return ""
        COPIES.labels("different").inc()
        told = " and ".join(encoder or "an encoder that does not say so" for _, encoder in (first, made))
        difference = (
            f"{part.name} has different bytes from two workers ({told}): give all workers the same build and settings"
        )
        log.error("%s", difference)
        return difference
