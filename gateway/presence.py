"""Who watches what through this gateway, said to the log every few seconds as `PresenceRecorded`.

A viewer is a 64-bit keyed hash (of a user, or of the address and browser of somebody who only plays), the same on every
gateway that has the same secret: it counts one person once, and names nobody. Who listens to a channel watches its
current video. Pure but for its state: time is given.
"""

import hmac
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from schemas.events import PresenceRecorded, VideoChanged

REPORT_S: Final = 2.0
AGAIN_MS: Final = 5_000
"""What has not changed is said again so often: a third of the time after which it lapses (`processors.viewers`)."""
MAX_JOINED: Final = 4_096
"""Hashes in one event, 32 KiB."""
HASH_BYTES: Final = 8

Place = tuple[str, str | None]
"""A channel, and the video if it is to be this one only."""


@dataclass(slots=True)
class Told:
    """What the log knows of a video."""

    viewers: int = 0
    at_ms: int = 0
    known: set[int] = field(default_factory=set)


class Presence:
    """The viewers of this gateway.

    Args:
        run_id: names this run of the gateway.
        secret: of all gateways.
        current: the current video of a channel.
        get: a video by id.
    """

    def __init__(
        self,
        run_id: str,
        secret: bytes,
        current: Callable[[str], VideoChanged | None],
        get: Callable[[str], VideoChanged | None],
    ) -> None:
        self._run_id = run_id
        self._key = hmac.digest(secret, b"presence", "sha256")
        self._current = current
        self._get = get
        self._here: defaultdict[Place, dict[int, int]] = defaultdict(dict)
        self._told: dict[str, Told] = {}

    def hash_of(self, viewer: str) -> int:
        """What stands for a viewer."""
        return int.from_bytes(blake2b(viewer.encode(), digest_size=HASH_BYTES, key=self._key).digest(), "big")

    def came(self, place: Place, viewer: int) -> None:
        """Somebody begins to watch; as often as they like, `went` as often."""
        here = self._here[place]
        here[viewer] = here.get(viewer, 0) + 1

    def went(self, place: Place, viewer: int) -> None:
        """Somebody watches no more."""
        here = self._here.get(place, {})
        left = here.pop(viewer, 1) - 1
        if left > 0:
            here[viewer] = left
        if not here:
            self._here.pop(place, None)

    def reports(self, now_ms: int) -> list[PresenceRecorded]:
        """What is to be said now: of each video that changed, or was last told of long ago."""
        watched = self._watched()
        events: list[PresenceRecorded] = []
        for video_id in watched.keys() | self._told.keys():
            video = self._get(video_id)
            if video is None:
                self._told.pop(video_id, None)
            else:
                events += self._report(video, watched.get(video_id, set()), now_ms)
        return events

    def forget(self) -> None:
        """What was said may not have been heard: say all of it again."""
        self._told = {video_id: Told(viewers=-1) for video_id in self._told}

    def _watched(self) -> dict[str, set[int]]:
        watched: defaultdict[str, set[int]] = defaultdict(set)
        for (channel, only), viewers in self._here.items():
            current = self._current(channel) if only is None else None
            video_id = only if only is not None else current.video_id if current is not None else None
            if video_id is not None:
                watched[video_id].update(viewers)
        return watched

    def _report(self, video: VideoChanged, viewers: set[int], now_ms: int) -> Iterable[PresenceRecorded]:
        told = self._told.setdefault(video.video_id, Told())
        new = sorted(viewers - told.known)
        if not new and len(viewers) == told.viewers and now_ms < told.at_ms + AGAIN_MS:
            return
        if viewers:
            told.viewers, told.at_ms, told.known = len(viewers), now_ms, viewers
        else:
            del self._told[video.video_id]
        for at in range(0, max(len(new), 1), MAX_JOINED):
            yield PresenceRecorded(
                video_id=video.video_id,
                channel=video.channel,
                gateway_id=self._run_id,
                recorded_ms=now_ms,
                viewers=len(viewers),
                joined=b"".join(one.to_bytes(HASH_BYTES, "big") for one in new[at : at + MAX_JOINED]),
            )
