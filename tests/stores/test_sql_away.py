"""A PostgreSQL that stands still, or is away: nobody waits for ever, and it is used again as soon as it answers."""

from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from stores.sql import open_engine
from tests.stuck_line import StuckLine, stuck_line
from tests.waiting import eventually_async

NAME = "logcast_away"


@pytest.fixture
async def line(postgresql_server: str) -> AsyncIterator[StuckLine]:
    port = make_url(postgresql_server).port
    assert port is not None
    connection = await asyncpg.connect(f"{postgresql_server}postgres")
    await connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {NAME}")
    await connection.close()
    async with stuck_line(port) as line:
        yield line


async def test_a_statement_to_a_server_that_stands_still_ends_and_later_ones_are_answered(line: StuckLine) -> None:
    async with open_engine(f"postgresql://logcast@127.0.0.1:{line.port}/{NAME}", statement_s=1) as engine:
        await eventually_async(lambda: _answers(engine))
        line.flowing.clear()
        with pytest.raises(TimeoutError):
            await _ask(engine)
        line.flowing.set()
        await eventually_async(lambda: _answers(engine))


async def test_a_server_that_comes_back_is_found_again(line: StuckLine) -> None:
    async with open_engine(f"postgresql://logcast@127.0.0.1:{line.port}/{NAME}") as engine:
        await _ask(engine)
        await line.cut()
        with pytest.raises(ConnectionRefusedError):
            await _ask(engine)
        await line.listen()
        await _ask(engine)


async def _ask(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        found: int = (await connection.execute(text("SELECT count(*) FROM channels"))).scalar_one()
        return found == 0


async def _answers(engine: AsyncEngine) -> bool:
    try:
        return await _ask(engine)
    except (SQLAlchemyError, OSError):
        return False
