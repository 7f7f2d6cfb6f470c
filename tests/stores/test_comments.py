"""Comments in a real Cassandra: their order, and pages over the border of two buckets."""

import pytest

from schemas.events import CommentAccepted
from stores.cassandra import Cassandra, Write
from stores.comments import BUCKET, MAX_LIMIT, REPLIES_BUCKET, CommentStore, comment_writes, shard_of

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
    )


def numbers(comments: list[CommentAccepted]) -> list[int]:
    return [comment.seq for comment in comments]


@pytest.fixture
def store(session: Cassandra) -> CommentStore:
    return CommentStore(session)


@pytest.mark.integration
async def test_a_comment_comes_back_as_it_was_written(store: CommentStore, video: str) -> None:
    written = [comment(video, 1, text="Grüße 🎉\n\0'"), comment(video, 2, root_id="comment-1")]
    await store.append(written)
    assert await store.latest(video, 10) == written
    assert await store.replies(video, "comment-1", 10) == written[1:]


@pytest.mark.integration
async def test_a_video_without_comments_has_none(store: CommentStore, video: str) -> None:
    assert await store.head(video) == 0
    assert await store.latest(video, 10) == await store.after(video, 0, 10) == await store.replies(video, "x", 1) == []
    assert await store.before(video, 2**62, 10) == []


@pytest.mark.integration
async def test_pages_go_over_the_border_of_two_buckets_in_order(store: CommentStore, video: str) -> None:
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
async def test_a_bucket_that_is_missing_is_stepped_over(store: CommentStore, video: str) -> None:
    await store.append([comment(video, 5), comment(video, 3 * BUCKET)])
    assert numbers(await store.after(video, 0, 10)) == [5, 3 * BUCKET]
    assert numbers(await store.latest(video, 10)) == [5, 3 * BUCKET]


@pytest.mark.integration
async def test_the_end_of_the_feed_never_goes_back(store: CommentStore, video: str) -> None:
    await store.append([comment(video, 9)])
    await store.append([comment(video, 3)])
    assert await store.head(video) == 9


@pytest.mark.integration
async def test_writing_twice_changes_nothing(store: CommentStore, video: str, session: Cassandra) -> None:
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
async def test_threads_are_apart_by_video_and_root_and_go_on_over_their_border(store: CommentStore, video: str) -> None:
    replies = [comment(video, seq, root_id="root") for seq in range(REPLIES_BUCKET - 3, REPLIES_BUCKET + 3)]
    others = [comment(video, 7, root_id="other"), comment(video[:-1] + "!", 8, root_id="root")]
    await store.append([*replies, *others])
    assert await store.replies(video, "root", 100) == replies
    assert await store.replies(video, "root", 2, after=replies[1].seq) == replies[2:4]
    assert await store.replies(video, "other", 100) == others[:1]


@pytest.mark.integration
async def test_likes_are_read_for_the_comments_that_have_some(
    store: CommentStore, video: str, session: Cassandra
) -> None:
    for n, comment_id in enumerate(("none-any-more", "one", "two")):
        shard = shard_of(comment_id)
        write = Write(LIKES, (video, shard, comment_id, n, 1), ("comment_totals", video, shard))
        await session.write([write])
    assert await store.likes(video, ["one", "two", "none-any-more", "never"]) == {"one": 1, "two": 2}
    assert await store.likes(video, []) == {}


@pytest.mark.integration
@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_bounds_is_refused(store: CommentStore, video: str, limit: int) -> None:
    for ask in (store.latest(video, limit), store.after(video, 0, limit), store.replies(video, "r", limit)):
        with pytest.raises(ValueError, match=f"expected a limit of 1 to {MAX_LIMIT}"):
            await ask


def test_a_comment_is_written_with_the_time_of_its_event_and_the_head_with_its_number() -> None:
    feed, head = comment_writes(comment("v", 12))
    assert feed.values[-1] == 1_700_000_000_012_000
    assert head.values == ("v", 12, 12)
