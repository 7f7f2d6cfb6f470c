"""A PostgreSQL that is away: whoever logs in is told to try again, and it works when it is back."""

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import make_url

from stores.settings import Settings
from tests.gateway.account_site import Site, account_site
from tests.stuck_line import StuckLine, stuck_line


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[StuckLine]:
    port = make_url(database_url).port
    assert port is not None
    async with stuck_line(port) as line:
        yield line


@pytest.fixture
async def site(make_settings: Callable[..., Settings], database_url: str, line: StuckLine) -> AsyncIterator[Site]:
    url = make_url(database_url).set(port=line.port).render_as_string(hide_password=False)
    async with account_site(make_settings, database_url=url) as site:
        yield site


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_log_ins_are_asked_to_come_again_while_the_database_is_away_and_work_when_it_is_back(
    site: Site, line: StuckLine
) -> None:
    ann = await site.register("ann")
    await line.cut()
    away = await site.log_in("ann")
    assert (away.status_code, away.json()["reason"], away.headers["retry-after"]) == (503, "away", "1")
    await line.listen()
    assert (await site.log_in("ann")).status_code == 200
    assert (await ann.call("GET", "/v1/me")).status_code == 200
