"""The gateway's one session on Cassandra: opened when it is there, tried again while it is not."""

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Final, Self

from stores.cassandra import Cassandra, CassandraError
from stores.settings import Settings

log = logging.getLogger(__name__)

RETRY_S: Final = 2.0


class CassandraLink:
    """Holds the session; a gateway serves what is live without it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._task: asyncio.Task[None] | None = None
        self.session: Cassandra | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_open(), name="cassandra-link")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _keep_open(self) -> None:
        """Connect, as often as it takes; once connected, the driver itself reconnects."""
        while True:
            try:
                async with Cassandra.open(self._settings) as session:
                    self.session = session
                    await asyncio.Event().wait()
            except CassandraError as error:
                log.warning("no Cassandra yet: %s", error)
            finally:
                self.session = None
            await asyncio.sleep(RETRY_S)
