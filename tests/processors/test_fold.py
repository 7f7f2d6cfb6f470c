"""Every exact fold, driven as a ledger drives it: cut anywhere, loaded again from its rows, it decides the same."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.comments import CommentsFold
from processors.cues import CuesFold
from processors.fold import Fold, Row, RowError, Write, pack_row, unpack_row
from processors.reactions import ReactionsFold
from schemas.codec import decode
from schemas.events import (
    Act,
    ChannelRules,
    CommentRevised,
    CommentSubmitted,
    CueRequested,
    Event,
    GopOpened,
    Like,
    ModerationActed,
    ModerationOrdered,
    Reaction,
    ReactionsRecorded,
    TotalsChanged,
)
from schemas.topics import COMMENTS_STATE, CUES_STATE, MEDIA_GOPS, REACTIONS_STATE

VIDEOS = st.sampled_from(["video-a", "video-b"])
COMMENT_IDS = st.sampled_from([f"comment-{n}" for n in range(8)])
USERS = st.sampled_from(["g_ann", "g_bob", "g_cid"])
STATE_TOPICS = {COMMENTS_STATE.name, REACTIONS_STATE.name, CUES_STATE.name}


@dataclass
class Log:
    """What one partition's transactions left: state rows, folded offsets, results."""

    make: Callable[[], Fold]
    replays_gops: bool = False
    rows: list[Row] = field(default_factory=list)
    results: list[Write] = field(default_factory=list)
    folded: int = -1

    def reopened(self, source: list[Event]) -> Fold:
        """A new process: the rows as compaction may leave them, and the replayed topic up to where it stood."""
        fold = self.make()
        fold.load(iter(self.rows))
        if self.replays_gops:
            for offset, event in enumerate(source):
                if isinstance(event, GopOpened):
                    fold.apply(MEDIA_GOPS.name, offset, event)
        return fold

    def commit(self, writes: list[Write], upto: int) -> None:
        for write in writes:
            if write.topic in STATE_TOPICS:
                self.rows.append((write.key, write.value))
            else:
                self.results.append(write)
        self.folded = upto

    def compact(self) -> None:
        """Keep the last row of each key; deleted ones go."""
        last = {key: at for at, (key, _) in enumerate(self.rows)}
        self.rows = [row for at, row in enumerate(self.rows) if last[row[0]] == at and row[1] is not None]


def straight(make: Callable[[], Fold], events: list[Event]) -> list[Write]:
    """The results of a run without any crash, committed after each event."""
    log, fold = Log(make), make()
    for offset, event in enumerate(events):
        fold.apply("source", offset, event)
        log.commit(fold.take(), offset)
    return log.results


def with_crashes(make: Callable[[], Fold], events: list[Event], draw: st.DataObject, *, gops: bool = False) -> Log:
    """A run that commits batches of any size, and dies before or after any commit, forgetting what was not committed."""
    log = Log(make, gops)
    fold, offset = make(), 0
    while offset < len(events):
        end = draw.draw(st.integers(offset + 1, len(events)), label="batch up to")
        fate = draw.draw(st.sampled_from(["lives", "lives", "dies before the commit", "dies after it"]))
        for at in range(offset, end):
            fold.apply("source", at, events[at])
        if fate != "dies before the commit":
            log.commit(fold.take(), end - 1)
        if fate != "lives":
            if draw.draw(st.booleans(), label="compacted"):
                log.compact()
            fold = log.reopened(events[: log.folded + 1])
        offset = log.folded + 1
    log.commit(fold.take(), len(events) - 1)
    return log


comments = st.builds(
    CommentSubmitted,
    video_id=VIDEOS,
    channel=st.just("ann"),
    comment_id=COMMENT_IDS,
    user_id=USERS,
    name=st.just("Ann"),
    text=st.sampled_from(["hello", "Hello ", "bye", "", "x" * 501, "ham", "www.a.example"]),
    parent_id=st.none() | COMMENT_IDS,
    submitted_ms=st.integers(0, 60_000),
    media_ms=st.none(),
    gateway_id=st.just("g1"),
    role=st.sampled_from(["guest", "member", "moderator"]),
    address=st.sampled_from(["", "a" * 32]),
)
revisions = st.builds(
    CommentRevised,
    video_id=VIDEOS,
    channel=st.just("ann"),
    revision_id=st.sampled_from([f"revision-{n}" for n in range(6)]),
    comment_id=COMMENT_IDS,
    user_id=USERS,
    name=st.just("Ann"),
    text=st.none() | st.sampled_from(["better", "ham"]),
    submitted_ms=st.integers(0, 60_000),
    gateway_id=st.just("g1"),
    role=st.just("guest"),
    address=st.just(""),
)
OF_COMMENTS = (Act.HIDE, Act.SHOW, Act.PIN, Act.UNPIN, Act.APPROVE, Act.DECLINE)
ACT_IDS = st.sampled_from([f"act-{n}" for n in range(12)])


@st.composite
def acts(draw: st.DrawFn) -> ModerationOrdered:
    """Any act, or one that takes another back."""
    kind = draw(st.sampled_from(Act))
    act_id = draw(ACT_IDS)
    act = ModerationActed(
        act_id=act_id,
        channel="ann",
        video_id=draw(VIDEOS) if kind in OF_COMMENTS else "",
        kind=kind,
        comment_id=draw(COMMENT_IDS) if kind in OF_COMMENTS else "",
        user_id=draw(USERS),
        address="a" * 32,
        until_ms=draw(st.sampled_from([0, 30_000])),
        reason="",
        rules=draw(RULES) if kind is Act.RULES else None,
        by="u_mod",
        by_name="Mod",
        undoes=draw(st.sampled_from(["", ""]) | ACT_IDS.filter(lambda other: other != act_id)),
        at_ms=draw(st.integers(0, 60_000)),
    )
    return ModerationOrdered(video_id=act.video_id, channel=act.channel, act=act)


RULES = st.builds(
    ChannelRules,
    slow_mode_ms=st.sampled_from([0, 500]),
    first_review=st.booleans(),
    links=st.sampled_from(["allow", "hold", "reject"]),
    duplicate_ms=st.just(1_000),
    flood=st.sampled_from([0, 2]),
    held=st.just(("ham",)),
)
likes = st.builds(
    Like, user_id=USERS, comment_id=st.none() | COMMENT_IDS, liked=st.booleans(), at_ms=st.integers(0, 1000)
)
reactions = st.builds(
    Reaction, user_id=USERS, kind=st.sampled_from(["heart", "clap", "other"]), count=st.integers(-1, 120)
)
batches = st.builds(
    ReactionsRecorded,
    video_id=VIDEOS,
    channel=st.just("ann"),
    gateway_id=st.sampled_from(["g1", "g2"]),
    batch=st.integers(0, 5),
    recorded_ms=st.integers(0, 1000),
    likes=st.lists(likes, max_size=4).map(tuple),
    reactions=st.lists(reactions, max_size=3).map(tuple),
)
gops = st.builds(
    GopOpened,
    video_id=VIDEOS,
    channel=st.just("ann"),
    gop=st.integers(0, 40),
    segment=st.integers(0, 40),
    epoch=st.just(0),
    media_time_ms=st.integers(0, 1000),
    captured_ms=st.integers(0, 200_000),
)
cues = st.builds(
    CueRequested,
    video_id=VIDEOS,
    channel=st.just("ann"),
    cue_id=st.sampled_from([f"cue-{n}" for n in range(6)]),
    duration_ms=st.sampled_from([1_000, 5_000, 30_000]),
    requested_ms=st.integers(0, 200_000),
    requested_by=st.just("owner"),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(comments | comments | revisions | acts(), max_size=40), st.integers(2, 20), RULES, st.data())
def test_comments_are_decided_the_same_whatever_crashed(
    events: list[Event], remembered: int, rules: ChannelRules, data: st.DataObject
) -> None:
    def make() -> Fold:
        return CommentsFold(rules, remembered)

    assert with_crashes(make, events, data).results == straight(make, events)


@settings(max_examples=60, deadline=None)
@given(st.lists(batches, max_size=15), st.data())
def test_totals_end_the_same_whatever_crashed(events: list[Event], data: st.DataObject) -> None:
    """Batches of commits differ, so the totals are compared as their readers keep them."""
    crashed = with_crashes(ReactionsFold, events, data).results
    assert _kept(crashed) == _kept(straight(ReactionsFold, events))


@settings(max_examples=60, deadline=None)
@given(st.lists(gops | cues, max_size=30), st.integers(1, 10), st.data())
def test_breaks_are_planned_the_same_whatever_crashed(events: list[Event], max_cues: int, data: st.DataObject) -> None:
    def make() -> Fold:
        return CuesFold(segment_max_ms=10_000, max_cues=max_cues)

    assert with_crashes(make, events, data, gops=True).results == straight(make, events)


def _kept(results: list[Write]) -> dict[str, tuple[int, dict[str, int], dict[str, int]]]:
    """By video: likes, reactions, and the last told likes of each comment that has any."""
    kept: dict[str, tuple[int, dict[str, int], dict[str, int]]] = {}
    for write in results:
        assert write.value is not None
        totals = decode(write.value)
        assert isinstance(totals, TotalsChanged)
        told = kept.get(totals.video_id, (0, {}, {}))[2] | totals.comment_likes
        kept[totals.video_id] = (totals.likes, totals.reactions, {key: n for key, n in told.items() if n})
    return kept


def test_a_row_of_a_newer_version_is_refused_with_advice() -> None:
    with pytest.raises(RowError, match="upgrade this worker"):
        unpack_row(b"[2,1]")


@pytest.mark.parametrize("value", [b"", b"{}", b"7", b"\xff", b"[]"])
def test_what_is_no_row_is_refused(value: bytes) -> None:
    with pytest.raises(RowError, match="expected a state row"):
        unpack_row(value)


def test_a_row_comes_back_as_it_was() -> None:
    assert unpack_row(pack_row(1, "a", None, {"heart": 2})) == [1, "a", None, {"heart": 2}]


@pytest.mark.parametrize("fold", [CommentsFold(ChannelRules()), ReactionsFold(), CuesFold(10_000)])
def test_a_row_of_another_agent_is_refused(fold: Fold) -> None:
    with pytest.raises(RowError, match="expected a row of"):
        fold.load([(b"x/1", pack_row())])
