"""A video that is gone leaves nothing in any fold and in no row, whatever crashes; other videos never notice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from processors import polls
from processors.comments import CommentsFold
from processors.cues import CuesFold
from processors.fold import Fold, Write
from processors.jobs import JobsFold
from processors.reactions import ReactionsFold
from processors.viewers import LAPSE_MS, ViewersFold
from schemas.events import (
    Act,
    ChannelRules,
    CueRequested,
    Event,
    GopOpened,
    Like,
    PollClosed,
    PollOpened,
    PresenceRecorded,
    Reaction,
    ReactionsRecorded,
    RenditionRequested,
    VideoForgotten,
    Vote,
)
from schemas.topics import (
    ADS_CUES,
    COMMENTS_STATE,
    COMMENTS_SUBMITTED,
    CUES_STATE,
    JOBS_STATE,
    MEDIA_JOBS,
    PRESENCE,
    REACTIONS,
    REACTIONS_STATE,
    VIEWERS_STATE,
    Topic,
)
from tests.processors.comment_log import ordered, revised, submitted

GONE, STAYS = "video-a", "video-b"


@dataclass(frozen=True)
class Case:
    """A fold, what happens to a video, and the keys on compacted topics of results that go with it."""

    make: Callable[[], Fold]
    source: Topic
    state: Topic
    happens: Callable[[str], Sequence[Event]]
    keys: tuple[bytes, ...] = ()


def comments_of(video_id: str) -> list[Event]:
    return [
        submitted("comment-1", video_id=video_id),
        submitted("comment-2", video_id=video_id, user_id="g_eve", text="a word"),
        submitted("comment-3", video_id=video_id, user_id="g_eve", text="http://held.example"),
        revised("revision-1", video_id=video_id),
        ordered(f"pin-{video_id}", Act.PIN, video_id=video_id),
        ordered(f"hide-{video_id}", Act.HIDE, video_id=video_id, comment_id="comment-2"),
    ]


def reactions_of(video_id: str) -> list[Event]:
    facts: dict[str, Any] = {"video_id": video_id, "channel": "ann"}

    def batch(number: int, **what: Any) -> ReactionsRecorded:
        values: dict[str, Any] = {"likes": (), "reactions": (), "gateway_id": "g1", "recorded_ms": number}
        return ReactionsRecorded(batch=number, **(values | facts | what))

    def poll(poll_id: str) -> PollOpened:
        asked: dict[str, Any] = {"question": "Which?", "options": ("this", "that"), "opened_by": "owner"}
        return PollOpened(poll_id=poll_id, opened_ms=0, closes_ms=None, **(facts | asked))

    def vote(poll_id: str, user_id: str) -> Vote:
        return Vote(user_id=user_id, poll_id=poll_id, option=1, at_ms=0)

    liked = (Like(user_id="g_1", liked=True, at_ms=0), Like(user_id="g_2", liked=True, at_ms=0, comment_id="comment-1"))
    return [
        batch(1, likes=liked, reactions=(Reaction(user_id="g_1", kind="heart", count=3),)),
        poll("poll-0001"),
        poll("poll-0002"),
        batch(2, votes=(vote("poll-0001", "g_1"), vote("poll-0002", "g_1"), vote("poll-0002", "g_2"))),
        PollClosed(poll_id="poll-0001", closed_ms=9, closed_by="owner", **facts),
        batch(9, home=3, share=1, reactions=(Reaction(user_id="g_1", kind="clap", count=1),)),
    ]


def presence_of(video_id: str) -> list[Event]:
    facts: dict[str, Any] = {"video_id": video_id, "channel": "ann", "joined": bytes(range(16))}
    return [
        PresenceRecorded(gateway_id="g1", recorded_ms=1_000, viewers=2, **facts),
        PresenceRecorded(gateway_id="g2", recorded_ms=1_000 + LAPSE_MS // 2, viewers=1, **facts),
    ]


def cues_of(video_id: str) -> list[Event]:
    facts: dict[str, Any] = {"video_id": video_id, "channel": "ann"}
    return [
        GopOpened(gop=1, segment=1, epoch=0, media_time_ms=0, captured_ms=1_000, **facts),
        CueRequested(cue_id="cue-1", requested_ms=1_000, duration_ms=30_000, requested_by="owner", **facts),
        CueRequested(cue_id="cue-2", requested_ms=1_500, duration_ms=1, requested_by="owner", **facts),
    ]


def jobs_of(video_id: str) -> list[Event]:
    facts: dict[str, Any] = {"video_id": video_id, "channel": "ann", "rendition": "144p150k", "replayed": True}
    return [
        RenditionRequested(
            height=144,
            bitrate_bps=150_000,
            starts=(0, 2),
            last_segment=4,
            requested_by="ann",
            requested_ms=1,
            **facts,
        )
    ]


RULES = ChannelRules(slow_mode_ms=0, links="hold")
CASES = {
    "comments": Case(lambda: CommentsFold(RULES), COMMENTS_SUBMITTED, COMMENTS_STATE, comments_of),
    "reactions": Case(
        ReactionsFold,
        REACTIONS,
        REACTIONS_STATE,
        reactions_of,
        (b"video-a", b"video-a/poll-0001", b"video-a/poll-0002"),
    ),
    "viewers": Case(ViewersFold, PRESENCE, VIEWERS_STATE, presence_of, (b"video-a",)),
    "cues": Case(lambda: CuesFold(10_000), ADS_CUES, CUES_STATE, cues_of),
    "jobs": Case(lambda: JobsFold(4), MEDIA_JOBS, JOBS_STATE, jobs_of, (b"video-a/144p150k",)),
}
"""Every exact agent."""


def forgotten(video_id: str = GONE) -> VideoForgotten:
    return VideoForgotten(video_id=video_id, channel="ann", removed_ms=1, forgotten_ms=2, until_ms=3)


class Run:
    """A fold over numbered events; rows and results by key, with restarts from them."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.fold = case.make()
        self.rows: dict[bytes, bytes] = {}
        self.results: dict[bytes, bytes] = {}
        self.tombstones: set[bytes] = set()

    def apply(self, offset: int, event: Event) -> None:
        if isinstance(event, VideoForgotten):
            self.fold.forget(event.video_id)
        else:
            self.fold.apply(self.case.source.name, offset, event)

    def take(self) -> list[Write]:
        writes = self.fold.take()
        for write in writes:
            kept = self.rows if write.topic == self.case.state.name else self.results
            if write.value is not None:
                kept[write.key] = write.value
            else:
                kept.pop(write.key, None)
                if write.topic != self.case.state.name:
                    self.tombstones.add(write.key)
        return writes

    def restart(self) -> None:
        self.fold = self.case.make()
        self.fold.load(sorted(self.rows.items()))


def run(case: Case, events: Sequence[Event], *, steps: int, restarts: bool, without: str = "") -> Run:
    """Take after every so many events; those of the video `without` never happen, and the others have their offsets."""
    made = Run(case)
    for offset, event in enumerate(events):
        if getattr(event, "video_id", "") != without:
            made.apply(offset, event)
        if offset % steps == 0:
            made.take()
            if restarts:
                made.restart()
    made.take()
    return made


def story(case: Case) -> list[Event]:
    """What happens to both videos, by turns, and then one is forgotten."""
    turns = [event for pair in zip(case.happens(GONE), case.happens(STAYS), strict=True) for event in pair]
    return [*turns, forgotten()]


@pytest.mark.parametrize("restarts", [False, True], ids=["in memory", "read back"])
@pytest.mark.parametrize("steps", [1, 3, 1_000])
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_left_of_a_video_that_is_forgotten_and_another_is_as_if_it_had_been_alone(
    name: str, steps: int, restarts: bool
) -> None:
    case = CASES[name]
    events = story(case)
    both = run(case, events, steps=steps, restarts=restarts)
    one = run(case, events, steps=steps, restarts=restarts, without=GONE)
    assert not [key for key in both.rows if GONE.encode() in key], "rows of it are left"
    assert {key: both.rows[key] for key in both.rows if STAYS.encode() in key} == {
        key: one.rows[key] for key in one.rows if STAYS.encode() in key
    }
    assert set(case.keys) <= both.tombstones
    assert not both.tombstones - set(case.keys)


@pytest.mark.parametrize("name", CASES)
def test_to_forget_twice_or_what_was_never_known_writes_nothing(name: str) -> None:
    made = Run(CASES[name])
    made.apply(0, forgotten())
    assert made.take() == []
    for offset, event in enumerate(story(CASES[name])):
        made.apply(offset, event)
    made.take()
    made.restart()
    made.apply(99, forgotten())
    assert made.take() == []


@pytest.mark.parametrize("name", CASES)
def test_other_videos_go_on_after_one_was_forgotten(name: str) -> None:
    """Nothing in memory still leads to it: lapses, chains of comments, pins."""
    made = run(CASES[name], story(CASES[name]), steps=4, restarts=False)
    for offset, event in enumerate(CASES[name].happens("video-c"), start=100):
        made.apply(offset, event)
    if name == "viewers":
        late = PresenceRecorded(
            video_id="video-c", channel="ann", gateway_id="g1", recorded_ms=9 * LAPSE_MS, viewers=1, joined=b""
        )
        made.apply(200, late)
    made.take()
    assert not [key for key in made.rows if GONE.encode() in key]


def test_votes_of_a_closed_poll_are_deleted_little_by_little_and_what_is_left_after_a_restart_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polls, "STALE_AT_ONCE", 5)
    made = Run(CASES["reactions"])
    _, first, _, *_ = reactions_of(GONE)
    votes = tuple(Vote(user_id=f"g_{number}", poll_id="poll-0001", option=1, at_ms=0) for number in range(12))
    facts: dict[str, Any] = {"video_id": GONE, "channel": "ann"}
    batch = ReactionsRecorded(gateway_id="g1", batch=1, recorded_ms=1, likes=(), reactions=(), votes=votes, **facts)
    closed = PollClosed(poll_id="poll-0001", closed_ms=9, closed_by="owner", **facts)
    for offset, event in enumerate([first, batch]):
        made.apply(offset, event)
    made.take()

    def left() -> int:
        return sum(key.startswith(b"v/") for key in made.rows)

    assert left() == 12
    made.apply(2, closed)
    made.take()
    assert left() == 7
    made.restart()
    for expected in (2, 0, 0):
        made.take()
        assert left() == expected
    made.restart()
    assert made.take() == []


def test_votes_that_a_dead_worker_left_of_a_forgotten_video_go_when_they_are_read_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polls, "STALE_AT_ONCE", 1)
    made = Run(CASES["reactions"])
    for offset, event in enumerate([*reactions_of(GONE), forgotten()]):
        made.apply(offset, event)
        made.take()
    assert [key for key in made.rows if GONE.encode() in key]
    made.restart()
    for _ in range(5):
        made.take()
    assert made.rows == {}
