"""A gateway reads partitions in any interleaving, and after a rebalance or restart of its reader some of them again.

Viewers then hear the same feed, and the totals, polls and viewers come to the same.
"""

from collections import defaultdict
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.conversation import Conversation
from gateway.poll_board import PollBoard
from gateway.viewer_counts import ViewerCounts
from schemas.comment_state import CommentNow
from schemas.events import (
    Change,
    CommentAccepted,
    CommentChanged,
    CommentRejected,
    Event,
    PollChanged,
    TotalsChanged,
    ViewersChanged,
)

VIDEOS: Final = ("video-a", "video-b", "video-c")
COMMENTS: Final = ("c-000001", "c-000002")
Partition = list[Event]


class Reader:
    """What a gateway makes of the events, and what it told of each video."""

    def __init__(self) -> None:
        self.conversation, self.polls, self.viewers = Conversation(), PollBoard(), ViewerCounts()
        self.told: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.conversation.on_comment = self._comment
        self.conversation.on_change = self._change

    def _comment(self, comment: CommentNow) -> None:
        event = comment.accepted
        self.told[event.video_id].append((event.seq, event.comment_id, event.text))

    def _change(self, event: CommentChanged, _: CommentNow | None) -> None:
        self.told[event.video_id].append((event.seq, event.comment_id, event.change))

    def fold(self, event: Event) -> None:
        for fold in (self.conversation.apply, self.polls.apply, self.viewers.apply):
            fold(event)

    def figures(self, video: str) -> tuple[object, ...]:
        """Totals, likes of comments, comments, votes and viewers now."""
        talk = self.conversation.talk(video)
        counts = talk.totals and (talk.totals.likes, talk.totals.reactions)
        votes = [poll.votes for poll in self.polls.of_video(video)]
        return counts, dict(talk.comment_likes), talk.shown, votes, self.viewers.of_video(video)


def commented(video: str, seq: int, changes: Change | None) -> CommentAccepted | CommentChanged:
    about: dict[str, Any] = {"video_id": video, "channel": "demo", "seq": seq, "user_id": "g_1", "source_offset": seq}
    if changes is None:
        about |= {"name": "Ann", "text": f"says {seq}", "submitted_ms": seq, "comments": seq}
        return CommentAccepted(comment_id=f"c-{seq:06d}", **about)
    about |= {"comment_id": "c-000001", "comment_seq": 1, "change": changes, "text": None, "comments": 1}
    return CommentChanged(by="g_2", act_id="act", revision_id="", changed_ms=seq, **about)


def rejected(video: str, seq: int) -> CommentRejected:
    facts: dict[str, Any] = {"video_id": video, "channel": "demo", "user_id": "g_1", "text": "", "source_offset": seq}
    facts |= {"name": "Ann", "submitted_ms": seq}
    return CommentRejected(comment_id=f"r-{seq:06d}", reason="links", message="no links", **facts)


def counted(video: str, offset: int, likes: int) -> TotalsChanged:
    facts: dict[str, Any] = {"video_id": video, "channel": "demo", "as_of_offset": offset, "as_of_ms": offset}
    return TotalsChanged(likes=likes, reactions={"heart": offset}, comment_likes={COMMENTS[likes % 2]: likes}, **facts)


def voted(video: str, offset: int, votes: int) -> PollChanged:
    asked: dict[str, Any] = {"poll_id": "poll-0001", "question": "?", "options": ("a", "b"), "opened_ms": 1}
    facts: dict[str, Any] = {"video_id": video, "channel": "demo", "as_of_offset": offset, "as_of_ms": offset}
    return PollChanged(votes=(votes, offset), opened_by="owner", closes_ms=None, closed_ms=None, **asked, **facts)


def watched(video: str, offset: int, viewers: int) -> ViewersChanged:
    facts: dict[str, Any] = {"video_id": video, "channel": "demo", "as_of_offset": offset, "as_of_ms": offset}
    return ViewersChanged(viewers=viewers, peak=offset, peak_ms=offset, unique=offset, **facts)


@st.composite
def logs(draw: st.DrawFn) -> list[Partition]:
    """The partitions of comments.feed, comments.rejected, totals and viewers, as the workers write them for three videos."""
    feed: list[Partition] = [[], []]
    rejections: list[Partition] = [[], []]
    totals: list[Partition] = [[], []]
    viewers: list[Partition] = [[], []]
    for place, video in enumerate(VIDEOS):
        home = place % 2
        for seq in range(1, draw(st.integers(0, 8)) + 1):
            change = (
                draw(st.none() | st.sampled_from([Change.HIDDEN, Change.SHOWN, Change.PINNED])) if seq > 1 else None
            )
            feed[home].append(commented(video, seq, change))
            if draw(st.booleans()):
                rejections[home].append(rejected(video, seq))
        for offset in range(draw(st.integers(0, 6))):
            totals[home].append(counted(video, offset, draw(st.integers(0, 9))))
            if draw(st.booleans()):
                totals[home].append(voted(video, offset, draw(st.integers(0, 9))))
            viewers[home].append(watched(video, offset, draw(st.integers(0, 9))))
    return [*feed, *rejections, *totals, *viewers]


@settings(max_examples=60)
@given(logs(), st.data())
def test_any_interleaving_and_any_repetition_give_the_same_feed_and_the_same_figures(
    partitions: list[Partition], data: st.DataObject
) -> None:
    plain, troubled = Reader(), Reader()
    for partition in partitions:
        for event in partition:
            plain.fold(event)

    read = [0] * len(partitions)
    while unread := [n for n, partition in enumerate(partitions) if read[n] < len(partition)]:
        number = data.draw(st.sampled_from(unread))
        until = data.draw(st.integers(read[number] + 1, len(partitions[number])))
        again = data.draw(st.just(read[number]) | st.integers(0, read[number]))
        for event in partitions[number][again:until]:
            troubled.fold(event)
        read[number] = until

    for video in VIDEOS:
        assert troubled.told[video] == plain.told[video]
        assert [seq for seq, *_ in plain.told[video]] == list(range(1, len(plain.told[video]) + 1))
        assert troubled.figures(video) == plain.figures(video)
