"""`reactions` → the votes of each user; how many there are of an option is in `totals`."""

from typing import Final

from schemas.events import ReactionsRecorded, Vote
from schemas.ids import COMMENT_ID
from stores.cassandra import Write
from stores.comments import shard_of
from stores.own_marks import TAKEN_BACK

MAX_USER_ID: Final = 64
MOST_OPTIONS: Final = 8
INSERT: Final = (
    "INSERT INTO $keyspace.votes (video_id, shard, user_id, poll_id, option, at_ms) VALUES (?, ?, ?, ?, ?, ?) "
    "USING TIMESTAMP ?"
)


def vote_writes(event: ReactionsRecorded) -> tuple[Write, ...]:
    """The last wish of each user for each poll in a batch; its write time is as that of a like."""
    last = {(vote.user_id, vote.poll_id): vote for vote in event.votes if _has_form(vote)}
    return tuple(_write(event, vote) for vote in last.values())


def _has_form(vote: Vote) -> bool:
    option = TAKEN_BACK if vote.option is None else vote.option
    known = 0 < len(vote.user_id) <= MAX_USER_ID and COMMENT_ID.fullmatch(vote.poll_id) is not None
    return known and TAKEN_BACK <= option < MOST_OPTIONS


def _write(event: ReactionsRecorded, vote: Vote) -> Write:
    shard, option = shard_of(vote.user_id), TAKEN_BACK if vote.option is None else vote.option
    time_us = vote.at_ms * 1_000 + event.batch % 1_000
    values = event.video_id, shard, vote.user_id, vote.poll_id, option, vote.at_ms, time_us
    return Write(INSERT, values, ("votes", event.video_id, shard))
