"""Waiting for a condition under a deadline, instead of for time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(condition: Callable[[], T], deadline_s: float = 60.0, what: str = "the condition") -> T:
    """The condition's value once it is true."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {deadline_s} s"
        await asyncio.sleep(0.02)
    return value


async def eventually_async(
    condition: Callable[[], Awaitable[T]], deadline_s: float = 60.0, what: str = "the condition"
) -> T:
    """The same for a condition that is awaited."""
    end = time.monotonic() + deadline_s
    while not (value := await condition()):
        assert time.monotonic() < end, f"{what} did not come true within {deadline_s} s"
        await asyncio.sleep(0.05)
    return value


def eventually_blocking(condition: Callable[[], T], deadline_s: float = 60.0, what: str = "the condition") -> T:
    """`eventually` without an event loop."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {deadline_s} s"
        time.sleep(0.02)
    return value
