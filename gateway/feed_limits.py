"""How much of the feed one address and one user may take, over all their connections. One connection's: `gateway/pace.py`."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.rate_limits import RateLimits

USER_MESSAGES_PER_S: Final = 30.0
USER_BURST: Final = 120.0
ADDRESS_MESSAGES_PER_S: Final = 200.0
ADDRESS_BURST: Final = 1_000.0
"""Many people may share an address."""


class TooManyError(RuntimeError):
    """An address has as many connections as it may have."""


class FeedLimits:
    """Counts connections by address, and messages by address and user.

    Args:
        per_address: connections of one address; 0: no limit.
    """

    def __init__(self, per_address: int) -> None:
        self._per_address = per_address
        self._connections: Counter[str] = Counter()
        self._of_user = RateLimits("feed_user", USER_MESSAGES_PER_S, USER_BURST)
        self._of_address = RateLimits("feed_address", ADDRESS_MESSAGES_PER_S, ADDRESS_BURST)

    @contextmanager
    def connection(self, address: str) -> Iterator[None]:
        """Count a connection while it lasts.

        Raises:
            TooManyError: there are too many.
        """
        if self._per_address and self._connections[address] >= self._per_address:
            raise TooManyError(f"at most {self._per_address} connections of one address")
        self._connections[address] += 1
        try:
            yield
        finally:
            self._connections[address] -= 1
            if not self._connections[address]:
                del self._connections[address]

    def take(self, address: str, user: str) -> float:
        """Count a message; 0, or how many seconds to wait before the next."""
        return self._of_user.take(user) or self._of_address.take(address)

    def __len__(self) -> int:
        return self._connections.total()
