"""Who plays without being on the feed: told by who asks for playlists again and again.

A player is an address and a browser (`User-Agent`), as a keyed hash; it plays until it has not asked for `LAPSE_MS`. Several
people behind one address with the same browser are one, and who asks a cache before the gateway is not seen. Bounded.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.identity import address_of

LAPSE_MS: Final = 30_000
"""Three reloads of the longest segments."""
MAX_PLAYERS: Final = 50_000

_TELLING: Final = frozenset({b"user-agent", b"x-forwarded-for"})
Who = tuple[str, bytes]
Player = tuple[int, str]
"""Its hash, and the keyed hash of its address."""


class Players:
    """Those of this gateway.

    Args:
        hash_of: what stands for a viewer (`Presence.hash_of`).
        now_ms: wall clock.
    """

    def __init__(self, hash_of: Callable[[str], int], now_ms: Callable[[], int]) -> None:
        self._hash_of = hash_of
        self._now_ms = now_ms
        self._known: OrderedDict[Who, Player] = OrderedDict()
        self._seen: defaultdict[str, dict[Player, int]] = defaultdict(dict)
        self._count = 0

    def saw(self, video_id: str, scope: Scope) -> None:
        """Somebody asked for a media playlist of a video."""
        player = self._player(scope)
        seen = self._seen[video_id]
        if player not in seen:
            if self._count >= MAX_PLAYERS:
                return
            self._count += 1
        seen[player] = self._now_ms()

    def playing(self) -> dict[str, list[Player]]:
        """By video; who has not asked for long is forgotten."""
        oldest_ms = self._now_ms() - LAPSE_MS
        for video_id, seen in list(self._seen.items()):
            for player in [player for player, at_ms in seen.items() if at_ms < oldest_ms]:
                del seen[player]
                self._count -= 1
            if not seen:
                del self._seen[video_id]
        return {video_id: list(seen) for video_id, seen in self._seen.items()}

    def _player(self, scope: Scope) -> Player:
        """Who asks; the hashes of those who ask often are remembered."""
        client = scope.get("client")
        told = b"\n".join(value for name, value in scope["headers"] if name in _TELLING)
        who = (client[0] if client else "", told)
        player = self._known.get(who)
        if player is None:
            address = address_of(HTTPConnection(scope))
            browser = HTTPConnection(scope).headers.get("user-agent", "")
            player = self._known[who] = (self._hash_of(f"player {address} {browser}"), address)
            if len(self._known) > MAX_PLAYERS:
                self._known.popitem(last=False)
        return player
