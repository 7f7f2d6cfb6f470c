"""The feed against a model that keeps everything and knows no rows: whatever is said, repeated, undone, wherever it is cut."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import (
    Act,
    Change,
    ChannelRules,
    CommentAccepted,
    CommentChanged,
    CommentRejected,
    CommentRevised,
    CommentSubmitted,
    Event,
    ModerationOrdered,
)
from tests.processors.comment_log import START_MS, Partition, Told, ordered, revised, submitted

CHANNELS = {"video-a": "ann", "video-b": "ann", "video-e": "eve"}
VIDEOS = st.sampled_from([*["video-a"] * 8, "video-b", "video-e"])
NUMBERS = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4])
USERS = ("g_ann", "g_bob")
OF_COMMENTS = (Act.HIDE, Act.SHOW, Act.PIN, Act.UNPIN)
OF_USERS = (Act.HIDE_USER, Act.SHOW_USER)
HIDING = (Act.HIDE, Act.SHOW, *OF_USERS)
PINNING = (Act.PIN, Act.UNPIN)
OF_QUEUE = (Act.APPROVE, Act.DECLINE)
MOST_PINNED = 3


def comment(video_id: str, number: int, text: str) -> CommentSubmitted:
    """Comment `number` of a video; the same has always the same writer."""
    user_id = USERS[number % len(USERS)]
    comment_id = f"comment-{number}"
    return submitted(comment_id, video_id=video_id, channel=CHANNELS[video_id], user_id=user_id, text=text)


def revision(video_id: str, number: int, revision_id: int, writer: int, text: str | None) -> CommentRevised:
    """A revision of comment `number` by one of the users."""
    facts = {"video_id": video_id, "channel": CHANNELS[video_id], "user_id": USERS[writer], "text": text}
    return revised(f"revision-{revision_id}", f"comment-{number}", **facts)


def act(kind: Act, video_id: str, number: int, channel: str) -> ModerationOrdered:
    """An act on comment `number`, or on one of the users; its id is given later."""
    channel = channel or CHANNELS[video_id]
    if kind in OF_USERS:
        return ordered("act", kind, channel=channel, user_id=USERS[number % len(USERS)])
    return ordered("act", kind, channel=channel, video_id=video_id, comment_id=f"comment-{number}")


TEXTS = st.sampled_from(["hello", "ham"])
BEGINNING = [
    comment(video_id, n, "hello")
    for video_id, n in [*(("video-a", n) for n in range(4)), ("video-b", 0), ("video-e", 0)]
]
comments = st.builds(comment, VIDEOS, NUMBERS, TEXTS)
edits = st.builds(revision, VIDEOS, NUMBERS, st.integers(0, 5), st.integers(0, 1), st.sampled_from(["better", "ham"]))
removals = st.builds(revision, VIDEOS, NUMBERS, st.integers(6, 9), st.integers(0, 1), st.none())


def acts(*kinds: Act) -> st.SearchStrategy[ModerationOrdered]:
    """Acts of these kinds, a few by another channel."""
    return st.builds(act, st.sampled_from(kinds), VIDEOS, NUMBERS, st.sampled_from(["", "", "", "", "", "eve"]))


def often(most: st.SearchStrategy[Event], *rest: st.SearchStrategy[Event]) -> st.SearchStrategy[Event]:
    """Two of three from the first."""
    return st.integers(0, 2).flatmap(lambda third: most if third else st.one_of(rest))


def named(events: list[Event], undoing: list[int | None]) -> list[Event]:
    """The same with ids of acts by their place; `undoing`: how many acts before it each takes back, if any."""
    given_ids: list[Event] = []
    places: list[int] = []
    for place, event in enumerate(events):
        if isinstance(event, ModerationOrdered):
            back = undoing[len(places)] if len(places) < len(undoing) else None
            undoes = f"act-{places[-1 - back]}" if back is not None and back < len(places) else ""
            places.append(place)
            given_ids.append(replace(event, act=replace(event.act, act_id=f"act-{place}", undoes=undoes)))
        else:
            given_ids.append(event)
    return given_ids


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Any records, repeats among them."""
    mostly_acts = often(acts(*OF_COMMENTS, *OF_USERS, *OF_QUEUE), comments, edits, removals)
    events: list[Event] = [*BEGINNING, *draw(st.lists(mostly_acts, min_size=12, max_size=25))]
    events = named(events, draw(st.lists(st.none() | st.integers(0, 1), min_size=10, max_size=25)))
    for at, place in draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=4)):
        events.insert(place, events[at % len(events)])
    return events


@dataclass
class Reader:
    """What a gateway makes of one video's feed, and what must always be true of it."""

    texts: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    pinned: list[str] = field(default_factory=list)
    seq: int = 0

    def hear(self, event: CommentAccepted | CommentChanged) -> None:
        assert event.seq == self.seq + 1
        self.seq = event.seq
        if isinstance(event, CommentAccepted):
            assert event.comment_id not in self.texts
            self.texts[event.comment_id] = self.shown[event.comment_id] = event.text
        else:
            self._change(event)
        assert event.comments == len(self.shown)

    def _change(self, event: CommentChanged) -> None:
        comment_id = event.comment_id
        if event.change is Change.EDITED:
            assert comment_id in self.shown
            assert event.text is not None
            self.texts[comment_id] = self.shown[comment_id] = event.text
        elif event.change is Change.SHOWN:
            assert comment_id not in self.shown
            assert event.text == self.texts[comment_id]
            self.shown[comment_id] = event.text
        else:
            assert event.text is None
        if event.change is Change.HIDDEN:
            del self.shown[comment_id]
        elif event.change is Change.REMOVED:
            self.shown.pop(comment_id, None)
            self.texts[comment_id] = ""
        elif event.change is Change.PINNED:
            assert comment_id not in self.pinned
            self.pinned.append(comment_id)
        elif event.change is Change.UNPINNED:
            self.pinned.remove(comment_id)


def read(told: list[Told]) -> dict[str, Reader]:
    readers = {video_id: Reader() for video_id in CHANNELS}
    for event in told:
        if isinstance(event, CommentAccepted | CommentChanged):
            readers[event.video_id].hear(event)
    return readers


@dataclass
class Fact:
    """A comment as the model knows it."""

    video_id: str
    comment_id: str
    user_id: str
    removed: bool = False
    acts: list[ModerationOrdered] = field(default_factory=list)


def truth(log: list[tuple[Event, list[Told]]]) -> dict[str, tuple[set[str], list[str]]]:
    """By video: what is shown and pinned, from who was accepted when, and the acts that are in force in the end."""
    facts: dict[tuple[str, str], Fact] = {}
    noted: dict[str, ModerationOrdered] = {}
    pins: list[ModerationOrdered] = []
    for event, told in log:
        _note_told(facts, event, told)
        if isinstance(event, ModerationOrdered) and event.act.act_id not in noted:
            noted[event.act.act_id] = event
            if not event.act.undoes:
                _note_act(facts, pins, event)
    active = _active(list(noted.values()))
    shown = {key for key, fact in facts.items() if not fact.removed and not _hidden(fact, active)}
    return {
        video_id: (
            {comment_id for at, comment_id in shown if at == video_id},
            [comment_id for comment_id in _pinned(pins, active, video_id) if (video_id, comment_id) in shown],
        )
        for video_id in CHANNELS
    }


def _note_told(facts: dict[tuple[str, str], Fact], event: Event, told: list[Told]) -> None:
    for said in told:
        if isinstance(said, CommentAccepted):
            fact = facts[said.video_id, said.comment_id] = Fact(said.video_id, said.comment_id, said.user_id)
            if isinstance(event, ModerationOrdered):
                fact.acts.append(event)
        elif isinstance(said, CommentChanged) and said.change is Change.REMOVED:
            facts[said.video_id, said.comment_id].removed = True


def _note_act(facts: dict[tuple[str, str], Fact], pins: list[ModerationOrdered], event: ModerationOrdered) -> None:
    if event.act.kind in HIDING:
        for fact in facts.values():
            if _is_about(event, fact):
                fact.acts.append(event)
    elif event.act.kind in PINNING and (event.video_id, event.act.comment_id) in facts:
        pins.append(event)


def _is_about(event: ModerationOrdered, fact: Fact) -> bool:
    if event.channel != CHANNELS[fact.video_id]:
        return False
    if event.act.kind in OF_USERS:
        return event.act.user_id == fact.user_id
    return (event.video_id, event.act.comment_id) == (fact.video_id, fact.comment_id)


def _active(noted: list[ModerationOrdered]) -> set[str]:
    """The acts that no act in force takes back; only later ones can."""
    active: set[str] = set()
    for at in reversed(range(len(noted))):
        undone = any(
            later.act.undoes == noted[at].act.act_id
            and later.channel == noted[at].channel
            and later.act.act_id in active
            for later in noted[at + 1 :]
        )
        if not undone:
            active.add(noted[at].act.act_id)
    return active


def _hidden(fact: Fact, active: set[str]) -> bool:
    by: set[Act] = set()
    for event in fact.acts:
        kind, is_on = event.act.kind, event.act.act_id in active
        if kind is Act.APPROVE:
            by |= set() if is_on else {kind}
        elif is_on:
            by = {Act.SHOW: set(), Act.SHOW_USER: by - {Act.HIDE_USER}}.get(kind, by | {kind})
    return bool(by)


def _pinned(pins: list[ModerationOrdered], active: set[str], video_id: str) -> list[str]:
    pinned: list[str] = []
    for event in pins:
        if event.video_id == video_id and event.channel == CHANNELS[video_id] and event.act.act_id in active:
            pinned = [other for other in pinned if other != event.act.comment_id]
            if event.act.kind is Act.PIN:
                pinned = [*pinned, event.act.comment_id][-MOST_PINNED:]
    return pinned


def state_of(readers: dict[str, Reader]) -> dict[str, tuple[set[str], list[str]]]:
    return {video_id: (set(reader.shown), sorted(reader.pinned)) for video_id, reader in readers.items()}


@settings(max_examples=100, deadline=None)
@given(logs(), st.sets(st.integers(0, 40)))
def test_the_feed_is_what_the_log_comes_to(events: list[Event], cuts: set[int]) -> None:
    partition = Partition(ChannelRules(held=("ham",), duplicate_ms=0))
    log = []
    for at, event in enumerate(events):
        if at in cuts:
            partition.again()
        log.append((event, partition.say(event)))
    expected = {video_id: (shown, sorted(pinned)) for video_id, (shown, pinned) in truth(log).items()}
    assert state_of(read(partition.told)) == expected


@settings(max_examples=40, deadline=None)
@given(logs(), st.data())
def test_a_repeat_of_any_record_that_was_taken_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    partition = Partition(ChannelRules(held=("ham",), duplicate_ms=0))
    taken = [event for event in events if not any(isinstance(told, CommentRejected) for told in partition.say(event))]
    for event in data.draw(st.permutations(taken)):
        assert [told for told in partition.again().say(event) if not isinstance(told, CommentRejected)] == []


@settings(max_examples=40, deadline=None)
@given(st.lists(often(acts(*OF_COMMENTS, *OF_USERS), comments, removals), min_size=12, max_size=25), st.data())
def test_when_all_acts_are_taken_back_the_feed_is_the_one_without_them(
    events: list[Event], data: st.DataObject
) -> None:
    events = named([*BEGINNING, *events], [])
    moderated, plain = Partition(ChannelRules(duplicate_ms=0)), Partition(ChannelRules(duplicate_ms=0))
    moderated.say(*events)
    plain.say(*(event for event in events if not isinstance(event, ModerationOrdered)))
    done = [event.act for event in events if isinstance(event, ModerationOrdered)]
    for one in data.draw(st.permutations(done)):
        moderated.again().say(ordered(f"un{one.act_id}", Act.SHOW, channel=one.channel, undoes=one.act_id))
    told = {video_id: (reader.shown, reader.pinned) for video_id, reader in read(moderated.told).items()}
    assert told == {video_id: (reader.shown, []) for video_id, reader in read(plain.told).items()}


def test_a_comment_of_before_there_was_moderation_is_loaded_hidden_and_shown() -> None:
    partition = Partition()
    partition.rows = [
        (b"v/video-a", b"[1,2]"),
        (b"c/video-a/comment-1", b'[1,1,null,"g_bob",1000000,7]'),
        (b"c/video-a/comment-2", b'[1,2,"comment-1","g_cid",1000000,8]'),
    ]
    events = (ordered("act-1"), ordered("act-2", undoes="act-1"), submitted("comment-3", submitted_ms=START_MS + 1))
    told = [said for event in events for said in partition.again().say(event)]
    assert [(event.seq, event.comments) for event in told if isinstance(event, CommentAccepted | CommentChanged)] == [
        (3, 1),
        (4, 2),
        (5, 3),
    ]
    assert partition.again().say(submitted("comment-1"), submitted("comment-2")) == []
