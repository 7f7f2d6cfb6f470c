"""Polls as viewers see them: the fold of `PollChanged`, and who waits for one to be open. Bounded like the conversation."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, Final

from schemas.events import Event, PollChanged

MAX_VIDEOS: Final = 500


def is_open(poll: PollChanged, now_ms: int) -> bool:
    """Whether votes count still; the log may say so a moment later than the clock."""
    return poll.closed_ms is None and (poll.closes_ms is None or now_ms < poll.closes_ms)


def poll_row(poll: PollChanged, now_ms: int) -> dict[str, Any]:
    """A poll with its bars, as feed and API have it."""
    return {
        "id": poll.poll_id,
        "question": poll.question,
        "options": [{"text": text, "votes": n} for text, n in zip(poll.options, poll.votes, strict=True)],
        "state": "open" if is_open(poll, now_ms) else "closed",
        "opened_ms": poll.opened_ms,
        "closes_ms": poll.closes_ms,
        "closed_ms": poll.closed_ms,
    }


class PollBoard:
    """The polls of all videos; `on_poll` is called after each change, and when the time of one is over."""

    def __init__(self) -> None:
        self._videos: OrderedDict[str, dict[str, PollChanged]] = OrderedDict()
        self._timed: dict[tuple[str, str], int] = {}
        self._waiting: defaultdict[tuple[str, str, bool], list[asyncio.Future[PollChanged]]] = defaultdict(list)
        self.on_poll: Callable[[PollChanged], None] = lambda _: None

    def apply(self, event: Event, _place: object = None) -> None:
        """Fold an event of `totals`; others than polls are passed over."""
        if not isinstance(event, PollChanged):
            return
        polls = self._videos.setdefault(event.video_id, {})
        self._videos.move_to_end(event.video_id)
        known = polls.get(event.poll_id)
        if known is not None and known.as_of_offset > event.as_of_offset:
            return
        polls[event.poll_id] = event
        self._note_time(event)
        if len(self._videos) > MAX_VIDEOS:
            self._videos.popitem(last=False)
        self.on_poll(event)
        for closed in (False, True)[: 1 + (event.closed_ms is not None)]:
            for waiter in self._waiting.pop((event.video_id, event.poll_id, closed), []):
                if not waiter.done():
                    waiter.set_result(event)

    def forget(self, video_id: str) -> None:
        """A video that was removed."""
        for poll_id in self._videos.pop(video_id, {}):
            self._timed.pop((video_id, poll_id), None)

    def of_video(self, video_id: str) -> list[PollChanged]:
        """The polls of a video, oldest first."""
        return sorted(self._videos.get(video_id, {}).values(), key=lambda poll: (poll.opened_ms, poll.poll_id))

    def get(self, video_id: str, poll_id: str) -> PollChanged | None:
        """One poll."""
        return self._videos.get(video_id, {}).get(poll_id)

    def changed(self, video_id: str, poll_id: str, *, closed: bool) -> asyncio.Future[PollChanged]:
        """A future of a poll once it is there, or closed; cancel it when nobody waits any more."""
        key = (video_id, poll_id, closed)
        future: asyncio.Future[PollChanged] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)
        future.add_done_callback(lambda done: self._forget(key, done))
        return future

    def tick(self, now_ms: int) -> None:
        """Tell of those whose time is over, once."""
        for key in [key for key, closes_ms in self._timed.items() if closes_ms <= now_ms]:
            del self._timed[key]
            poll = self.get(*key)
            if poll is not None and poll.closed_ms is None:
                self.on_poll(poll)

    def _note_time(self, poll: PollChanged) -> None:
        key = poll.video_id, poll.poll_id
        if poll.closed_ms is not None:
            self._timed.pop(key, None)
        elif poll.closes_ms is not None:
            self._timed[key] = poll.closes_ms

    def _forget(self, key: tuple[str, str, bool], future: asyncio.Future[PollChanged]) -> None:
        waiters = self._waiting.get(key)
        if waiters is not None and future in waiters:
            waiters.remove(future)
            if not waiters:
                del self._waiting[key]
