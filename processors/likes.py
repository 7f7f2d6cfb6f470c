"""Who likes a video and its comments, and the state rows of that: few of them, whatever is liked. Pure.

A row for each like would be simple; but a record is what costs, not its bytes. So what changed between two transactions
is one row, `c/VIDEO/NUMBER`, and when as much has changed as there was, all likes that stand are written anew as
`b/VIDEO/NUMBER` and the changes so far deleted. A like is written some three times in all, in records of thousands, and
a million of them is read back in a second.

Both kinds have the same values: by comment (`""`: the video itself) who likes it, and who does not any more. A state is
built from the `b` rows in any order, then the `c` rows by number. Rows `l/VIDEO/COMMENT/USER`, one a like, were written
before; they are read first, and go when all is written anew.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from processors.fold import pack_row, row_key, unpack_row
from schemas.ids import COMMENT_ID
from schemas.reaction_batch import VIDEO_ITSELF, Wish

MAX_LIKES: Final = 3_000_000
"""Likes that stand at a time, a video and its comments; more are not counted."""
MAX_USER_ID: Final = 64
LEAST_CHANGES: Final = 1_000
"""With fewer changes all is never written anew."""
LIKES_PER_ROW: Final = 4_000
"""With the longest ids a row has half a megabyte; mostly 100 kB."""

Rows = dict[str, bytes | None]
Changes = list[tuple[str, list[str], list[str]]]
"""Comment, who likes it, who does not any more."""


class Likes:
    """The likes of one video."""

    def __init__(self, video_id: str) -> None:
        self._video_id = video_id
        self._users: dict[str, set[str]] = {}
        self._standing = 0
        self._changed: dict[str, dict[str, bool]] = {}
        self._base_rows = self._base_likes = 0
        self._change_rows = range(0)
        self._changes = 0
        self._old_rows: list[str] = []

    def wish(self, wishes: Iterable[Wish]) -> None:
        """Bring likes to the wanted state, one after the other."""
        target, users, changed = None, set[str](), dict[str, bool]()
        for user_id, wanted, liked in wishes:
            if wanted != target:
                if wanted not in self._users and not (
                    liked and (wanted == VIDEO_ITSELF or COMMENT_ID.fullmatch(wanted))
                ):
                    continue  # it cannot be, or nobody liked it
                target = wanted
                users, changed = self._users.setdefault(target, set()), self._changed.setdefault(target, {})
            if liked == (user_id in users):
                continue
            if not liked:
                users.remove(user_id)
                self._standing -= 1
            elif self._standing < MAX_LIKES and 0 < len(user_id) <= MAX_USER_ID:
                users.add(user_id)
                self._standing += 1
            else:
                continue
            changed[user_id] = liked

    def of(self, target: str) -> int:
        """How many users like a comment, or the video itself."""
        return len(self._users.get(target, ()))

    def changed_comments(self) -> list[str]:
        """The comments whose likes changed since rows were taken."""
        return sorted(target for target, changed in self._changed.items() if changed and target)

    # -- rows

    def take(self, rows: Rows) -> None:
        """Add the rows that changed since the last time."""
        changes = [(target, *_by_wish(changed)) for target, changed in self._changed.items() if changed]
        self._changed = {}
        for target in [target for target, _, unliked in changes if unliked and not self._users[target]]:
            del self._users[target]
        if not changes:
            return
        self._changes += sum(len(liked) + len(unliked) for _, liked, unliked in changes)
        if self._changes > max(LEAST_CHANGES, self._base_likes):
            self._write_anew(rows)
            return
        begin = self._change_rows.stop
        for number, some in enumerate(_cut(changes), start=begin):
            rows[self._key("c", number)] = pack_row(some)
            self._change_rows = range(self._change_rows.start, number + 1)

    def gone(self) -> list[str]:
        """The keys of all rows that there may be."""
        base = [self._key("b", number) for number in range(self._base_rows)]
        return base + [self._key("c", number) for number in self._change_rows] + self._old_rows

    def load(self, rows: Iterable[tuple[str, str, bytes | None]]) -> None:
        """Build the likes from their rows: the kind, the key after the video, and the value."""
        left: dict[tuple[str, str], bytes] = {}
        for kind, key, value in rows:
            if value is None:
                left.pop((kind, key), None)
            else:
                left[kind, key] = value
        for _, key in (place for place in left if place[0] == "l"):
            self._old_rows.append(row_key("l", self._video_id, key))
            target, _, user_id = key.partition("/")
            self._take_changes([(target, [user_id], [])])
        base, changes = ({int(key): left[kind, key] for kind, key in left if kind == wanted} for wanted in "bc")
        for value in base.values():
            self._take_changes(unpack_row(value)[0])
        self._base_rows, self._base_likes = len(base), self._count()
        for number in sorted(changes):
            self._changes += self._take_changes(unpack_row(changes[number])[0])
        self._change_rows = range(min(changes, default=0), max(changes, default=-1) + 1)
        self._standing = self._count()

    def _write_anew(self, rows: Rows) -> None:
        standing: Changes = [(target, list(users), []) for target, users in self._users.items() if users]
        written = 0
        for written, some in enumerate(_cut(standing), start=1):
            rows[self._key("b", written - 1)] = pack_row(some)
        gone = [self._key("b", number) for number in range(written, self._base_rows)]
        gone += [self._key("c", number) for number in self._change_rows]
        rows.update(dict.fromkeys(gone + self._old_rows))
        self._base_rows, self._base_likes = written, self._standing
        self._change_rows = range(self._change_rows.stop, self._change_rows.stop)
        self._changes, self._old_rows = 0, []

    def _take_changes(self, changes: Changes) -> int:
        """Change the sets alone; how much changed."""
        for target, liked, unliked in changes:
            users = self._users.setdefault(target, set())
            users.update(liked)
            users.difference_update(unliked)
        return sum(len(liked) + len(unliked) for _, liked, unliked in changes)

    def _count(self) -> int:
        return sum(map(len, self._users.values()))

    def _key(self, kind: str, number: int) -> str:
        return row_key(kind, self._video_id, str(number))


def _by_wish(changed: dict[str, bool]) -> tuple[list[str], list[str]]:
    if all(changed.values()):
        return list(changed), []
    return [user for user, liked in changed.items() if liked], [user for user, liked in changed.items() if not liked]


def _cut(changes: Changes) -> Iterator[Changes]:
    """The changes in rows of at most `LIKES_PER_ROW`."""
    row, room = list[tuple[str, list[str], list[str]]](), LIKES_PER_ROW
    for target, liked, unliked in changes:
        at, end = 0, len(liked) + len(unliked)
        while at < end:
            some = liked[at : at + room]
            after = max(0, at - len(liked))
            others = unliked[after : after + room - len(some)]
            row.append((target, some, others))
            at += len(some) + len(others)
            room -= len(some) + len(others)
            if not room:
                yield row
                row, room = [], LIKES_PER_ROW
    if row:
        yield row
