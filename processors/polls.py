"""The polls of one video: who voted for what, counted until each is closed. Pure; kept by `processors.reactions`.

A vote is a user's wanted option in one poll; the last one before the close counts. A poll is closed by `PollClosed`, or by
the first event of its video whose wall clock has come to `closes_ms`: from then on its result stays. So the order of the
log decides, and nothing else.

State rows: `p/VIDEO/POLL` is the poll, and its result once it is closed; `v/VIDEO/POLL/USER` the option of one user. Once the
result is written nobody reads the votes of a closed poll, and they are deleted little by little (`take_stale`): a million of
them would be too much for one transaction. Rows that are left when a worker dies are found when they are read back.

Limits, past which polls and votes are passed over: the constants below.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from processors.fold import pack_row, row_key, unpack_row
from schemas.events import PollChanged, PollClosed, PollOpened, Vote
from schemas.ids import COMMENT_ID

LEAST_OPTIONS: Final = 2
MOST_OPTIONS: Final = 8
MAX_QUESTION: Final = 200
MAX_OPTION: Final = 80
MAX_POLLS: Final = 50
"""Of one video."""
MAX_VOTES: Final = 3_000_000
"""That stand in the open polls of one video."""
MAX_USER_ID: Final = 64

STALE_AT_ONCE: Final = 10_000
"""Votes of closed polls that one transaction deletes."""

Rows = dict[str, bytes | None]


@dataclass(slots=True)
class Poll:
    """One poll. `voters` is empty once it is closed."""

    question: str
    options: tuple[str, ...]
    opened_ms: int
    opened_by: str
    closes_ms: int | None
    closed_ms: int | None = None
    counts: list[int] = field(default_factory=list)
    voters: dict[str, int] = field(default_factory=dict)


class Polls:
    """The polls of one video."""

    def __init__(self, video_id: str, stale: deque[str] | None = None) -> None:
        """`stale` takes the keys of the rows of votes that are to be deleted."""
        self._video_id = video_id
        self._stale: deque[str] = deque() if stale is None else stale
        self._polls: dict[str, Poll] = {}
        self._votes = 0
        self._changed: set[str] = set()

    # -- events

    def open(self, event: PollOpened, now_ms: int) -> None:
        """Take a poll; one that is known, ill-formed or too many is passed over. It may be too late for votes already."""
        if event.poll_id in self._polls or len(self._polls) >= MAX_POLLS or not _has_form(event):
            return
        self._polls[event.poll_id] = Poll(
            event.question,
            event.options,
            event.opened_ms,
            event.opened_by,
            event.closes_ms,
            None,
            [0] * len(event.options),
        )
        self._changed.add(event.poll_id)
        self.advance(now_ms)

    def close(self, event: PollClosed) -> None:
        """End a poll, if it is open."""
        poll = self._polls.get(event.poll_id)
        if poll is not None and poll.closed_ms is None:
            self._end(event.poll_id, poll, event.closed_ms)

    def advance(self, now_ms: int) -> None:
        """End those whose time has come."""
        for poll_id, poll in self._polls.items():
            if poll.closed_ms is None and poll.closes_ms is not None and poll.closes_ms <= now_ms:
                self._end(poll_id, poll, poll.closes_ms)

    def vote(self, vote: Vote, rows: Rows) -> None:
        """Bring one user's vote to the wanted option, if the poll is open."""
        poll = self._polls.get(vote.poll_id)
        if poll is None or poll.closed_ms is not None or not 0 < len(vote.user_id) <= MAX_USER_ID:
            return
        if vote.option is not None and not 0 <= vote.option < len(poll.options):
            return
        if self._set(poll, vote.user_id, vote.option):
            key = row_key("v", self._video_id, vote.poll_id, vote.user_id)
            rows[key] = None if vote.option is None else pack_row(vote.option)
            self._changed.add(vote.poll_id)

    # -- what became of them

    def take(self, rows: Rows) -> Iterator[tuple[str, Poll]]:
        """The polls that changed since the last time; their rows are added to `rows`."""
        for poll_id in sorted(self._changed):
            poll = self._polls[poll_id]
            result = poll.counts if poll.closed_ms is not None else []
            rows[row_key("p", self._video_id, poll_id)] = pack_row(
                poll.question, poll.options, poll.opened_ms, poll.opened_by, poll.closes_ms, poll.closed_ms, result
            )
            yield poll_id, poll
        self._changed.clear()

    # -- rows

    def load_poll(self, poll_id: str, value: bytes) -> None:
        """Take a row `p/…`."""
        question, options, opened_ms, opened_by, closes_ms, closed_ms, result = unpack_row(value)
        known = self._polls.pop(poll_id, None)
        poll = Poll(question, tuple(options), opened_ms, opened_by, closes_ms, closed_ms, [0] * len(options))
        self._polls[poll_id] = poll
        for user_id, option in known.voters.items() if known is not None else ():
            self._votes -= 1
            self._set(poll, user_id, option, bounded=False)
        if closed_ms is not None:
            self._forget_voters(poll_id, poll)
            poll.counts = list(result)

    def load_vote(self, poll_id: str, user_id: str, value: bytes | None) -> None:
        """Take a row `v/…`; compaction may have put it before that of its poll."""
        poll = self._polls.setdefault(poll_id, Poll("", ("",) * MOST_OPTIONS, 0, "", None, None, [0] * MOST_OPTIONS))
        if poll.closed_ms is None:
            self._set(poll, user_id, None if value is None else unpack_row(value)[0], bounded=False)
        elif value is not None:
            self._stale.append(row_key("v", self._video_id, poll_id, user_id))

    def loaded(self) -> None:
        """All rows were taken: votes without a poll are left of a video that was forgotten."""
        for poll_id in [poll_id for poll_id, poll in self._polls.items() if not poll.question]:
            self._forget_voters(poll_id, self._polls.pop(poll_id))

    def gone(self) -> list[str]:
        """The keys of the polls' rows; those of votes that stand become stale."""
        for poll_id, poll in self._polls.items():
            self._forget_voters(poll_id, poll)
        return [row_key("p", self._video_id, poll_id) for poll_id in self._polls]

    def _set(self, poll: Poll, user_id: str, option: int | None, *, bounded: bool = True) -> bool:
        before = poll.voters.get(user_id)
        if before == option or (bounded and before is None and self._votes >= MAX_VOTES):
            return False
        if before is not None:
            poll.counts[before] -= 1
            self._votes -= 1
            del poll.voters[user_id]
        if option is not None:
            poll.counts[option] += 1
            self._votes += 1
            poll.voters[user_id] = option
        return True

    def _end(self, poll_id: str, poll: Poll, at_ms: int) -> None:
        poll.closed_ms = at_ms
        self._forget_voters(poll_id, poll)
        self._changed.add(poll_id)

    def _forget_voters(self, poll_id: str, poll: Poll) -> None:
        self._stale.extend(row_key("v", self._video_id, poll_id, user_id) for user_id in poll.voters)
        self._votes -= len(poll.voters)
        poll.voters = {}


def take_stale(stale: deque[str], rows: Rows) -> None:
    """Delete some of the votes that nobody reads any more; a row that has just been put is deleted all the same."""
    for _ in range(min(len(stale), STALE_AT_ONCE)):
        rows[stale.popleft()] = None


def poll_changed(video_id: str, channel: str, poll_id: str, poll: Poll, offset: int, at_ms: int) -> PollChanged:
    """The event of a poll as it stands."""
    return PollChanged(
        video_id=video_id,
        channel=channel,
        poll_id=poll_id,
        question=poll.question,
        options=poll.options,
        opened_ms=poll.opened_ms,
        opened_by=poll.opened_by,
        closes_ms=poll.closes_ms,
        closed_ms=poll.closed_ms,
        votes=tuple(poll.counts),
        as_of_offset=offset,
        as_of_ms=at_ms,
    )


def _has_form(event: PollOpened) -> bool:
    return (
        COMMENT_ID.fullmatch(event.poll_id) is not None
        and LEAST_OPTIONS <= len(event.options) <= MOST_OPTIONS
        and 0 < len(event.question) <= MAX_QUESTION
        and all(0 < len(option) <= MAX_OPTION for option in event.options)
    )
