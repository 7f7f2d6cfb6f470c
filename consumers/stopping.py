"""Waiting that a stop cuts short."""

import asyncio


async def stops_within(stop: asyncio.Event, seconds: float) -> bool:
    """Whether `stop` is set within so many seconds; returns as soon as it is."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
