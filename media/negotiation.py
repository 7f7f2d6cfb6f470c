"""Choosing what to send by the Accept header (RFC 9110 section 12.5.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_RANGES: Final = 64
"""A header with more media ranges is read up to here: nobody has so many wishes."""

_RANGE: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)/([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an Accept header: a type, `*` for any, with the weight that the client gives it."""

    kind: str
    subtype: str
    weight: float

    def fit(self, kind: str, subtype: str) -> int:
        """How well it fits a media type: 3 exactly, 2 by its kind, 1 as `*/*`, 0 not at all."""
        if self.kind == "*":
            return 1
        if self.kind != kind:
            return 0
        if self.subtype == "*":
            return 2
        return 3 if self.subtype == subtype else 0


def media_ranges(accept: str) -> list[MediaRange]:
    """The entries of an Accept header; what is no media range, or has a weight that is no weight, is passed over."""
    found = []
    for entry in accept.split(",")[:MAX_RANGES]:
        name, *parameters = (piece.strip() for piece in entry.split(";"))
        matched = _RANGE.fullmatch(name)
        if matched is None or (matched[1] == "*" and matched[2] != "*"):
            continue
        weight = _weight(parameters)
        if weight is not None:
            found.append(MediaRange(matched[1].lower(), matched[2].lower(), weight))
    return found


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """The media type of `offered` (the server's favourite first) that the client likes best; None: none of them.

    The most specific range that fits a type gives its weight. Of types with the same weight the one that was named
    exactly wins, then the server's favourite. A client that says nothing takes anything.
    """
    if not accept.strip():
        return offered[0]
    ranges = media_ranges(accept)
    best, chosen = (0.0, 0), None
    for media_type in offered:
        kind, _, subtype = media_type.partition("/")
        fit, weight = max(((r.fit(kind, subtype), r.weight) for r in ranges), default=(0, 0.0))
        if fit and weight > 0 and (weight, fit) > best:
            best, chosen = (weight, fit), media_type
    return chosen


def _weight(parameters: Sequence[str]) -> float | None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return float(value) if _WEIGHT.fullmatch(value.strip()) else None
    return 1.0
