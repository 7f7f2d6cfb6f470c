"""What one user likes of a video, and how they voted in its polls: the last wishes, out of Cassandra."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from stores.cassandra import Cassandra
from stores.comments import shard_of

MOST_LIKED: Final = 1_000
"""Comments of one video that a user is told to like; of more it is not said which."""
MOST_VOTES: Final = 100
VIDEO_ITSELF: Final = ""
TAKEN_BACK: Final = -1
"""Kept as the option of a vote that was taken back."""

_LIKES: Final = "SELECT comment_id, liked FROM $keyspace.likes WHERE video_id = ? AND shard = ? AND user_id = ? LIMIT ?"
_VOTES: Final = "SELECT poll_id, option FROM $keyspace.votes WHERE video_id = ? AND shard = ? AND user_id = ? LIMIT ?"


@dataclass(frozen=True, slots=True)
class OwnMarks:
    """Whether the video is liked, the ids of the comments that are, and the option voted for by poll."""

    liked: bool = False
    comments: frozenset[str] = frozenset()
    votes: dict[str, int] = field(default_factory=dict)


class OwnMarkStore:
    """The marks of all users. May raise `stores.cassandra.CassandraError`."""

    def __init__(self, cassandra: Cassandra) -> None:
        self._cassandra = cassandra

    async def of(self, video_id: str, user_id: str) -> OwnMarks:
        """The marks of one user on one video."""
        key = (video_id, shard_of(user_id), user_id)
        likes, votes = await asyncio.gather(
            self._cassandra.rows(_LIKES, (*key, 2 * MOST_LIKED), limit=2 * MOST_LIKED),
            self._cassandra.rows(_VOTES, (*key, MOST_VOTES), limit=MOST_VOTES),
        )
        liked = [row.comment_id for row in likes if row.liked]
        return OwnMarks(
            VIDEO_ITSELF in liked,
            frozenset([comment_id for comment_id in liked if comment_id != VIDEO_ITSELF][:MOST_LIKED]),
            {row.poll_id: row.option for row in votes if row.option != TAKEN_BACK},
        )
