"""Delivery directives of low-latency HLS in a playlist's query (draft-pantos-hls-rfc8216bis section 6.2.5)."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from gateway.problems import Problem
from media.hls import Skip
from media.offsets import OffsetError, parse_offset

MAX_QUERY_BYTES: Final = 2_000
MAX_FIELDS: Final = 20
MAX_DIGITS: Final = 12
MSN_LEAD: Final = 2
"""Segments past the playlist's last that may be asked for (6.2.5.2)."""

PART_LEAD_S: Final = 3.0
"""The Advance Part Limit in seconds of parts (6.2.5.2)."""


@dataclass(frozen=True, slots=True)
class Directives:
    """What the client wants: wait for segment `msn` (and `part` of it), and leave out what it has (`skip`).

    `vod`: it came by the multivariant playlist of a video that had ended, and wants all of it. `dvr_s`: how far back a live playlist
    should reach, seconds. `epoch`: it came by a multivariant playlist that names what began up to there. `start_s`: where to begin to play, seconds from the start of the video, or below 0 from its end.
    """

    msn: int | None = None
    part: int | None = None
    skip: Skip = Skip.NOTHING
    vod: bool = False
    dvr_s: int | None = None
    epoch: int | None = None
    start_s: float | None = None


def parse_directives(query: bytes, *, delivery: bool = True) -> Directives:
    """The directives of a query string; other parameters are the client's own affair.

    Without `delivery` those of section 6.2.5 are passed over: a playlist that has ended ignores them.

    Raises:
        Problem: 400, a directive has no meaning.
    """
    if len(query) > MAX_QUERY_BYTES:
        raise _bad(f"expected a query of at most {MAX_QUERY_BYTES} bytes, found {len(query)}")
    try:
        fields = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise _bad(f"expected at most {MAX_FIELDS} parameters") from error
    if not delivery:
        fields = {name: value for name, value in fields.items() if not name.startswith("_HLS_")}
    msn, part = _number(fields, "_HLS_msn"), _number(fields, "_HLS_part")
    if part is not None and msn is None:
        raise _bad("_HLS_part was given without _HLS_msn")
    return Directives(
        msn,
        part,
        _skip(fields.get("_HLS_skip")),
        vod=fields.get("vod") == "1",
        dvr_s=_number(fields, "dvr"),
        epoch=_number(fields, "epoch"),
        start_s=_start(fields.get("start")),
    )


def check_lead(directives: Directives, following: tuple[int, int], target_s: int, part_target_ms: int) -> None:
    """Refuse what is too far ahead to wait for.

    A part may be as far ahead as the Advance Part Limit and a whole segment's parts: a client that does not know yet
    that a segment is short asks for its next part and means part 0 of the segment after it.

    Raises:
        Problem: 400.
    """
    if directives.msn is None:
        return
    at, count = following
    last = at if count else at - 1
    if directives.msn > last + MSN_LEAD:
        raise _bad(f"_HLS_msn={directives.msn} is too far ahead, the playlist ends at {last}")
    parts = int((target_s + PART_LEAD_S) * 1000 / part_target_ms) + 1
    if directives.part is not None and directives.part > (count if directives.msn == at else 0) + parts:
        raise _bad(f"_HLS_part={directives.part} of {directives.msn} is too far ahead, the next part is {at}.{count}")


def _start(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_offset(text)
    except OffsetError as error:
        raise _bad(f"start: {error}") from error


def _skip(text: str | None) -> Skip:
    if text is None:
        return Skip.NOTHING
    if text not in (Skip.SEGMENTS.value, Skip.SEGMENTS_AND_DATE_RANGES.value):
        raise _bad(f"expected _HLS_skip to be YES or v2, found {text[:20]!r}")
    return Skip(text)


def _number(fields: dict[str, str], name: str) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise _bad(f"expected {name} to be a number from 0, found {text[:20]!r}")
    return int(text)


def _bad(detail: str) -> Problem:
    return Problem(400, "bad_directive", detail)
