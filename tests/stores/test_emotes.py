"""Emotes and block lists, held to the same promises on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stores.accounts import Accounts, NoSuchChannel
from stores.block_lists import BlockListError, BlockLists
from stores.emotes import MAX_BYTES, MAX_EMOTES, Emotes, EmotesError, TooManyEmotes, media_type_of
from stores.sql import open_engine
from tests.stores.sql_databases import empty_database

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
GIF = b"GIF89a" + bytes(20)
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "


@dataclass
class Database:
    emotes: Emotes
    lists: BlockLists


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    settings = await empty_database(request, tmp_path)
    async with open_engine(settings.sql_url) as engine:
        accounts = Accounts(engine)
        for name in ("red", "blue", "green"):
            await accounts.create_channel(name)
        yield Database(Emotes(engine, lambda: 5), BlockLists(engine, lambda: 5))


async def test_an_emote_is_found_replaced_and_removed_and_is_of_its_channel_alone(database: Database) -> None:
    emotes = database.emotes
    made = await emotes.put("red", "wave", PNG, "u_ann")
    assert (made.media_type, made.made_ms, made.made_by) == ("image/png", 5, "u_ann")
    await emotes.put("red", "wave", GIF, "u_ann")
    await emotes.put("blue", "wave", WEBP, "u_ben")
    found = await emotes.find("red", "wave")
    assert found is not None
    assert (found.data, found.media_type) == (GIF, "image/gif")
    assert [(one.name, one.data) for one in await emotes.of("red")] == [("wave", b"")]
    assert await emotes.find("red", "x' OR '1'='1") is None
    assert await emotes.remove("red", "wave")
    assert not await emotes.remove("red", "wave")
    assert await emotes.of("red") == []
    assert len(await emotes.of("blue")) == 1
    with pytest.raises(NoSuchChannel):
        await emotes.put("pink", "wave", PNG, "u_ann")


async def test_a_channel_has_so_many_emotes_and_no_more_however_many_come_at_once(database: Database) -> None:
    async def put(number: int) -> bool:
        try:
            await database.emotes.put("red", f"emote_{number}", PNG, "u_ann")
        except TooManyEmotes:
            return False
        return True

    done = await asyncio.gather(*(put(number) for number in range(MAX_EMOTES + 5)))
    assert sum(done) == len(await database.emotes.of("red")) == MAX_EMOTES
    await database.emotes.put("red", (await database.emotes.of("red"))[0].name, GIF, "u_ann")


@pytest.mark.parametrize(
    "data", [b"", b"<svg onload=alert(1)>", b"\xff\xd8\xff\xe0", b"RIFF\x10\x00\x00\x00WAVE", PNG + bytes(MAX_BYTES)]
)
def test_what_is_no_small_picture_is_refused(data: bytes) -> None:
    with pytest.raises(EmotesError):
        media_type_of(data)


async def test_a_list_is_used_only_while_it_is_shared(database: Database) -> None:
    lists = database.lists
    with pytest.raises(BlockListError, match="does not share"):
        await lists.use("blue", "red")
    await lists.share("red", shared=True)
    await lists.share("red", shared=True)
    assert await lists.shares("red")
    assert await lists.use("blue", "red")
    assert not await lists.use("blue", "red")
    assert await lists.use("green", "red")
    assert await lists.users_of("red") == ["blue", "green"]
    assert await lists.used_by("blue") == ["red"]
    assert await lists.leave("green", "red")
    assert not await lists.leave("green", "red")
    await lists.share("red", shared=False)
    assert not await lists.shares("red")
    assert await lists.users_of("red") == await lists.used_by("blue") == []
    with pytest.raises(BlockListError, match="anyway"):
        await lists.use("red", "red")
    with pytest.raises(NoSuchChannel):
        await lists.use("red", "pink")
