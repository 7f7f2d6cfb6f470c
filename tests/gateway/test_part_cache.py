"""Parts in memory: bounded, read once for many, and one who leaves takes nothing from the others."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.part_cache import ENTRY_OVERHEAD, PartCache
from stores.segments import SegmentStoreError


class Shelf:
    """A source that counts, and can be held."""

    def __init__(self, parts: dict[str, bytes]) -> None:
        self.parts = parts
        self.reads: list[str] = []
        self.open = threading.Event()
        self.open.set()

    def get(self, name: str) -> bytes | None:
        self.open.wait(10)
        self.reads.append(name)
        if name == "broken":
            raise SegmentStoreError("the disk is gone")
        return self.parts.get(name)


async def test_a_part_is_read_once_however_many_ask_at_the_same_time() -> None:
    shelf = Shelf({"a": b"aaa"})
    cache = PartCache(shelf, 10_000)
    shelf.open.clear()
    asking = [asyncio.create_task(cache.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    shelf.open.set()
    assert await asyncio.gather(*asking[1:]) == [b"aaa"] * 49
    assert await cache.get("a") == b"aaa"
    assert shelf.reads == ["a"]


async def test_what_is_not_there_is_asked_for_again() -> None:
    shelf = Shelf({})
    cache = PartCache(shelf, 10_000)
    assert await cache.get("a") is None
    shelf.parts["a"] = b"now"
    assert await cache.get("a") == b"now"


async def test_an_error_reaches_all_and_is_not_kept() -> None:
    shelf = Shelf({})
    cache = PartCache(shelf, 10_000)
    answers = await asyncio.gather(*(cache.get("broken") for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [SegmentStoreError] * 3
    with pytest.raises(SegmentStoreError):
        await cache.get("broken")
    assert shelf.reads == ["broken", "broken"]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(0, 4_000))
def test_the_bound_holds_and_the_bytes_are_right(names: list[str], max_bytes: int) -> None:
    parts = {name: name.encode() * 100 * (number + 1) for number, name in enumerate("abcdefgh")}

    async def ask() -> None:
        cache = PartCache(Shelf(parts), max_bytes)
        for name in names:
            assert await cache.get(name) == parts[name]
            assert cache.held_bytes <= max_bytes

    asyncio.run(ask())


async def test_the_part_that_was_not_asked_for_longest_goes_first() -> None:
    shelf = Shelf(dict.fromkeys("abc", b"x" * 100))
    cache = PartCache(shelf, 2 * (100 + ENTRY_OVERHEAD))
    for name in "abaca":
        await cache.get(name)
    assert shelf.reads == ["a", "b", "c"]
