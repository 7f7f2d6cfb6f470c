"""A line to a real server that can stand still (open, but nothing goes through) and be cut (refused)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class StuckLine:
    """Bytes go both ways while `flowing` is set, as it is at first.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, target_port: int) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take connections; after a cut on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections and refuse new ones, as a server that was killed."""
        assert self._server is not None
        self._server.close()
        carrying = list(self._carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._pump(reader, there_writer))
                    ways.create_task(self._pump(there_reader, writer))
            finally:
                there_writer.close()
        finally:
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                await self.flowing.wait()
                target.write(data)
                await target.drain()
        target.close()


@asynccontextmanager
async def stuck_line(target_port: int) -> AsyncIterator[StuckLine]:
    """A line to 127.0.0.1:`target_port`, flowing."""
    line = StuckLine(target_port)
    await line.listen()
    try:
        yield line
    finally:
        await line.cut()
