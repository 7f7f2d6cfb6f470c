"""Comments in a real Cassandra: their order, and pages over the border of two buckets."""

import asyncio
import dataclasses
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from schemas.comment_state import CommentNow, Entry, Shown
from schemas.events import Change, CommentAccepted, CommentChanged
from stores.cassandra import Cassandra, Write
from stores.comment_writes import change_writes, comment_writes
from stores.comments import BUCKET, INDEX_BUCKET, MAX_LIMIT, Clock, CommentStore, Moment, shard_of

LIKES = (
    "INSERT INTO $keyspace.comment_totals (video_id, shard, comment_id, likes, as_of_offset) VALUES (?, ?, ?, ?, 1) "
    "USING TIMESTAMP ?"
)


def comment(video_id: str, seq: int, *, root_id: str | None = None, text: str = "hello") -> CommentAccepted:
    return CommentAccepted(
        video_id=video_id,
        channel="ann",
        seq=seq,
        comment_id=f"comment-{seq}",
        user_id=f"g_{seq}",
        name="Bob",
        text=text,
        parent_id=root_id,
        root_id=root_id,
        submitted_ms=1_700_000_000_000 + seq,
        media_ms=None if seq % 2 else 1_700_000_000_000,
        source_offset=seq * 2,
        colour="" if seq % 3 else "#00aaff",
    )


def change(
    video_id: str, seq: int, of: int, kind: Change, text: str | None = None, *, user_id: str | None = None
) -> CommentChanged:
    return CommentChanged(
        video_id=video_id,
        channel="ann",
        seq=seq,
        comment_id=f"comment-{of}",
        comment_seq=of,
        user_id=user_id or f"g_{of}",
        change=kind,
        text=text,
        by="ann",
        act_id="",
        revision_id="",
        comments=0,
        changed_ms=1_600_000_000_000 - seq,  # clocks of others may say anything
        source_offset=seq * 2,
    )


def numbers(comments: Sequence[Entry]) -> list[int]:
    return [comment.seq for comment in comments]


def accepted(comments: Sequence[CommentNow]) -> list[CommentAccepted]:
    return [comment.accepted for comment in comments]


class Book(CommentStore):
    """The store, and what events write into it."""

    def __init__(self, session: Cassandra) -> None:
        super().__init__(session)
        self._session = session

    async def append(self, events: Iterable[CommentAccepted | CommentChanged]) -> None:
        await self._session.write([write for event in events for write in writes_of(event)])


def writes_of(event: CommentAccepted | CommentChanged) -> tuple[Write, ...]:
    return comment_writes(event) if isinstance(event, CommentAccepted) else change_writes(event)


@pytest.fixture
def store(session: Cassandra) -> Book:
    return Book(session)


@pytest.mark.integration
async def test_a_comment_comes_back_as_it_was_written(store: Book, video: str) -> None:
    written = [comment(video, 1, text="Grüße 🎉\n\0'"), comment(video, 2, root_id="comment-1")]
    await store.append(written)
    assert accepted(await store.latest(video, 10)) == written
    assert accepted(await store.replies(video, "comment-1", 10)) == written[1:]


@pytest.mark.integration
async def test_a_video_without_comments_has_none(store: Book, video: str) -> None:
    assert await store.head(video) == 0
    assert await store.latest(video, 10) == await store.after(video, 0, 10) == await store.replies(video, "x", 1) == []
    assert await store.before(video, 2**62, 10) == []


@pytest.mark.integration
async def test_pages_go_over_the_border_of_two_buckets_in_order(store: Book, video: str) -> None:
    first, last = BUCKET - 30, BUCKET + 30
    await store.append(comment(video, seq) for seq in (*range(last, first, -1), first))
    assert numbers(await store.latest(video, 50)) == list(range(last - 49, last + 1))
    assert numbers(await store.before(video, BUCKET + 10, 20)) == list(range(BUCKET - 10, BUCKET + 10))
    assert numbers(await store.before(video, BUCKET, 5)) == list(range(BUCKET - 5, BUCKET))
    assert numbers(await store.before(video, first + 2, 20)) == [first, first + 1]
    assert numbers(await store.after(video, BUCKET - 10, 20)) == list(range(BUCKET - 9, BUCKET + 11))
    assert numbers(await store.after(video, BUCKET - 1, 2)) == [BUCKET, BUCKET + 1]
    assert numbers(await store.after(video, last - 2, 20)) == [last - 1, last]
    assert await store.after(video, last, 20) == []
    assert numbers([c async for c in store.every(video)]) == list(range(first, last + 1))


@pytest.mark.integration
async def test_a_bucket_that_is_missing_is_stepped_over(store: Book, video: str) -> None:
    await store.append([comment(video, 5), comment(video, 3 * BUCKET)])
    assert numbers(await store.after(video, 0, 10)) == [5, 3 * BUCKET]
    assert numbers(await store.latest(video, 10)) == [5, 3 * BUCKET]


@pytest.mark.integration
async def test_the_newest_are_found_when_the_feed_has_gone_on_into_another_bucket(store: Book, video: str) -> None:
    at = [3, BUCKET - 1, BUCKET, 4 * BUCKET + 1, INDEX_BUCKET + 1]
    for number, seq in enumerate(at, start=1):
        await store.append([comment(video, seq)])
        assert numbers(await store.latest(video, 2)) == at[max(0, number - 2) : number]
        assert numbers(await store.by_author(video, comment(video, seq).user_id, 10))[-1] == seq


@pytest.mark.integration
async def test_the_end_of_the_feed_never_goes_back(store: Book, video: str) -> None:
    await store.append([comment(video, 9)])
    await store.append([comment(video, 3)])
    assert await store.head(video) == 9


@pytest.mark.integration
async def test_how_many_are_shown_is_what_the_last_number_says(store: Book, video: str) -> None:
    assert await store.shown(video) == 0
    hidden = dataclasses.replace(change(video, 3, 1, Change.HIDDEN), comments=1)
    await store.append([dataclasses.replace(comment(video, 2), comments=2), hidden, comment(video, 1)])
    assert (await store.head(video), await store.shown(video)) == (3, 1)


@pytest.mark.integration
async def test_writing_twice_changes_nothing(store: Book, video: str, session: Cassandra) -> None:
    async def everything() -> list[object]:
        query = "SELECT seq, text, writetime(text) AS written FROM $keyspace.comments WHERE video_id = ? AND bucket = 0"
        return [tuple(row) async for row in session.every_row(query, (video,))]

    events = [comment(video, seq) for seq in range(1, 20)]
    await store.append(events)
    before = await everything()
    await store.append(reversed(events))
    assert await everything() == before
    assert len(before) == 19


@pytest.mark.integration
async def test_threads_are_apart_by_video_and_root_and_go_on_over_their_border(store: Book, video: str) -> None:
    replies = [comment(video, seq, root_id="root") for seq in range(INDEX_BUCKET - 3, INDEX_BUCKET + 3)]
    others = [comment(video, 7, root_id="other"), comment(video[:-1] + "!", 8, root_id="root")]
    await store.append([*replies, *others])
    assert accepted(await store.replies(video, "root", 100)) == replies
    assert accepted(await store.replies(video, "root", 2, after=replies[1].seq)) == replies[2:4]
    newest = await store.replies(video, "root", 2, after=None)
    assert accepted(newest) == replies[-2:]
    assert accepted(await store.replies(video, "root", 2, after=None, before=newest[0].seq)) == replies[-4:-2]
    assert accepted(await store.replies(video, "other", 100)) == others[:1]


@pytest.mark.integration
async def test_likes_are_read_for_the_comments_that_have_some(store: Book, video: str, session: Cassandra) -> None:
    for n, comment_id in enumerate(("none-any-more", "one", "two")):
        shard = shard_of(comment_id)
        write = Write(LIKES, (video, shard, comment_id, n, 1), ("comment_totals", video, shard))
        await session.write([write])
    assert await store.likes(video, ["one", "two", "none-any-more", "never"]) == {"one": 1, "two": 2}
    assert await store.likes(video, []) == {}


@pytest.mark.integration
@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_bounds_is_refused(store: Book, video: str, limit: int) -> None:
    for ask in (store.latest(video, limit), store.after(video, 0, limit), store.replies(video, "r", limit)):
        with pytest.raises(ValueError, match=f"expected a limit of 1 to {MAX_LIMIT}"):
            await ask


@pytest.mark.integration
async def test_a_comment_is_found_by_its_id_and_what_somebody_wrote_by_who_it_was(store: Book, video: str) -> None:
    events = [dataclasses.replace(comment(video, seq), user_id="g_ann" if seq % 3 else "g_bob") for seq in range(1, 13)]
    again = dataclasses.replace(comment(video, 13), comment_id="comment-3")
    await store.append([again, *events])
    found = await store.find(video, "comment-3")
    assert found is not None
    assert found.accepted == events[2], "the first one keeps the id"
    assert await store.find(video, "comment-99") is None
    assert numbers(await store.by_author(video, "g_bob", 10)) == [3, 6, 9, 12]
    assert numbers(await store.by_author(video, "g_bob", 2)) == [9, 12]
    assert numbers(await store.by_author(video, "g_bob", 2, before=9)) == [3, 6]
    assert numbers(await store.by_author(video, "g_bob", 2, after=3)) == [6, 9]
    assert await store.by_author(video, "g_nobody", 2) == []


@pytest.mark.integration
async def test_comments_are_found_by_the_picture_they_are_about_and_by_when_they_were_written(
    store: Book, video: str
) -> None:
    start = 1_700_000_000_000
    places = [(1, start + 5_000), (2, start + 5_000), (3, None), (4, start + 10 * 60_000), (5, start + 1_000)]
    await store.append(dataclasses.replace(comment(video, seq), media_ms=at_ms) for seq, at_ms in places)
    everything = Moment(start - 60_000, 0), Moment(start + 3_600_000, 0)
    page = await store.by_clock(video, Clock.MEDIA, *everything, 10)
    assert [c.seq for _, c in page.comments] == [3, 5, 1, 2, 4], "without a picture: when it was written"
    assert page.reached == everything[1]
    first = await store.by_clock(video, Clock.MEDIA, *everything, 3)
    assert [c.seq for _, c in first.comments] == [3, 5, 1]
    rest = await store.by_clock(video, Clock.MEDIA, first.reached, everything[1], 3)
    assert [c.seq for _, c in rest.comments] == [2, 4]
    back = await store.by_clock(video, Clock.MEDIA, everything[0], Moment(start + 10 * 60_000, 4), 2, backwards=True)
    assert [c.seq for _, c in back.comments] == [2, 1]
    more = await store.by_clock(video, Clock.MEDIA, everything[0], back.reached, 2, backwards=True)
    assert [c.seq for _, c in more.comments] == [5, 3]
    written = await store.by_clock(video, Clock.WRITTEN, *everything, 10)
    assert [c.seq for _, c in written.comments] == [1, 2, 3, 4, 5]


@pytest.mark.integration
async def test_a_long_time_without_comments_is_looked_through_in_steps(store: Book, video: str) -> None:
    start = 1_700_000_000_000
    await store.append([dataclasses.replace(comment(video, 1), media_ms=start + 5 * 3_600_000)])
    here, end, steps = Moment(start, 0), Moment(start + 6 * 3_600_000, 0), 0
    found: list[int] = []
    while here < end:
        page = await store.by_clock(video, Clock.MEDIA, here, end, 10)
        assert page.reached > here
        here, steps = page.reached, steps + 1
        found += [c.seq for _, c in page.comments]
    assert (found, steps) == ([1], 2)


@pytest.mark.integration
async def test_changes_come_in_the_order_of_the_numbers_and_tell_nothing_that_was_taken_back(
    store: Book, video: str
) -> None:
    await store.append(
        [
            *(comment(video, seq) for seq in (1, 2, 3)),
            change(video, 4, 1, Change.EDITED, "a secret"),
            change(video, 5, 2, Change.EDITED, "first try"),
            comment(video, 6),
            change(video, 7, 1, Change.HIDDEN),
            change(video, 8, 2, Change.EDITED, "second try"),
            change(video, 9, 3, Change.PINNED),
        ]
    )
    entries = await store.entries(video, 0, 100)
    assert numbers(entries) == list(range(1, 10))
    texts = {entry.seq: entry.text for entry in entries}
    assert texts == {
        1: "a secret",
        2: "second try",
        3: "hello",
        4: None,
        5: "second try",
        6: "hello",
        7: None,
        8: "second try",
        9: None,
    }
    assert isinstance(entries[0], CommentNow)
    assert entries[0].shown is Shown.HIDDEN, "its text is for moderators"
    assert numbers(await store.entries(video, 3, 2)) == [4, 5]
    assert numbers(await store.newest_entries(video, 4)) == [6, 7, 8, 9]
    assert numbers(await store.latest(video, 2)) == [3, 6], "a page of comments has no changes in it"
    assert numbers(await store.pinned(video)) == [3]
    await store.append([change(video, 10, 3, Change.UNPINNED)])
    assert await store.pinned(video) == []


@pytest.mark.integration
async def test_a_change_that_is_written_before_its_comment_waits_for_it(store: Book, video: str) -> None:
    await store.append([comment(video, 1), change(video, 3, 2, Change.EDITED, "better")])
    assert numbers(await store.latest(video, 10)) == [1]
    assert numbers(await store.entries(video, 0, 10)) == [1, 3]
    await store.append([comment(video, 2)])
    assert [c.text for c in await store.latest(video, 10)] == ["hello", "better"]


KINDS = (Change.EDITED, Change.HIDDEN, Change.SHOWN, Change.PINNED, Change.UNPINNED, Change.REMOVED)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Any], list[list[Any]]]:
    """A feed of comments and changes, and two ways in which it may be delivered: any order, anything again."""
    events: list[Any] = []
    for seq in range(1, draw(st.integers(2, 9)) + 1):
        comments = [event.seq for event in events if isinstance(event, CommentAccepted)]
        if not comments or draw(st.booleans()):
            events.append(comment("V", seq, root_id="comment-1" if seq % 4 == 0 else None))
        else:
            kind = draw(st.sampled_from(KINDS))
            events.append(change("V", seq, draw(st.sampled_from(comments)), kind, f"text {seq}"))
    ways = [draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=6)))) for _ in range(2)]
    return events, ways


@pytest.mark.integration
async def test_whatever_the_order_and_however_often_the_rows_are_those_of_the_fold(
    store: Book, session: Cassandra
) -> None:
    """Against the real server: its write times decide, not a model of them."""
    loop = asyncio.get_running_loop()

    async def check(events: list[Any], ways: list[list[Any]]) -> None:
        expected: dict[int, CommentNow] = {}
        for event in events:
            if isinstance(event, CommentAccepted):
                expected[event.seq] = CommentNow.of(event)
            else:
                expected[event.comment_seq] = expected[event.comment_seq].after(event)
        for way in ways:
            video = secrets.token_hex(10)
            for event in way:  # one after the other, as different batches would be
                await store.append([dataclasses.replace(event, video_id=video)])
            found = await store.after(video, 0, 100)
            wanted = [
                dataclasses.replace(now, accepted=dataclasses.replace(now.accepted, video_id=video, text=now.text))
                for now in expected.values()
            ]
            assert found == wanted
            assert numbers(await store.entries(video, 0, 100)) == [event.seq for event in events]
            assert await store.head(video) == len(events)
            assert numbers(await store.pinned(video)) == [now.seq for now in wanted if now.pinned]

    @hypothesis.settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(deliveries())
    def property_holds(delivery: tuple[list[Any], list[list[Any]]]) -> None:
        asyncio.run_coroutine_threadsafe(check(*delivery), loop).result(60)

    await asyncio.to_thread(property_holds)


def test_a_comment_is_written_with_the_time_of_its_event_and_the_head_with_its_number() -> None:
    feed, head, *_ways = comment_writes(comment("v", 12))
    assert feed.values[-1] == 1_700_000_000_012_000
    assert head.values == ("v", 12, 12, 12)
