"""Totals and viewers: now, and by minute."""

from typing import Final

from gateway.openapi.words import COUNTS, OPTIONAL_TIME_MS, TIME_MS, VIDEO, WHOLE, Schema, call, members, query
from stores.engagement import MAX_MINUTES

SCHEMAS: Final[dict[str, Schema]] = {
    "TotalsMinutes": members(
        minutes={"type": "array", "items": members(minute_ms=TIME_MS, likes=WHOLE, reactions=COUNTS)},
        next=OPTIONAL_TIME_MS,
    ),
    "Viewers": members(
        n=WHOLE,
        peak=WHOLE,
        peak_ms=OPTIONAL_TIME_MS,
        unique={**WHOLE, "description": "Different viewers: exact up to 1,024, then within 0.81 % (standard error)"},
        as_of_ms=OPTIONAL_TIME_MS,
    ),
    "ViewersMinutes": members(
        minutes={"type": "array", "items": members(minute_ms=TIME_MS, n=WHOLE, peak=WHOLE, unique=WHOLE)},
        next=OPTIONAL_TIME_MS,
    ),
}

RANGE: Final = (
    query("from_ms", "Wall clock; minutes from then on", type="integer", minimum=0, maximum=2**53),
    query("to_ms", "Wall clock; minutes before then", type="integer", minimum=0, maximum=2**53),
    query("limit", "Minutes in one answer", type="integer", minimum=1, maximum=MAX_MINUTES, default=MAX_MINUTES),
)

PATHS: Final[dict[str, Schema]] = {
    "/v1/videos/{video}/totals": {
        "get": call("Likes, comments and reactions", VIDEO, answers={"200": "Totals"}, problems=(404, 503))
    },
    "/v1/videos/{video}/totals/minutes": {
        "get": call(
            "Totals at the end of each minute in which they changed; `next` is the `from_ms` of the rest",
            VIDEO,
            *RANGE,
            answers={"200": "TotalsMinutes"},
            problems=(404, 422, 503),
        )
    },
    "/v1/videos/{video}/viewers": {
        "get": call("Viewers over all gateways", VIDEO, answers={"200": "Viewers"}, problems=(404, 503))
    },
    "/v1/videos/{video}/viewers/minutes": {
        "get": call(
            "Viewers at the end of each minute in which there were some; `next` is the `from_ms` of the rest",
            VIDEO,
            *RANGE,
            answers={"200": "ViewersMinutes"},
            problems=(404, 422, 503),
        )
    },
}
