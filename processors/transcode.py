"""The transcode agent under Faust: `processors.transcoder` does the work, `processors.leaving` ends it."""

import time
from collections.abc import Iterable
from contextlib import AsyncExitStack

import faust
from faust import Stream
from faust.types import TP, AppT

from processors.leaving import Leave, Leaver
from processors.records import ack_of, end_process, record_of, wall_ms
from processors.transcoder import NAME, Transcoder
from schemas.topics import MEDIA_SOURCE
from stores.hot_tier import open_segment_store
from stores.kafka import EventProducer
from stores.settings import Settings


class TranscodeAgent:
    """The agent under Faust: connects a `Transcoder` while the stream is read."""

    def __init__(self, app: faust.App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._topic = settings.topic(MEDIA_SOURCE.name)
        self._mine: frozenset[int] = frozenset()
        self._stack = AsyncExitStack()
        self._transcoder: Transcoder | None = None
        self._leave: Leave | None = None

    async def process(self, stream: Stream[bytes]) -> None:
        """Read the source until the worker stops. What is open then is finished by `finish`, or left as it is."""
        transcoder = self._transcoder or await self._opened()
        try:
            async for event in stream.noack().events():
                await transcoder.receive(record_of(event), ack_of(event, self._app))
        except Exception:
            await self._close()
            raise

    async def hand_over(self) -> None:
        """See `processors.leaving`."""
        if self._transcoder:
            self._leave = Leave(self._settings, self._transcoder, time.monotonic)
            await self._leave.hand_over()

    async def finish(self) -> None:
        """End what is open, where there was a leave; close."""
        if self._leave:
            await self._leave.finish()
        await self._close()

    async def _opened(self) -> Transcoder:
        producer = await self._stack.enter_async_context(EventProducer(self._settings, NAME))
        store = open_segment_store(self._settings)
        transcoder = await self._stack.enter_async_context(
            Transcoder(self._settings, store, producer, end_process, wall_ms, time.monotonic)
        )
        transcoder.assigned(self._mine)
        self._transcoder = transcoder
        return transcoder

    async def _close(self) -> None:
        self._transcoder = self._leave = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def on_assigned(self, _: AppT, assigned: Iterable[TP], **__: object) -> None:
        """Faust says which partitions are ours."""
        self._mine = frozenset(tp.partition for tp in assigned if tp.topic == self._topic)
        if self._transcoder:
            self._transcoder.assigned(self._mine)

    async def on_revoked(self, _: AppT, revoked: Iterable[TP], **__: object) -> None:
        """Faust takes all partitions at each rebalance, and gives them again."""
        if any(tp.topic == self._topic for tp in revoked):
            self._mine = frozenset()
            if self._transcoder:
                self._transcoder.revoked()

    async def tick(self) -> None:
        """Once a second."""
        if self._transcoder:
            self._transcoder.close_idle()
            self._transcoder.watch_lag()


def register(app: faust.App, settings: Settings) -> Leaver:
    """Add the agent to the worker; gives what is to be asked when the worker stops."""
    agent = TranscodeAgent(app, settings)
    source = app.topic(
        settings.topic(MEDIA_SOURCE.name),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    app.agent(source, name=f"{settings.worker_group}.{NAME}")(agent.process)  # type: ignore[arg-type]  # a stream is a Stream
    app.on_partitions_assigned.connect(agent.on_assigned)  # type: ignore[arg-type]  # its type wants any arguments
    app.on_partitions_revoked.connect(agent.on_revoked)  # type: ignore[arg-type]
    app.timer(interval=1.0)(agent.tick)
    return agent
