from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import likes, reactions
from processors.fold import FoldError, Write
from processors.reactions import KINDS, MAX_GATEWAYS, ReactionsFold
from schemas.codec import decode
from schemas.events import GopClosed, Like, Reaction, ReactionsRecorded, TotalsChanged
from schemas.topics import REACTIONS, REACTIONS_STATE, TOTALS


def like(user_id: str, comment_id: str | None = None, *, liked: bool = True) -> Like:
    return Like(user_id=user_id, comment_id=comment_id, liked=liked, at_ms=0)


def hearts(count: int, kind: str = "heart") -> Reaction:
    return Reaction(user_id="g_bob", kind=kind, count=count)


def batch(number: int, *items: Like | Reaction, **options: Any) -> ReactionsRecorded:
    facts: dict[str, Any] = {"video_id": "video-a", "channel": "ann", "gateway_id": "g1", "recorded_ms": number}
    return ReactionsRecorded(
        batch=number,
        likes=tuple(item for item in items if isinstance(item, Like)),
        reactions=tuple(item for item in items if isinstance(item, Reaction)),
        **(facts | options),
    )


def fold_of(*events: ReactionsRecorded) -> ReactionsFold:
    fold = ReactionsFold()
    for offset, event in enumerate(events):
        fold.apply(REACTIONS.name, offset, event)
    return fold


def totals(writes: list[Write]) -> list[TotalsChanged]:
    decoded = [decode(w.value) for w in writes if w.topic == TOTALS.name and w.value is not None]
    return [event for event in decoded if isinstance(event, TotalsChanged)]


def rows(writes: list[Write]) -> dict[bytes, bytes | None]:
    return {w.key: w.value for w in writes if w.topic == REACTIONS_STATE.name}


def test_totals_are_absolute_and_tell_their_offset() -> None:
    fold = fold_of(batch(1, like("g_1"), like("g_2"), hearts(3)), batch(2, like("g_2", liked=False), hearts(2, "fire")))
    assert totals(fold.take()) == [
        TotalsChanged(
            video_id="video-a",
            channel="ann",
            as_of_offset=1,
            as_of_ms=2,
            likes=1,
            reactions={"heart": 3, "fire": 2},
            comment_likes={},
        )
    ]
    assert fold.take() == []


def test_only_comments_whose_likes_changed_are_told() -> None:
    fold = fold_of(batch(1, like("g_1", "comment-1"), like("g_1", "comment-2")))
    assert totals(fold.take())[0].comment_likes == {"comment-1": 1, "comment-2": 1}
    fold.apply(REACTIONS.name, 1, batch(2, like("g_1", "comment-1", liked=False), like("g_1", "comment-2")))
    assert totals(fold.take())[0].comment_likes == {"comment-1": 0}


def test_a_batch_that_comes_again_counts_once_and_writes_nothing() -> None:
    fold = fold_of(batch(1, hearts(1)), batch(2, hearts(1)))
    fold.take()
    for offset, number in enumerate((2, 1, 2), start=2):
        fold.apply(REACTIONS.name, offset, batch(number, hearts(1), like("g_9")))
    assert fold.take() == []


def test_batches_are_numbered_by_gateway_and_video() -> None:
    fold = fold_of(batch(1, hearts(1)), batch(1, hearts(1), gateway_id="g2"), batch(1, hearts(1), video_id="video-b"))
    assert {t.video_id: t.reactions["heart"] for t in totals(fold.take())} == {"video-a": 2, "video-b": 1}


def test_the_likes_of_a_transaction_are_one_row() -> None:
    fold = fold_of(batch(1, like("g_1"), like("g_2"), like("g_2"), like("g_3", "comment-1")))
    assert rows(fold.take()).keys() == {b"t/video-a", b"c/video-a/0"}
    fold.apply(REACTIONS.name, 1, batch(2, like("g_1", liked=False), like("g_8", liked=False)))
    assert rows(fold.take()).keys() == {b"t/video-a", b"c/video-a/1"}
    fold.apply(REACTIONS.name, 2, batch(3, like("g_2")))
    assert rows(fold.take()).keys() == {b"t/video-a"}, "it was so"


@pytest.mark.parametrize(
    ("reaction", "counted"),
    [
        (hearts(100), {"heart": 100}),
        (hearts(101), {"heart": 100}),
        (hearts(0), {}),
        (hearts(-5), {}),
        (hearts(1, "skull"), {}),
    ],
)
def test_a_reaction_is_of_a_known_kind_and_counts_at_most_a_hundred(
    reaction: Reaction, counted: dict[str, int]
) -> None:
    assert totals(fold_of(batch(1, reaction)).take())[0].reactions == counted


@pytest.mark.parametrize("wrong", [like(""), like("g" * 65), like("g_1", "short"), like("g_1", "with/a/slash")])
def test_a_like_of_a_malformed_user_or_comment_is_not_counted(wrong: Like) -> None:
    fold = fold_of(batch(1, wrong))
    writes = fold.take()
    assert (totals(writes)[0].likes, totals(writes)[0].comment_likes) == (0, {})
    assert rows(writes).keys() == {b"t/video-a"}


def test_likes_past_the_bound_are_not_counted_until_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likes, "MAX_LIKES", 2)
    fold = fold_of(batch(1, like("g_1"), like("g_2", "comment-1"), like("g_3")))
    assert totals(fold.take())[0].likes == 1
    fold.apply(REACTIONS.name, 1, batch(2, like("g_2", "comment-1", liked=False), like("g_3")))
    assert totals(fold.take())[0].likes == 2


def test_the_gateway_that_was_silent_longest_is_forgotten() -> None:
    runs = [batch(1, hearts(1), gateway_id=f"g{n}") for n in range(MAX_GATEWAYS)]
    fold = fold_of(*runs, batch(2, hearts(1), gateway_id="g0"), batch(1, hearts(1), gateway_id="new"))
    fold.take()
    for gateway_id, known in (("g0", True), ("g1", False)):
        fold.apply(REACTIONS.name, 99, batch(1, hearts(1), gateway_id=gateway_id))
        assert (fold.take() == []) is known


def test_likes_of_very_many_comments_are_told_in_several_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "MAX_COMMENTS_PER_EVENT", 2)
    told = totals(fold_of(batch(1, *(like("g_1", f"comment-{n}") for n in range(5)))).take())
    assert [len(event.comment_likes) for event in told] == [2, 2, 1]
    assert len({event.as_of_offset for event in told}) == 1
    assert {key for event in told for key in event.comment_likes} == {f"comment-{n}" for n in range(5)}


def test_an_event_of_another_kind_is_refused() -> None:
    closed = GopClosed(
        video_id="v", channel="c", gop=0, first_segment=0, last_segment=0, video_chunks=0, audio_chunks=0
    )
    with pytest.raises(FoldError, match=r"expected ReactionsRecorded or .*, found GopClosed"):
        ReactionsFold().apply(REACTIONS.name, 0, closed)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.builds(
                like,
                st.sampled_from(["g_1", "g_2", "g_3"]),
                st.none() | st.sampled_from(["comment-1", "comment-2"]),
                liked=st.booleans(),
            )
            | st.builds(hearts, st.integers(1, 100), st.sampled_from(sorted(KINDS))),
            max_size=6,
        ),
        max_size=12,
    ),
    st.data(),
)
def test_totals_are_those_of_a_plain_count_whatever_is_repeated(
    batches: list[list[Like | Reaction]], data: st.DataObject
) -> None:
    events = [batch(number, *items) for number, items in enumerate(batches, start=1)]
    sent = list(events)
    for event in data.draw(st.lists(st.sampled_from(events), max_size=8)) if events else []:
        first = sent.index(event)
        sent.insert(data.draw(st.integers(first + 1, len(sent))), event)  # a repeat comes after its original
    kept = {target: n for event in totals(fold_of(*sent).take()) for target, n in event.comment_likes.items() if n}
    last = totals(fold_of(*sent).take())[-1:]
    standing: dict[str | None, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for item in (item for items in batches for item in _as_recorded(items)):
        if isinstance(item, Reaction):
            counts[item.kind] += item.count
        elif item.liked:
            standing[item.comment_id].add(item.user_id)
        else:
            standing[item.comment_id].discard(item.user_id)
    assert [(event.likes, event.reactions) for event in last] == ([(len(standing[None]), counts)] if events else [])
    assert kept == {target: len(users) for target, users in standing.items() if target and users}


def _as_recorded(items: list[Like | Reaction]) -> list[Like | Reaction]:
    return [i for i in items if isinstance(i, Like)] + [i for i in items if isinstance(i, Reaction)]
