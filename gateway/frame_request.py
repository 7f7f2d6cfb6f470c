"""What a request for a frame asks for, read from its query."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.problems import Problem
from media.offsets import OffsetError, parse_offset
from media.stills import KINDS, LEAST_WIDTH, MOST_WIDTH

MP4: Final = "video/mp4"
OFFERED: Final = (*KINDS, MP4)
"""What there is, the favourite first: it is what `*/*` gets."""

LONGEST_S: Final = 60.0
USUAL_S: Final = 10.0
_TRUE: Final = frozenset(("1", "true", "yes"))
_FALSE: Final = frozenset(("0", "false", "no", ""))


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """A frame, or media from it on.

    Attributes:
        offset: seconds from the start, or (with a minus) from the end; None: the live edge, or the start of a recording.
        width: of a still at most; None: as wide as the rendition that fits the device.
        exact: the picture itself, not the nearest keyframe.
        duration_s: how much media a `video/mp4` holds.
    """

    offset: float | None = None
    width: int | None = None
    exact: bool = False
    duration_s: float = USUAL_S


def frame_request(query: Mapping[str, str]) -> FrameRequest:
    """Read a query.

    Raises:
        Problem: 400, a value that has no meaning; says which and what is expected.
    """
    try:
        offset = parse_offset(query["offset"]) if "offset" in query else None
    except OffsetError as error:
        raise Problem(400, "bad_offset", str(error)) from error
    return FrameRequest(
        offset=offset,
        width=asked_width(query),
        exact=_flag(query, "exact"),
        duration_s=_duration(query),
    )


def asked_width(query: Mapping[str, str]) -> int | None:
    """`width` in pixels; None where it is not given.

    Raises:
        Problem: 400, it is no number of pixels from 16 to 1920.
    """
    text = query.get("width")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and LEAST_WIDTH <= int(text) <= MOST_WIDTH):
        raise Problem(400, "bad_width", f"expected width from {LEAST_WIDTH} to {MOST_WIDTH}, found {text!r:.40}")
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "").lower()
    if text not in _TRUE | _FALSE:
        raise Problem(400, f"bad_{name}", f"expected {name} to be true or false, found {text!r:.40}")
    return text in _TRUE


def _duration(query: Mapping[str, str]) -> float:
    text = query.get("duration", "")
    if not text:
        return USUAL_S
    try:
        seconds = parse_offset(text)
    except OffsetError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_S:
        raise Problem(400, "bad_duration", f"expected duration above 0 and up to {LONGEST_S:g} s, found {text!r:.40}")
    return seconds
