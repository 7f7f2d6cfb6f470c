"""What moderators of every channel have ordered, as a partition remembers it: acts, sanctions, rules, who is known.

Rows of `comments.state`, each deleted when it is forgotten:

- `a/ACT`: an act, with those that took it back. The last 50,000: a repeat of an older one would be a new act, and it
  cannot be taken back any more (30 MB).
- `s/CHANNEL/u:USER`, `s/CHANNEL/a:ADDRESS`: the acts on a user or an address; the 100,000 that acts were about last (40 MB).
- `r/CHANNEL/ACT`: rules; the last `MAX_RULES` of each channel.
- `k/CHANNEL/USER`: a user whose first comment has passed, in channels that review it; the last 100,000 (20 MB).

An act on a whole channel is in every partition, so every partition knows all sanctions and rules.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from processors.act_entries import Entry, add, effect, packed, switch, unpacked
from processors.comment_rules import MAX_BANNED, MAX_USER_ID, Rules
from processors.fold import FoldError, pack_row, row_key
from processors.state_rows import MAX_ROW_BYTES, StateRows
from processors.word_patterns import MAX_PATTERN, MAX_PHRASES
from schemas.events import Act, ChannelRules, ModerationActed

MAX_ACTS: Final = 50_000
MAX_OFFS: Final = 8
MAX_TARGETS: Final = 100_000
MAX_KNOWN: Final = 100_000
MAX_RULES: Final = 10


@dataclass(slots=True, eq=False)
class Ordered:
    """An act that was done; `off`: the acts that take it back and are in force themselves."""

    act_id: str
    offset: int
    kind: Act
    channel: str
    video_id: str
    comment_id: str
    user_id: str
    address: str
    undoes: str
    off: list[str] = field(default_factory=list)

    def packed(self) -> tuple[Any, ...]:
        """The values of its row."""
        whom = (self.channel, self.video_id, self.comment_id, self.user_id, self.address)
        return (self.offset, self.kind.value, *whom, self.undoes, self.off)


class Acts:
    """The acts by id."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows
        self._known: OrderedDict[str, Ordered] = OrderedDict()

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """Build from the rows `a`."""
        for act_id, (offset, kind, *rest) in sorted(rows.items(), key=lambda row: row[1][0]):
            self._known[act_id] = Ordered(act_id, offset, Act(kind), *rest)

    def get(self, act_id: str) -> Ordered | None:
        """A remembered act."""
        return self._known.get(act_id)

    def note(self, act: ModerationActed, offset: int) -> Ordered:
        """Remember an act. What it takes back must be an act of the channel from before, else it takes back nothing."""
        undone = self._known.get(act.undoes)
        undoes = act.undoes if undone is not None and undone.channel == act.channel else ""
        whom = (act.channel, act.video_id, act.comment_id, act.user_id, act.address)
        noted = self._known[act.act_id] = Ordered(act.act_id, offset, act.kind, *whom, undoes)
        self._rows.later(f"a/{act.act_id}", noted.packed)
        while len(self._known) > MAX_ACTS:
            self._rows.drop(f"a/{self._known.popitem(last=False)[0]}")
        return noted

    def forget(self, video_id: str) -> None:
        """Forget the acts on a video that is gone: nothing is left that they could be taken back from."""
        for act_id in [act.act_id for act in self._known.values() if act.video_id == video_id]:
            del self._known[act_id]
            self._rows.drop(f"a/{act_id}")

    def turned(self, act: Ordered, by: str, *, off: bool) -> bool:
        """Let `by` take an act back, or not any more; gives whether the act's effect changes by that."""
        was = bool(act.off)
        others = [other for other in act.off if other != by]
        act.off = [*others, by][:MAX_OFFS] if off else others
        self._rows.later(f"a/{act.act_id}", act.packed)
        return bool(act.off) is not was


@dataclass(slots=True, eq=False)
class Target:
    """A user or an address of a channel, and the acts on it; `offset` of the last one."""

    key: str
    offset: int
    acts: list[Entry]


class Sanctions:
    """Who is banned and timed out in which channel."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows
        self._targets: OrderedDict[str, Target] = OrderedDict()

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """Build from the rows `s`."""
        for key, (offset, acts) in sorted(rows.items(), key=lambda row: (row[1][0], row[0])):
            self._targets[key] = Target(key, offset, unpacked(acts))

    def against(self, channel: str, user_id: str, address: str) -> dict[Act, float]:
        """What is in force against a writer: until when, event time in ms, by kind."""
        if not self._targets:
            return {}
        user = self._targets.get(_target(channel, user_id, ""))
        found = effect(user.acts) if user is not None else {}
        if address and (source := self._targets.get(_target(channel, "", address))) is not None:
            found |= effect(source.acts)
        return found

    def note(self, act: Ordered, until_ms: int) -> None:
        """An act on a user or an address."""
        key = _target_of(act)
        target = self._targets.pop(key, None) or Target(key, act.offset, [])
        target.offset = act.offset
        self._targets[key] = target
        add(target.acts, Entry(act.act_id, act.kind, until_ms))
        self._changed(target)
        while len(self._targets) > MAX_TARGETS:
            self._rows.drop(f"s/{self._targets.popitem(last=False)[0]}")

    def switch(self, act: Ordered, *, on: bool) -> None:
        """Take such an act back, or bring it back."""
        target = self._targets.get(_target_of(act))
        if target is not None:
            switch(target.acts, act.act_id, on=on)
            self._changed(target)

    def _changed(self, target: Target) -> None:
        self._rows.later(f"s/{target.key}", lambda: (target.offset, packed(target.acts)))


def _target_of(act: Ordered) -> str:
    of_address = act.kind in {Act.BAN_ADDRESS, Act.UNBAN_ADDRESS}
    return _target(act.channel, "" if of_address else act.user_id, act.address if of_address else "")


def _target(channel: str, user_id: str, address: str) -> str:
    return row_key(channel, f"u:{user_id}" if user_id else f"a:{address}")


@dataclass(slots=True, eq=False)
class RulesOrdered:
    """Rules that a channel was given, by an act that is on or was taken back."""

    act_id: str
    offset: int
    rules: dict[str, Any]
    on: bool = True


class RulesInForce:
    """The rules of every channel."""

    def __init__(self, rows: StateRows, otherwise: ChannelRules) -> None:
        self._rows = rows
        self._otherwise = Rules(otherwise)
        self._ordered: dict[str, list[RulesOrdered]] = {}
        self._made: dict[str, Rules] = {}

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """Build from the rows `r`."""
        for key, (offset, on, rules) in sorted(rows.items(), key=lambda row: row[1][0]):
            channel, _, act_id = key.partition("/")
            self._ordered.setdefault(channel, []).append(RulesOrdered(act_id, offset, rules, on))

    def of(self, channel: str) -> Rules:
        """The rules that hold in a channel now."""
        if channel not in self._ordered:
            return self._otherwise
        rules = self._made.get(channel)
        if rules is None:
            last = next((ordered for ordered in reversed(self._ordered[channel]) if ordered.on), None)
            rules = self._made[channel] = self._otherwise if last is None else Rules(ChannelRules(**last.rules))
        return rules

    def note(self, act: Ordered, rules: dict[str, Any]) -> None:
        """New rules; of more than `MAX_RULES` the oldest go."""
        ordered = RulesOrdered(act.act_id, act.offset, rules)
        mine = self._ordered.setdefault(act.channel, [])
        mine.append(ordered)
        self._changed(act.channel, ordered)
        while len(mine) > MAX_RULES:
            self._rows.drop(row_key("r", act.channel, mine.pop(0).act_id))

    def switch(self, act: Ordered, *, on: bool) -> None:
        """Take rules back: those before hold again; or bring them back."""
        for ordered in self._ordered.get(act.channel, []):
            if ordered.act_id == act.act_id:
                ordered.on = on
                self._changed(act.channel, ordered)

    def _changed(self, channel: str, ordered: RulesOrdered) -> None:
        self._made.pop(channel, None)
        key = row_key("r", channel, ordered.act_id)
        self._rows.later(key, lambda: (ordered.offset, ordered.on, ordered.rules))


def rules_row(rules: ChannelRules) -> dict[str, Any]:
    """Rules as values of a row, cut to the limits.

    Raises:
        FoldError: they are larger than a row may be.
    """
    lists = {
        name: tuple(word for word in getattr(rules, name) if len(word) <= most_characters)[:most]
        for name, most_characters, most in (
            ("blocked", MAX_PATTERN, MAX_PHRASES),
            ("held", MAX_PATTERN, MAX_PHRASES),
            ("banned", MAX_USER_ID, MAX_BANNED),
        )
    }
    values = asdict(rules) | lists
    if (size := len(pack_row(values))) > MAX_ROW_BYTES:
        raise FoldError(f"expected rules of at most {MAX_ROW_BYTES} bytes, found {size}")
    return values


class KnownWriters:
    """Users of whom a comment has passed in a channel that reviews the first."""

    def __init__(self, rows: StateRows) -> None:
        self._rows = rows
        self._known: OrderedDict[str, int] = OrderedDict()

    def load(self, rows: Mapping[str, list[Any]]) -> None:
        """Build from the rows `k`."""
        self._known.update(sorted(((key, offset) for key, (offset,) in rows.items()), key=lambda row: row[1]))

    def has(self, channel: str, user_id: str) -> bool:
        """Whether a comment of the user has passed."""
        return row_key(channel, user_id) in self._known

    def add(self, channel: str, user_id: str, offset: int) -> None:
        """A comment of the user has passed."""
        key = row_key(channel, user_id)
        if key in self._known:
            return
        self._known[key] = offset
        self._rows.put(f"k/{key}", pack_row(offset))
        while len(self._known) > MAX_KNOWN:
            self._rows.drop(f"k/{self._known.popitem(last=False)[0]}")

    def discard(self, channel: str, user_id: str) -> None:
        """Forget the user: what let the comment pass was taken back."""
        key = row_key(channel, user_id)
        if self._known.pop(key, None) is not None:
            self._rows.drop(f"k/{key}")
