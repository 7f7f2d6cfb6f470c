"""Acts of moderation: which takes which back, and the act that undoes another."""

from dataclasses import replace
from typing import Final

from schemas.events import Act, ModerationActed

OF_COMMENTS: Final = frozenset({Act.HIDE, Act.SHOW, Act.PIN, Act.UNPIN, Act.APPROVE, Act.DECLINE})
"""Acts on one comment; the others are on a user, an address or the rules, and hold in the whole channel."""
OF_USERS: Final = frozenset({Act.TIMEOUT, Act.UNTIMEOUT, Act.BAN, Act.UNBAN, Act.HIDE_USER, Act.SHOW_USER})
OF_ADDRESSES: Final = frozenset({Act.BAN_ADDRESS, Act.UNBAN_ADDRESS})

_PAIRS: Final = (
    (Act.HIDE, Act.SHOW),
    (Act.PIN, Act.UNPIN),
    (Act.APPROVE, Act.DECLINE),
    (Act.TIMEOUT, Act.UNTIMEOUT),
    (Act.BAN, Act.UNBAN),
    (Act.HIDE_USER, Act.SHOW_USER),
    (Act.BAN_ADDRESS, Act.UNBAN_ADDRESS),
)
INVERSE: Final = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])} | {Act.RULES: Act.RULES}
"""What an act that takes another back is called; what it does follows from `undoes` alone."""


def undoing(act: ModerationActed, *, act_id: str, by: str, by_name: str, at_ms: int, reason: str) -> ModerationActed:
    """The act that takes another one back; it goes where that one went."""
    return replace(
        act,
        act_id=act_id,
        kind=INVERSE[act.kind],
        until_ms=0,
        rules=None,
        by=by,
        by_name=by_name,
        at_ms=at_ms,
        reason=reason,
        undoes=act.act_id,
    )


def in_force(acts: list[ModerationActed]) -> dict[str, ModerationActed]:
    """The acts that hold, by id, oldest first: those that no other act that holds takes back. Repeats count once.

    Acts that only take others back are not among them.
    """
    by_id = {act.act_id: act for act in sorted(acts, key=lambda act: act.act_id)}
    off: set[str] = set()
    for act in reversed(by_id.values()):  # whoever takes an act back is younger than it
        if act.undoes and act.act_id not in off:
            off.add(act.undoes)
    return {act_id: act for act_id, act in by_id.items() if act_id not in off and not act.undoes}
