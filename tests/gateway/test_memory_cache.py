"""Values in memory: bounded, made once for many, and one who leaves takes nothing from the others."""

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.memory_cache import ENTRY_OVERHEAD, MemoryCache
from tests.waiting import eventually


class Shelf:
    """What makes values: it counts, and can be held."""

    def __init__(self, parts: dict[str, bytes], max_bytes: int = 10_000) -> None:
        self.parts = parts
        self.reads: list[str] = []
        self.cancelled: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.cache = MemoryCache[bytes]("test", max_bytes, len)

    async def make(self, name: str) -> bytes | None:
        self.reads.append(name)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        if name == "broken":
            raise OSError("the disk is gone")
        return self.parts.get(name)

    async def get(self, name: str) -> bytes | None:
        return await self.cache.get(name, partial(self.make, name))


async def test_a_value_is_made_once_however_many_ask_at_the_same_time() -> None:
    shelf = Shelf({"a": b"aaa"})
    shelf.open.clear()
    asking = [asyncio.create_task(shelf.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    shelf.open.set()
    assert await asyncio.gather(*asking[1:]) == [b"aaa"] * 49
    assert asking[0].cancelled()
    assert await shelf.get("a") == b"aaa"
    assert shelf.reads == ["a"]


async def test_when_all_have_left_the_making_ends_and_the_next_one_begins_anew() -> None:
    shelf = Shelf({"a": b"aaa"})
    shelf.open.clear()
    asking = [asyncio.create_task(shelf.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    await eventually(lambda: shelf.cancelled == ["a"])
    shelf.open.set()
    assert await shelf.get("a") == b"aaa"
    assert shelf.reads == ["a", "a"]


async def test_what_is_not_there_is_asked_for_again() -> None:
    shelf = Shelf({})
    assert await shelf.get("a") is None
    shelf.parts["a"] = b"now"
    assert await shelf.get("a") == b"now"


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    shelf = Shelf({})
    answers = await asyncio.gather(*(shelf.get("broken") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 3
    with pytest.raises(OSError, match="disk is gone"):
        await shelf.get("broken")
    assert shelf.reads == ["broken", "broken"]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(0, 4_000))
def test_the_bound_holds_and_the_bytes_are_right(names: list[str], max_bytes: int) -> None:
    parts = {name: name.encode() * 100 * (number + 1) for number, name in enumerate("abcdefgh")}

    async def ask() -> None:
        shelf = Shelf(parts, max_bytes)
        for name in names:
            assert await shelf.get(name) == parts[name]
            assert shelf.cache.held_bytes <= max_bytes

    asyncio.run(ask())


async def test_the_value_that_was_not_asked_for_longest_goes_first() -> None:
    shelf = Shelf(dict.fromkeys("abc", b"x" * 100), 2 * (100 + ENTRY_OVERHEAD))
    for name in "abaca":
        await shelf.get(name)
    assert shelf.reads == ["a", "b", "c"]


async def test_what_is_larger_than_the_cache_is_given_and_pushes_nothing_out() -> None:
    shelf = Shelf({"a": b"x", "large": b"x" * 20_000})
    for name in ("a", "large", "a", "large"):
        assert await shelf.get(name) == shelf.parts[name]
    assert shelf.reads == ["a", "large", "large"]


async def test_what_is_forgotten_is_made_again() -> None:
    shelf = Shelf({"a": b"x", "b": b"y"})
    await shelf.get("a")
    await shelf.get("b")
    shelf.cache.forget(lambda key: key == "a")
    assert shelf.cache.held_bytes == 1 + ENTRY_OVERHEAD
    await shelf.get("a")
    await shelf.get("b")
    assert shelf.reads == ["a", "b", "a"]
