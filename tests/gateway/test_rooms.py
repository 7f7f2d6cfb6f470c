"""Everybody in a room hears, a slow reader is cut off, nobody else's messages arrive."""

import asyncio
import json

from gateway.rooms import MAX_WAITING_BYTES, MAX_WAITING_MESSAGES, Goodbye, Rooms, Subscriber


async def heard(subscriber: Subscriber) -> list[object]:
    async with asyncio.timeout(5):
        return [m if isinstance(m, Goodbye) else json.loads(m)["n"] for m in await subscriber.take()]


async def test_messages_arrive_in_order_at_everybody_in_the_room_only() -> None:
    rooms, here, there = Rooms(), Subscriber(), Subscriber()
    rooms.join("demo", here, None)
    rooms.join("other", there, None)
    for n in range(3):
        rooms.send("demo", {"n": n})
    rooms.send("other", {"n": 9})
    assert await heard(here) == [0, 1, 2]
    assert await heard(there) == [9]


async def test_who_wants_one_video_hears_of_no_other() -> None:
    rooms, old, channel = Rooms(), Subscriber(), Subscriber()
    rooms.join("demo", old, "v1")
    rooms.join("demo", channel, None)
    rooms.send("demo", {"n": 1}, "v1", current=False)
    rooms.send("demo", {"n": 2}, "v2", current=True)
    rooms.send("demo", {"n": 3})
    assert await heard(old) == [1, 3]
    assert await heard(channel) == [2, 3]


async def test_a_reader_with_too_many_messages_waiting_is_cut_off_to_resume() -> None:
    subscriber = Subscriber()
    for n in range(MAX_WAITING_MESSAGES + 1):
        subscriber.put(json.dumps({"n": n}))
    (goodbye,) = await heard(subscriber)
    assert isinstance(goodbye, Goodbye)
    assert goodbye.code == 1013


async def test_a_reader_with_too_many_bytes_waiting_is_cut_off() -> None:
    subscriber = Subscriber()
    subscriber.put("x" * MAX_WAITING_BYTES)
    subscriber.put("y")
    (goodbye,) = await subscriber.take()
    assert isinstance(goodbye, Goodbye)


async def test_what_was_queued_before_the_goodbye_still_arrives() -> None:
    rooms, subscriber = Rooms(), Subscriber()
    rooms.join("demo", subscriber, None)
    rooms.send("demo", {"n": 1})
    rooms.close_all(1012, "restart")
    rooms.send("demo", {"n": 2})
    assert await heard(subscriber) == [1, Goodbye(1012, "restart")]


def test_rooms_count_and_forget() -> None:
    rooms, one, two = Rooms(), Subscriber(), Subscriber()
    rooms.join("demo", one, None)
    rooms.join("demo", two, None)
    assert (len(rooms), rooms.size("demo")) == (2, 2)
    rooms.leave("demo", one)
    rooms.leave("demo", one)
    rooms.leave("nowhere", two)
    assert (len(rooms), rooms.size("demo")) == (1, 1)
    rooms.leave("demo", two)
    assert list(rooms.channels()) == []
