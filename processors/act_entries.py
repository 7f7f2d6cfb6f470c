"""The acts on one thing (a comment, a user, an address), in order, and what they come to together.

Nothing is ever undone by remembering what was before: each thing keeps the acts that touched it, an act that is taken
back is switched off, and what is in force follows from those that are on. So acts may be taken back in any order, and
again brought to force, and what remains is what there would be without them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from schemas.events import Act

MAX_ENTRIES: Final = 16
"""Acts remembered of one thing; of more, those go first that change nothing."""

CLEARED: Final = {
    Act.SHOW: frozenset({Act.HIDE, Act.HIDE_USER, Act.APPROVE}),
    Act.SHOW_USER: frozenset({Act.HIDE_USER}),
    Act.UNTIMEOUT: frozenset({Act.TIMEOUT}),
    Act.UNBAN: frozenset({Act.BAN}),
    Act.UNBAN_ADDRESS: frozenset({Act.BAN_ADDRESS}),
}
"""What each act ends that came before it; the other kinds begin something."""


@dataclass(slots=True)
class Entry:
    """One act on a thing.

    Attributes:
        act_id: which.
        kind: what it did.
        until_ms: event time at which it lapses; 0: never.
        on: it was not taken back.
    """

    act_id: str
    kind: Act
    until_ms: int = 0
    on: bool = True


def in_force(entries: Iterable[Entry]) -> list[Entry]:
    """The acts that hold now. An approval that was taken back holds a comment back as if it were hidden."""
    found: list[Entry] = []
    for entry in entries:
        cleared = CLEARED.get(entry.kind)
        if cleared is None:
            if entry.on is not (entry.kind is Act.APPROVE):
                found.append(entry)
        elif entry.on:
            found = [earlier for earlier in found if earlier.kind not in cleared]
    return found


def effect(entries: Iterable[Entry]) -> dict[Act, float]:
    """Until when each kind holds, ms; infinite: until it is taken back."""
    found: dict[Act, float] = {}
    for entry in in_force(entries):
        found[entry.kind] = max(found.get(entry.kind, 0), entry.until_ms or inf)
    return found


def add(entries: list[Entry], entry: Entry) -> None:
    """Append an act; beyond `MAX_ENTRIES` the oldest goes without which the effect is the same."""
    entries.append(entry)
    while len(entries) > MAX_ENTRIES:
        now = effect(entries)
        del entries[next((at for at in range(MAX_ENTRIES) if effect(entries[:at] + entries[at + 1 :]) == now), 0)]


def switch(entries: Iterable[Entry], act_id: str, *, on: bool) -> None:
    """Take the effect of an act away, or bring it back."""
    for entry in entries:
        if entry.act_id == act_id:
            entry.on = on


def packed(entries: Iterable[Entry]) -> list[list[Any]]:
    """Entries as the values of a state row."""
    return [[entry.act_id, entry.kind.value, entry.until_ms, entry.on] for entry in entries]


def unpacked(rows: Iterable[Sequence[Any]]) -> list[Entry]:
    """Entries of a state row."""
    return [Entry(act_id, Act(kind), until_ms, on) for act_id, kind, until_ms, on in rows]
