"""The bound on what waits: never exceeded, first come first served, nothing lost."""

import asyncio
from dataclasses import dataclass

import pytest

from processors.room import Line, Room


@dataclass(frozen=True)
class Item:
    size_bytes: int


async def test_who_does_not_fit_waits_until_room_is_given_back() -> None:
    room = Room(10)
    await room.take(6)
    waiting = asyncio.create_task(room.take(5))
    behind = asyncio.create_task(room.take(1))
    await asyncio.sleep(0)
    assert (room.used_bytes, waiting.done(), behind.done()) == (6, False, False)
    room.give_back(6)
    await asyncio.gather(waiting, behind)
    assert room.used_bytes == 6


async def test_one_larger_than_the_room_gets_all_of_it() -> None:
    room = Room(10)
    await room.take(1_000)
    assert room.used_bytes == 10
    room.give_back(1_000)
    assert room.used_bytes == 0


async def test_who_gives_up_waiting_takes_nothing() -> None:
    room = Room(10)
    await room.take(10)
    waiting, behind = (asyncio.create_task(room.take(4)) for _ in range(2))
    await asyncio.sleep(0)
    waiting.cancel()
    room.give_back(10)
    await behind
    assert room.used_bytes == 4


async def test_who_is_cancelled_in_the_moment_of_admission_gives_back() -> None:
    room = Room(10)
    await room.take(10)
    waiting = asyncio.create_task(room.take(4))
    await asyncio.sleep(0)
    room.give_back(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert room.used_bytes == 0


async def test_a_line_does_its_items_in_order_and_frees_their_room() -> None:
    room, done = Room(10), []
    line = Line[Item](room)

    async def work(item: Item) -> None:
        await asyncio.sleep(0)
        done.append(item)

    worker = asyncio.create_task(line.each(work))
    items = [Item(n) for n in range(1, 9)]
    for item in items:
        await line.put(item)
        assert room.used_bytes <= 10
    line.end()
    await worker
    assert done == items
    assert room.used_bytes == 0


async def test_a_line_that_fails_gives_back_what_is_left_in_it() -> None:
    room = Room(10)
    line = Line[Item](room)

    async def work(_: Item) -> None:
        raise OSError("the disk is gone")

    for _ in range(3):
        await line.put(Item(3))
    with pytest.raises(OSError, match="the disk is gone"):
        await line.each(work)
    assert room.used_bytes == 0
    assert line.empty
