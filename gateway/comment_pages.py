"""Pages of comments: which list is asked for, where in it, and the cursors to what is before and after.

A list has one order, whichever way it is paged through. A cursor says the order, on which side of a place to read on, and
the place: a number, or for lists by time a time and a number (`oa120`: oldest first, above 120). So a page stays what it
was when more is written, and who keeps `previous` of the first page of the newest finds there what came since.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.problems import Problem
from schemas.comment_state import CommentNow
from stores.comments import Clock, CommentStore, Moment

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 200
MOST: Final = 2**53
MAX_USER_ID: Final = 64
BEGINNING: Final = Moment(0, 0)
END: Final = Moment(MOST, 0)
CURSOR: Final = re.compile(r"([on])([ab])([0-9]{1,16})(?:\.(-1|[0-9]{1,16}))?")
CLOCKS: Final = {Clock.MEDIA: ("from_ms", "to_ms"), Clock.WRITTEN: ("since_ms", "until_ms")}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Read on above (or below) a place, in a list with the oldest (or the newest) first."""

    oldest_first: bool
    above: bool
    place: Moment

    def text(self, *, timed: bool) -> str:
        """As clients carry it."""
        place = f"{self.place.at_ms}.{self.place.seq}" if timed else str(self.place.seq)
        return f"{'o' if self.oldest_first else 'n'}{'a' if self.above else 'b'}{place}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of a list that is asked for. Of author, thread and clock at most one; without: all comments."""

    limit: int
    cursor: Cursor
    begins: bool = True
    author: str = ""
    thread: str = ""
    clock: Clock | None = None
    start: Moment = BEGINNING
    end: Moment = END


@dataclass(frozen=True, slots=True)
class Page:
    """Comments in the order of the list, and the cursors to both sides; None where there is nothing."""

    comments: list[CommentNow]
    next: str | None
    previous: str | None


def wanted_of(query: Mapping[str, str], thread: str = "") -> Wanted:
    """What the query of a request asks for.

    Raises:
        Problem: 400; `field` and `rule` say which parameter is wrong, and why.
    """
    limit = number_of(query, "limit", 1, MAX_PAGE)
    limit = DEFAULT_PAGE if limit is None else limit
    author = query.get("author", "")
    if len(author) > MAX_USER_ID:
        raise _wrong("author", "max_length", f"expected author of at most {MAX_USER_ID} characters")
    clock, start, end = _times(query)
    chosen = [
        name for name, there in (("author", author), ("from_ms or since_ms", clock), ("replies", thread)) if there
    ]
    if len(chosen) > 1:
        raise _wrong("author", "alone", f"expected one of {' and '.join(chosen)}, not both")
    first = Cursor(oldest_first=bool(thread or clock), above=bool(thread or clock), place=start)
    if not first.above:
        first = Cursor(oldest_first=False, above=False, place=Moment(0, MOST))
    cursor = _cursor(query, timed=clock is not None)
    return Wanted(limit, cursor or first, cursor is None, author, thread, clock, start, end)


async def page_of(store: CommentStore, video_id: str, wanted: Wanted) -> Page:
    """The page, out of Cassandra."""
    if wanted.clock is not None:
        return await _timed_page(store, video_id, wanted, wanted.clock)
    place, limit = wanted.cursor.place.seq, wanted.limit
    after, before = (place, None) if wanted.cursor.above else (None, place)
    if wanted.author:
        found = await store.by_author(video_id, wanted.author, limit, after=after, before=before)
    elif wanted.thread:
        found = await store.replies(video_id, wanted.thread, limit, after=after, before=before)
    elif wanted.cursor.above:
        found = await store.after(video_id, place, limit)
    else:
        found = await store.before(video_id, place, limit)
    places = [Moment(0, comment.seq) for comment in found]
    reached = places[-1 if wanted.cursor.above else 0] if len(found) == limit else None
    return _page(wanted, found, places, reached)


async def _timed_page(store: CommentStore, video_id: str, wanted: Wanted, clock: Clock) -> Page:
    above = wanted.cursor.above
    start = max(wanted.start, wanted.cursor.place) if above else wanted.start
    end = wanted.end if above else min(wanted.end, wanted.cursor.place)
    page = await store.by_clock(video_id, clock, start, end, wanted.limit, backwards=not above)
    rows = page.comments if above else page.comments[::-1]
    more = start < page.reached < end
    return _page(wanted, [c for _, c in rows], [place for place, _ in rows], page.reached if more else None)


def _page(wanted: Wanted, found: list[CommentNow], places: list[Moment], reached: Moment | None) -> Page:
    """Comments, oldest first, as a page; `reached`: there may be more beyond, in the direction that was read in."""
    oldest, above, timed = wanted.cursor.oldest_first, wanted.cursor.above, wanted.clock is not None
    later = earlier = None
    if above:
        later = reached
        earlier = None if wanted.begins else (places[0] if places else _beside(wanted.cursor.place, +1))
    else:
        earlier = reached
        later = places[-1] if places else None if wanted.begins else _beside(wanted.cursor.place, -1)
    if later is None and not oldest and places:
        later = places[-1]  # there may be newer ones by then
    to_later = Cursor(oldest, above=True, place=later).text(timed=timed) if later is not None else None
    to_earlier = Cursor(oldest, above=False, place=earlier).text(timed=timed) if earlier is not None else None
    if oldest:
        return Page(found, to_later, to_earlier)
    return Page(found[::-1], to_earlier, to_later)


def _beside(place: Moment, step: int) -> Moment:
    """The place from which reading back begins with the one that was read on from."""
    return Moment(place.at_ms, max(0, place.seq + step))


def _times(query: Mapping[str, str]) -> tuple[Clock | None, Moment, Moment]:
    asked = {clock: [number_of(query, name, 0, MOST) for name in names] for clock, names in CLOCKS.items()}
    chosen = [clock for clock, times in asked.items() if times != [None, None]]
    if not chosen:
        return None, BEGINNING, END
    if len(chosen) > 1:
        raise _wrong("since_ms", "alone", "expected from_ms and to_ms, or since_ms and until_ms, not both")
    names, (start, end) = CLOCKS[chosen[0]], asked[chosen[0]]
    if start is None or end is None or start > end:
        raise _wrong(names[0], "range", f"expected both {names[0]} and {names[1]}, the first not greater")
    return chosen[0], Moment(start, -1), Moment(end, -1)


def _cursor(query: Mapping[str, str], *, timed: bool) -> Cursor | None:
    before, after = number_of(query, "before", 0, MOST), number_of(query, "after", 0, MOST)
    text = query.get("cursor")
    given = [name for name, value in (("before", before), ("after", after), ("cursor", text)) if value is not None]
    if len(given) > 1 or (timed and text is None and given):
        raise _wrong(given[-1], "alone", "expected one of before, after and cursor; lists by time take cursor only")
    if text is None:
        if after is not None:
            return Cursor(oldest_first=True, above=True, place=Moment(0, after))
        return None if before is None else Cursor(oldest_first=False, above=False, place=Moment(0, before))
    match = CURSOR.fullmatch(text)
    if match is None or (match[4] is not None) is not timed:
        raise _wrong("cursor", "form", f"expected a cursor of a page of this list, found {text!r:.60}")
    place = Moment(int(match[3]), int(match[4])) if timed else Moment(0, int(match[3]))
    return Cursor(match[1] == "o", match[2] == "a", place)


def number_of(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """A whole number of a query; None without.

    Raises:
        Problem: 400.
    """
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 17 and least <= int(text) <= most):
        raise _wrong(name, "range", f"expected {name} from {least} to {most}, found {text!r:.40}")
    return int(text)


def _wrong(field: str, rule: str, detail: str) -> Problem:
    return Problem(400, f"bad_{field}", detail, extra={"field": field, "rule": rule})
