from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.act_entries import MAX_ENTRIES, Entry, add, effect, in_force, packed, switch, unpacked
from schemas.events import Act

KINDS = st.sampled_from([Act.HIDE, Act.SHOW, Act.HIDE_USER, Act.SHOW_USER])


def entries(*kinds: Act) -> list[Entry]:
    return [Entry(str(at), kind) for at, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ([Act.HIDE], ["0"]),
        ([Act.HIDE, Act.SHOW], []),
        ([Act.SHOW, Act.HIDE], ["1"]),
        ([Act.HIDE, Act.HIDE_USER, Act.SHOW_USER], ["0"]),
        ([Act.HIDE, Act.HIDE_USER, Act.SHOW], []),
        ([Act.BAN, Act.TIMEOUT, Act.UNTIMEOUT], ["0"]),
        ([Act.BAN_ADDRESS, Act.UNBAN], ["0"]),
        ([Act.APPROVE], []),
    ],
)
def test_an_act_ends_what_it_is_the_opposite_of(kinds: list[Act], left: list[str]) -> None:
    assert [entry.act_id for entry in in_force(entries(*kinds))] == left


def test_an_approval_that_is_taken_back_holds_the_comment_back() -> None:
    acts = entries(Act.APPROVE)
    switch(acts, "0", on=False)
    assert in_force(acts) == acts
    add(acts, Entry("1", Act.SHOW))
    assert in_force(acts) == []


@given(st.lists(KINDS, min_size=1, max_size=5), st.data())
def test_acts_taken_back_in_any_order_leave_what_there_would_be_without_them(
    kinds: list[Act], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.integers(0, len(kinds) - 1)))
    left = effect([entry for at, entry in enumerate(entries(*kinds)) if at not in gone])
    for order in permutations(sorted(gone)):
        acts = entries(*kinds)
        for at in order:
            switch(acts, str(at), on=False)
        assert effect(acts) == left
        for at in order:
            switch(acts, str(at), on=True)
        assert effect(acts) == effect(entries(*kinds))


@given(st.lists(st.builds(Entry, st.text("ab"), st.sampled_from(Act), st.integers(0, 5), st.booleans()), max_size=60))
def test_too_many_acts_lose_those_that_change_nothing(acts: list[Entry]) -> None:
    kept: list[Entry] = []
    for entry in acts:
        before = effect([*kept, entry])
        add(kept, entry)
        assert effect(kept) == before
    assert len(kept) <= MAX_ENTRIES
    assert unpacked(packed(kept)) == kept
