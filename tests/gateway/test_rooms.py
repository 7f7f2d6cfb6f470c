"""Everybody in a room hears, in order and once; a slow reader is told to resume; nobody else's messages arrive."""

import asyncio
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.rooms import MAX_BACKLOG_BYTES, MAX_BATCH_BYTES, RESTART, SLOW, Hearing, Rooms, Subscriber
from tests.waiting import eventually


class Outlet:
    """A connection of a test: keeps what is written; takes no more when `full`."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.full = False
        self.paused = False
        self.ended: tuple[int, str] | None = None

    def write(self, frames: bytes) -> bool:
        if self.full:
            return False
        self.writes.append(frames)
        return True

    def end(self, code: int, reason: str, last: bytes = b"") -> None:
        self.ended = code, reason
        self.writes.append(last)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What was written, as messages."""
        return messages_of(b"".join(self.writes))

    @property
    def numbers(self) -> list[int]:
        return [message["n"] for message in self.messages if "n" in message]


def messages_of(data: bytes) -> list[dict[str, Any]]:
    """The messages of whole, unmasked text frames (RFC 6455 section 5.2)."""
    found, at = [], 0
    while at < len(data):
        assert data[at] == 0x81
        size, at = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        found.append(orjson.loads(data[at : at + size]))
        at += size
    return found


def joined(rooms: Rooms, channel: str = "demo", **hearing: Any) -> tuple[Subscriber, Outlet]:
    outlet = Outlet()
    subscriber = Subscriber(outlet, Hearing(**hearing))
    rooms.join(channel, subscriber)
    return subscriber, outlet


async def heard(outlet: Outlet, count: int) -> list[int]:
    await eventually(lambda: len(outlet.numbers) >= count, what=f"{count} messages")
    return outlet.numbers


async def test_messages_arrive_in_order_at_everybody_in_the_room_only() -> None:
    rooms = Rooms()
    (_, here), (_, there) = joined(rooms), joined(rooms, "other")
    for n in range(3):
        rooms.send("demo", {"n": n})
    rooms.send("other", {"n": 9})
    assert await heard(here, 3) == [0, 1, 2]
    assert await heard(there, 1) == [9]


async def test_the_first_message_leaves_at_once_and_what_follows_within_a_tick_leaves_in_one_write() -> None:
    rooms = Rooms(tick_s=0.2)
    _, outlet = joined(rooms)
    rooms.send("demo", {"n": 0})
    assert outlet.numbers == [0]
    for n in range(1, 6):
        rooms.send("demo", {"n": n})
    assert outlet.numbers == [0]
    await heard(outlet, 6)
    assert [len(messages_of(write)) for write in outlet.writes] == [1, 5]


async def test_a_large_room_is_written_in_slices_and_later_messages_wait_for_the_last_of_them() -> None:
    rooms = Rooms(tick_s=0.0, slice_size=2)
    outlets = [joined(rooms)[1] for _ in range(5)]
    rooms.send("demo", {"n": 0})
    rooms.send("demo", {"n": 1})
    assert [outlet.numbers for outlet in outlets] == [[0], [0], [], [], []]
    for outlet in outlets:
        assert await heard(outlet, 2) == [0, 1]


async def test_who_joins_between_two_slices_hears_only_what_comes_later() -> None:
    rooms = Rooms(tick_s=0.0, slice_size=1)
    first, second = joined(rooms)[1], joined(rooms)[1]
    rooms.send("demo", {"n": 0})
    rooms.send("demo", {"n": 1})
    late = joined(rooms)[1]
    assert (first.numbers, second.numbers) == ([0, 1], [0, 1]), "those before it are not kept waiting"
    rooms.send("demo", {"n": 2})
    assert await heard(late, 1) == [2]
    assert await heard(second, 3) == [0, 1, 2]


@given(
    steps=st.lists(st.sampled_from(["send", "join", "leave", "turn", "rehear"]), max_size=40),
    slice_size=st.integers(1, 3),
)
def test_everybody_hears_a_run_of_numbers_without_a_gap_whoever_comes_and_goes(
    steps: list[str], slice_size: int
) -> None:
    async def story() -> None:
        rooms, sent = Rooms(tick_s=0.0, slice_size=slice_size), 0
        inside: list[tuple[Subscriber, Outlet, int]] = []
        left: list[tuple[Outlet, int]] = []
        for step in steps:
            if step == "send":
                rooms.send("demo", {"n": sent})
                sent += 1
            elif step == "join":
                inside.append((*joined(rooms), sent))
            elif step == "leave" and inside:
                subscriber, outlet, since = inside.pop(0)
                rooms.leave("demo", subscriber)
                left.append((outlet, since))
            elif step == "rehear" and inside:
                rooms.rehear("demo", inside[0][0], Hearing(renditions=frozenset({str(sent)})))
            else:
                await asyncio.sleep(0)
        rooms.flush("demo")
        for _, outlet, since in inside:
            assert outlet.numbers == list(range(since, sent))
        for outlet, since in left:
            assert outlet.numbers == list(range(since, since + len(outlet.numbers)))

    asyncio.run(story())


async def test_who_wants_one_video_hears_of_no_other() -> None:
    rooms = Rooms()
    (_, old), (_, channel) = joined(rooms, video="v1"), joined(rooms)
    rooms.send("demo", {"n": 1}, "v1", current=False)
    rooms.send("demo", {"n": 2}, "v2", current=True)
    rooms.send("demo", {"n": 3})
    assert await heard(old, 2) == [1, 3]
    assert await heard(channel, 2) == [2, 3]


async def test_what_is_for_some_reaches_them_only() -> None:
    rooms = Rooms()
    (_, viewer), (_, moderator) = joined(rooms), joined(rooms, moderator=True, trusted=True)
    _, player = joined(rooms, renditions=frozenset({"480p", "audio"}))
    rooms.send("demo", {"n": 1}, moderators=True)
    rooms.send("demo", {"n": 2}, private=True)
    rooms.send("demo", {"n": 3}, rendition="480p")
    rooms.send("demo", {"n": 4}, rendition="720p")
    rooms.send("demo", {"n": 5})
    assert await heard(viewer, 1) == [5]
    assert await heard(moderator, 3) == [1, 2, 5]
    assert await heard(player, 2) == [3, 5]
    assert rooms.wanted("demo") == {"480p", "audio"}


async def test_a_slow_reader_is_told_to_resume_and_the_others_go_on() -> None:
    rooms = Rooms()
    (slow, stuck), (_, quick) = joined(rooms), joined(rooms)
    rooms.send("demo", {"n": 0})
    stuck.full = True
    rooms.send("demo", {"n": 1})
    rooms.flush("demo")
    rooms.send("demo", {"n": 2})
    assert await heard(quick, 3) == [0, 1, 2]
    assert stuck.ended is not None
    assert stuck.ended[0] == SLOW
    last = stuck.messages[-1]
    assert (last["type"], last["code"], last["resume"]) == ("goodbye", SLOW, True)
    assert last["retry_ms"] >= 1_000
    assert stuck.numbers == [0]
    assert rooms.size("demo") == 1
    rooms.leave("demo", slow)
    assert len(rooms) == 1


async def test_what_is_fleeting_is_told_to_those_who_keep_up_after_what_waits() -> None:
    rooms = Rooms(tick_s=60.0)
    (_, slow), (_, quick) = joined(rooms), joined(rooms)
    rooms.send("demo", {"n": 0})
    slow.paused = True
    rooms.send("demo", {"n": 1})
    rooms.send("demo", {"n": 90}, fleeting=True)
    rooms.send("demo", {"n": 91}, fleeting=True)
    rooms.send("demo", {"n": 2})
    rooms.flush("demo")
    assert quick.numbers == [0, 1, 2, 91], "of two that wait the later is told"
    assert slow.numbers == [0, 1, 2]
    rooms.send("demo", {"n": 92}, fleeting=True)
    rooms.flush("demo")
    assert (quick.numbers[-1], slow.numbers) == (92, [0, 1, 2])
    assert [len(messages_of(write)) for write in quick.writes] == [1, 3, 1]


async def test_one_batch_is_bounded_and_a_group_that_is_too_far_behind_resumes() -> None:
    rooms = Rooms(tick_s=60.0)
    _, outlet = joined(rooms)
    for n in range(100):
        rooms.send("demo", {"n": n, "text": "x" * 2_000})
    rooms.flush("demo")
    assert outlet.numbers == list(range(100))
    assert max(map(len, outlet.writes)) <= MAX_BATCH_BYTES
    for _ in range(MAX_BACKLOG_BYTES // 60_000 + 2):
        rooms.send("demo", {"text": "x" * 60_000})
    assert outlet.ended is not None
    assert outlet.ended[0] == SLOW


async def test_what_waits_before_the_goodbye_still_arrives_and_each_is_told_a_time_of_its_own() -> None:
    rooms = Rooms(tick_s=60.0)
    outlets = [joined(rooms)[1] for _ in range(3)]
    rooms.send("demo", {"n": 0})
    rooms.send("demo", {"n": 1})
    times = iter([100, 200, 300])
    rooms.close_all(RESTART, "restart", lambda: next(times))
    assert [outlet.numbers for outlet in outlets] == [[0, 1]] * 3
    assert [outlet.messages[-1]["retry_ms"] for outlet in outlets] == [100, 200, 300]
    assert [outlet.ended for outlet in outlets] == [(RESTART, "restart")] * 3


async def test_who_has_heard_nothing_for_long_hears_a_heartbeat() -> None:
    rooms = Rooms()
    _, quiet = joined(rooms)
    rooms.beat(15.0, {"n": 1})
    rooms.beat(15.0, {"n": 2})
    assert await heard(quiet, 1) == [1]


async def test_rooms_count_and_forget() -> None:
    rooms = Rooms()
    (one, _), (two, _) = joined(rooms), joined(rooms)
    assert (len(rooms), rooms.size("demo")) == (2, 2)
    rooms.leave("demo", one)
    rooms.leave("demo", one)
    rooms.leave("nowhere", two)
    assert (len(rooms), rooms.size("demo")) == (1, 1)
    rooms.leave("demo", two)
    assert list(rooms.channels()) == []
