"""Takes expired sessions, tokens, resets and verifications out of the SQL database now and then (`stores.sql_expiry`)."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from gateway.state import GatewayState
from stores.sql_expiry import forget_expired

log = logging.getLogger(__name__)

EVERY_S: Final = 300.0

REMOVED = Counter("logcast_sql_expired_rows_total", "Rows that were over and were removed", ["table"])


class SqlJanitor:
    """One for a gateway; several gateways clean the same database, each at its own moments."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        state.resource(self.running)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Clean now and then until closed."""
        task = asyncio.create_task(self._run(), name="sql-janitor")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def clean(self) -> None:
        """Clean once; a database that is away or locked is cleaned the next time."""
        assert self._state.engine is not None
        try:
            removed = await forget_expired(self._state.engine, self._state.clock())
        except (SQLAlchemyError, OSError) as error:
            log.warning("what is over in the SQL database stays for now: %s", error)
            return
        for table, rows in removed.items():
            REMOVED.labels(table).inc(rows)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311  (to be apart from the others)
            await self.clean()
