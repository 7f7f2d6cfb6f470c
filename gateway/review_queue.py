"""The comments that wait for a moderator: a fold of `comments.review` and of what was done about them (`moderation`).

What was told of a comment last says whether it waits. A decision is known a moment before that: the two topics have no
order between them, so a comment that waits is listed unless an act that holds approves or declines it.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, TypeVar

from schemas.acts import in_force
from schemas.events import Act, CommentHeld, Event, ModerationActed, Queued

HELD_MS: Final = 7 * 24 * 3_600_000
MAX_HELD: Final = 2_000
"""Comments of a channel; as many as a partition lets wait (`processors.comment_queue`)."""
MAX_CHANNELS: Final = 1_000
MAX_DECISIONS: Final = 10_000
DECISIONS: Final = frozenset({Act.APPROVE, Act.DECLINE})

Key = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V")


class ReviewQueue:
    """The queues of all channels."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, OrderedDict[Key, CommentHeld]] = OrderedDict()
        self._decisions: OrderedDict[str, OrderedDict[str, ModerationActed]] = OrderedDict()

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold a held comment or an act; repeats change nothing."""
        if isinstance(event, CommentHeld):
            queue = self._held.setdefault(event.channel, OrderedDict())
            if event.state is not Queued.WAITING:
                queue.pop((event.video_id, event.comment_id), None)
                return
            queue[event.video_id, event.comment_id] = event
            _trim(queue, MAX_HELD)
            _trim(self._held, MAX_CHANNELS)
        elif isinstance(event, ModerationActed) and event.kind in DECISIONS:
            acts = self._decisions.setdefault(event.channel, OrderedDict())
            acts[event.act_id] = event
            _trim(acts, MAX_DECISIONS)
            _trim(self._decisions, MAX_CHANNELS)

    def of(self, channel: str) -> list[CommentHeld]:
        """What waits in a channel, oldest first."""
        return self._undecided(channel, self._of_channel(channel))

    def of_user(self, channel: str, video_id: str, user_id: str) -> list[CommentHeld]:
        """What of a user waits on a video, oldest first."""
        held = self._of_channel(channel)
        return self._undecided(
            channel,
            {key: event for key, event in held.items() if (event.video_id, event.user_id) == (video_id, user_id)},
        )

    def get(self, channel: str, video_id: str, comment_id: str) -> CommentHeld | None:
        """A comment that waits."""
        event = self._of_channel(channel).get((video_id, comment_id))
        found = {} if event is None else self._undecided(channel, {(video_id, comment_id): event})
        return event if found else None

    def _of_channel(self, channel: str) -> Mapping[Key, CommentHeld]:
        return self._held.get(channel, OrderedDict())

    def _undecided(self, channel: str, held: Mapping[Key, CommentHeld]) -> list[CommentHeld]:
        if not held:
            return []
        acts = in_force(list(self._decisions.get(channel, {}).values())).values()
        settled = {(act.video_id, act.comment_id) for act in acts}
        return [event for key, event in held.items() if key not in settled]


def _trim(held: OrderedDict[K, V], most: int) -> None:
    while len(held) > most:
        held.popitem(last=False)
