"""Who watches what through this gateway, said to the log every few seconds as `PresenceRecorded`.

A viewer is a 64-bit keyed hash (of a user, or of the address and browser of somebody who only plays), the same on every
gateway that has the same secret: it counts one person once, and names nobody. Who listens to a channel watches its
current video. Who only plays counts as well, unless somebody at the same address is on the feed: then it is most
likely the same person's picture. Pure but for its state: time is given.
"""

import hmac
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, TypeVar

from schemas.events import PresenceRecorded, VideoChanged

REPORT_S: Final = 2.0
AGAIN_MS: Final = 5_000
"""What has not changed is said again so often: a third of the time after which it lapses (`processors.viewers`)."""
MAX_JOINED: Final = 4_096
"""Hashes in one event, 32 KiB."""
HASH_BYTES: Final = 8

K = TypeVar("K")
Place = tuple[str, str | None]
"""A channel, and the video if it is to be this one only."""


Player = tuple[int, str]
"""Who only plays: a hash of them, and of their address."""


@dataclass(slots=True)
class Room:
    """Who is here, with how many connections, and from which addresses."""

    viewers: Counter[int] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)


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
        self._here: defaultdict[Place, Room] = defaultdict(Room)
        self._told: dict[str, Told] = {}

    def hash_of(self, viewer: str) -> int:
        """What stands for a viewer."""
        return int.from_bytes(blake2b(viewer.encode(), digest_size=HASH_BYTES, key=self._key).digest(), "big")

    def came(self, place: Place, viewer: int, address: str = "") -> None:
        """Somebody begins to watch; as often as they like, `went` as often."""
        room = self._here[place]
        room.viewers[viewer] += 1
        room.addresses[address] += 1

    def went(self, place: Place, viewer: int, address: str = "") -> None:
        """Somebody watches no more."""
        room = self._here[place]
        _take_one(room.viewers, viewer)
        _take_one(room.addresses, address)
        if not room.viewers:
            del self._here[place]

    def reports(self, now_ms: int, playing: Mapping[str, Sequence[Player]] = {}) -> list[PresenceRecorded]:
        """What is to be said now: of each video that changed, or was last told of long ago; `playing`: who only plays."""
        watched = self._watched(playing)
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

    def _watched(self, playing: Mapping[str, Sequence[Player]]) -> dict[str, set[int]]:
        watched: defaultdict[str, set[int]] = defaultdict(set)
        addresses: defaultdict[str, set[str]] = defaultdict(set)
        for (channel, only), room in self._here.items():
            current = self._current(channel) if only is None else None
            video_id = only if only is not None else current.video_id if current is not None else None
            if video_id is not None:
                watched[video_id].update(room.viewers)
                addresses[video_id].update(room.addresses)
        for video_id, players in playing.items():
            if alone := [viewer for viewer, address in players if address not in addresses[video_id]]:
                watched[video_id].update(alone)
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


def _take_one(counts: Counter[K], key: K) -> None:
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]
