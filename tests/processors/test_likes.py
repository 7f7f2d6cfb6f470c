"""Likes are the same after any restart, however many rows they were written in, and those rows are few."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors import likes as module
from processors.fold import pack_row
from processors.likes import Likes
from schemas.reaction_batch import Wish

VIDEO = "video-a"
COMMENT = "comment-1"
wishes = st.tuples(
    st.sampled_from([f"g_{n}" for n in range(6)]), st.sampled_from(["", COMMENT, "comment-2"]), st.booleans()
)


def reopened(rows: dict[str, bytes | None]) -> Likes:
    """A new process: the compacted topic in any order, tombstones gone."""
    made = Likes(VIDEO)
    parts = [(key.split("/", 2), value) for key, value in sorted(rows.items()) if value is not None]
    made.load((kind, rest, value) for (kind, _, rest), value in parts)
    return made


def counts(likes: Likes) -> dict[str, int]:
    return {target: likes.of(target) for target in ("", COMMENT, "comment-2")}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(wishes, max_size=8), st.booleans()), max_size=20), st.integers(1, 4))
def test_any_wishes_and_restarts_leave_who_wished_it_last(
    steps: list[tuple[list[Wish], bool]], likes_per_row: int
) -> None:
    truth: dict[str, set[str]] = {"": set(), COMMENT: set(), "comment-2": set()}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "LEAST_CHANGES", 4)
        patched.setattr(module, "LIKES_PER_ROW", likes_per_row)
        likes, rows = Likes(VIDEO), dict[str, bytes | None]()
        for wanted, restarts in steps:
            for user_id, target, liked in wanted:
                truth[target].add(user_id) if liked else truth[target].discard(user_id)
            likes.wish(wanted)
            likes.take(rows)
            if restarts:
                likes = reopened(rows)
            assert counts(likes) == {target: len(users) for target, users in truth.items()}
        assert counts(reopened(rows)) == counts(likes)


def test_a_million_wishes_are_kept_in_rows_of_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_CHANGES", 10)
    likes, kept, written = Likes(VIDEO), dict[str, bytes | None](), 0
    for step in range(200):
        likes.wish([(f"g_{step}_{n}", "", True) for n in range(50)])
        rows = dict[str, bytes | None]()
        likes.take(rows)
        written += sum(len(value or b"") for value in rows.values())
        kept |= rows
    assert likes.of("") == 10_000
    assert written < 4 * 10_000 * len('"g_199_49",')
    toggling = dict[str, bytes | None]()
    for step in range(1_000):
        likes.wish([(f"g_0_{n}", "", step % 2 > 0) for n in range(50)])
        likes.take(toggling)
    kept |= toggling
    assert len([value for value in kept.values() if value is not None]) < 450, "rows go, however often somebody changes"
    assert counts(reopened(kept)) == counts(likes)


def test_rows_of_one_like_each_from_before_are_read_and_go_when_all_is_written_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LEAST_CHANGES", 2)
    rows: dict[str, bytes | None] = {f"l/{VIDEO}//g_{n}": pack_row() for n in range(3)}
    rows[f"l/{VIDEO}/{COMMENT}/g_0"] = pack_row()
    likes = reopened(rows)
    assert counts(likes) == {"": 3, COMMENT: 1, "comment-2": 0}
    likes.wish([("g_0", "", False)])
    likes.take(rows)
    assert counts(reopened(rows)) == {"": 2, COMMENT: 1, "comment-2": 0}
    likes.wish([(f"g_{n}", "", True) for n in range(5, 9)])
    likes.take(rows)
    assert {key for key, value in rows.items() if value is not None} == {f"b/{VIDEO}/0"}
    assert counts(reopened(rows)) == {"": 6, COMMENT: 1, "comment-2": 0}


def test_taking_back_what_nobody_liked_keeps_nothing() -> None:
    likes, rows = Likes(VIDEO), dict[str, bytes | None]()
    likes.wish([(f"g_{n}", f"comment-{n}", False) for n in range(100)])
    likes.take(rows)
    assert rows == {}
    assert likes.changed_comments() == []
