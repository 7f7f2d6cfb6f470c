"""How often something may be done by each address, account or whatever else a key stands for; in bounded memory.

The generic cell rate algorithm (ITU-T I.371, in its leaky bucket form): of each key there is one number, the time at which
its bucket will be empty again. What was not used longest is forgotten first.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from prometheus_client import Counter

from gateway.problems import Problem

REFUSED: Final = Counter("logcast_rate_limited_total", "Calls that were refused for coming too often", ["limit"])


class RateLimits:
    """One limit, for many keys.

    Args:
        name: of the limit, for the metrics.
        per_second: how often, in the long run.
        burst: how often at once.
        most_keys: how many keys are remembered.
        now: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        name: str,
        per_second: float,
        burst: float,
        most_keys: int = 50_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_second <= 0 or burst < 1 or most_keys < 1:
            raise ValueError(f"expected a rate above 0 and bursts of at least 1, found {per_second}/s, {burst}")
        self.name: Final = name
        self._interval_s = 1 / per_second
        self._depth_s = burst / per_second
        self._most_keys = most_keys
        self._now = now
        self._empty_at: OrderedDict[str, float] = OrderedDict()
        self._refused = REFUSED.labels(name)

    def take(self, key: str) -> float:
        """Use one; 0, or how many seconds to wait until there is one again. A refused try costs nothing."""
        now = self._now()
        empty_at = max(self._empty_at.get(key, now), now) + self._interval_s
        wait_s = empty_at - now - self._depth_s
        if wait_s > 1e-9:
            self._refused.inc()
            return wait_s
        self._empty_at[key] = empty_at
        self._empty_at.move_to_end(key)
        if len(self._empty_at) > self._most_keys:
            self._empty_at.popitem(last=False)
        return 0.0

    def must_take(self, key: str) -> None:
        """Use one.

        Raises:
            Problem: 429 with Retry-After, in whole seconds.
        """
        wait_s = self.take(key)
        if wait_s > 0:
            raise too_fast(wait_s)

    def forget(self, key: str) -> None:
        """As if the key had never been seen."""
        self._empty_at.pop(key, None)

    def __len__(self) -> int:
        return len(self._empty_at)


def too_fast(wait_s: float) -> Problem:
    """The answer to who comes too often."""
    seconds = max(1, math.ceil(wait_s))
    detail = f"too many of these; try again in {seconds} s"
    return Problem(429, "too_fast", detail, headers={"Retry-After": str(seconds)})
