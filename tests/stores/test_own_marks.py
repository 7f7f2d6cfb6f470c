"""What users like and voted for, in a real Cassandra: the last wish of each, whatever came twice or late."""

import pytest

from consumers.projections.table import writes_of_event
from schemas.events import Like, ReactionsRecorded, Vote
from stores.cassandra import Cassandra
from stores.own_marks import OwnMarks, OwnMarkStore

pytestmark = pytest.mark.integration


def batch(video_id: str, number: int, *wishes: Like | Vote) -> ReactionsRecorded:
    return ReactionsRecorded(
        video_id=video_id,
        channel="ann",
        gateway_id="gateway",
        batch=number,
        recorded_ms=number,
        likes=tuple(wish for wish in wishes if isinstance(wish, Like)),
        reactions=(),
        votes=tuple(wish for wish in wishes if isinstance(wish, Vote)),
    )


def like(at_ms: int, comment_id: str | None = None, *, liked: bool = True, user_id: str = "u_ann") -> Like:
    return Like(user_id=user_id, comment_id=comment_id, liked=liked, at_ms=at_ms)


def vote(at_ms: int, poll: str, option: int | None) -> Vote:
    return Vote(user_id="u_ann", poll_id=poll, option=option, at_ms=at_ms)


async def test_the_last_wish_of_a_user_for_each_thing_is_theirs(session: Cassandra, video: str) -> None:
    store = OwnMarkStore(session)
    assert await store.of(video, "u_ann") == OwnMarks()
    batches = [
        batch(video, 1, like(1), like(1, "comment-1"), like(1, "comment-2"), vote(1, "poll-0001", 1)),
        batch(video, 2, like(2, "comment-2", liked=False), like(2, "comment-3", user_id="u_bob")),
        batch(video, 3, vote(3, "poll-0001", 0), vote(3, "poll-0002", 4)),
        batch(video, 4, vote(4, "poll-0002", None), vote(4, "no id", 1), vote(4, "poll-0003", 99)),
    ]
    for one in [*batches[::-1], *batches]:
        await session.write(writes_of_event(one))
    assert await store.of(video, "u_ann") == OwnMarks(True, frozenset({"comment-1"}), {"poll-0001": 0})
    assert await store.of(video, "u_bob") == OwnMarks(False, frozenset({"comment-3"}))
