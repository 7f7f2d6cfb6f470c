"""One lossless push on the ingest's side: an FLV stream in pieces comes in, acknowledged offsets go out.

Theory. The packager is deterministic, and hears of no clock but that of the stream. About once a second of media its state is saved with
the offset up to which it was fed, behind everything that it gave before (`producers.push_states`). The client keeps what is
behind the last offset that was acknowledged: one whose state is saved and whose outputs Kafka has. Whatever ends a connection,
the ingest's death too, the next one goes on from the saved state; what was given after it is given again, and what the log has of
that is left out (`producers.already`). So every frame is in the video once, and the cut is no discontinuity.
"""

import asyncio
import dataclasses
import logging
import threading
from functools import partial
from typing import Final

from producers.already import Already, OnceOutlet, already_there
from producers.broadcast import Broadcast, Clock
from producers.flv_tags import AUDIO, VIDEO, FlvTags
from producers.push_protocol import MAX_TAG_BYTES, MISSING_BYTES, ProtocolError
from producers.push_states import PushState, PushStates
from producers.spool import Spool
from producers.video_index import VideoIndex
from stores.accounts import Channel
from stores.settings import Settings

log = logging.getLogger(__name__)

MARK_MS: Final = 1_000
MARK_BYTES: Final = 4 * 1024 * 1024
CLOCK_MARGIN_MS: Final = 5_000
"""By how much the clock may run back between a state and what comes after it."""


class PushSession:
    """A push over one connection. Open it, feed it, then `finish` or `suspend`; `acknowledged` gives offsets meanwhile."""

    def __init__(
        self,
        settings: Settings,
        channel: Channel,
        index: VideoIndex,
        spool: Spool,
        clock: Clock,
        states: PushStates,
        push: str,
    ) -> None:
        self._settings = settings
        self._channel = channel
        self._index = index
        self._spool = spool
        self._clock = clock
        self._states = states
        self._push = push
        self._once = OnceOutlet(spool, Already(""))
        self.broadcast = Broadcast(settings, channel, index, self._once, clock, media_ms=lambda: self._media_ms)
        self.offset = 0
        self._tags = FlvTags(self._on_tag)
        self._base_ms = self._media_ms = clock.now_ms()
        self._first_ms: int | None = None
        self._marked_ms = 0
        self._marked_at = 0
        self._saved: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self._stop = threading.Event()

    async def open(self, first: int) -> None:
        """Begin, or go on where this push was; `offset` is then the next byte that is wanted.

        Args:
            first: the first byte that the client still has.

        Raises:
            ProtocolError: the client does not have what is missing.
            LogError: the log does not answer.
        """
        state = self._states.of(self._channel.name)
        if state is not None and state.push == self._push:
            await self._go_on(state, first)
            return
        if first:
            raise ProtocolError(f"this push is not known here, and its first {first} bytes are gone", MISSING_BYTES)
        await self.broadcast.open()
        self._mark()

    async def _go_on(self, state: PushState, first: int) -> None:
        if first > state.offset:
            raise ProtocolError(f"bytes from {state.offset} on are missing, the client has {first} on", MISSING_BYTES)
        standing = self._index.standing(state.video.video_id)
        if standing is None:
            raise ProtocolError("the video of this push has ended; push anew", MISSING_BYTES)
        since_ms = state.taken_ms - CLOCK_MARGIN_MS
        ask = partial(already_there, self._settings, state.video.video_id, since_ms, self._stop)
        try:
            self._once.already = await asyncio.to_thread(ask)
        finally:
            self._stop.set()
        log.info("the push to %s goes on from byte %d", state.channel, state.offset)
        self.offset = self._marked_at = state.offset
        self._tags = FlvTags(self._on_tag, headed=not state.offset)
        self._base_ms = self._media_ms = state.base_ms
        self._first_ms = state.first_ms
        video = dataclasses.replace(standing.video, audio=state.video.audio, video=state.video.video)
        await self.broadcast.go_on(
            video, state.packager_again(), state.segment, has_audio=state.audio, has_video=state.video_seen
        )

    # -- the stream

    def feed(self, offset: int, data: bytes) -> None:
        """Take a piece; what came before is passed over.

        Raises:
            ProtocolError: bytes before it are missing, or a tag is too large.
            ValueError: broken or unsupported media.
        """
        if offset > self.offset:
            raise ProtocolError(f"a piece at {offset}, expected it at {self.offset} or before")
        fresh = data[self.offset - offset :]
        self.offset += len(fresh)
        self._tags.write(fresh)
        if self._tags.held > MAX_TAG_BYTES:
            raise ProtocolError(f"a tag of more than {MAX_TAG_BYTES} bytes")
        if self._media_ms - self._marked_ms >= MARK_MS or self.offset - self._marked_at >= MARK_BYTES:
            self._mark()

    def _on_tag(self, kind: int, at_ms: int, body: bytes) -> None:
        if kind not in {VIDEO, AUDIO}:
            return
        self._first_ms = at_ms if self._first_ms is None else self._first_ms
        self._media_ms = self._base_ms + at_ms - self._first_ms
        if kind == VIDEO:
            self.broadcast.feed_video(at_ms, body)
        else:
            self.broadcast.feed_audio(at_ms, body)

    def _mark(self) -> None:
        """Have the state of now saved when everything that came out until now is spooled."""
        offset = self.offset - self._tags.held
        self._marked_ms, self._marked_at = self._media_ms, offset
        self.broadcast.mark(partial(self._save, offset, self._first_ms, *self.broadcast.snapshot()))

    async def _save(self, offset: int, first_ms: int | None, packager: bytes, has_audio: bool, has_video: bool) -> None:
        state = PushState(
            push=self._push,
            channel=self._channel.name,
            offset=offset,
            base_ms=self._base_ms,
            first_ms=first_ms,
            taken_ms=self._clock.now_ms(),
            video=self.broadcast.video,
            segment=self.broadcast.segment,
            audio=has_audio,
            video_seen=has_video,
            packager=packager,
        )
        try:
            await asyncio.to_thread(self._states.save, state)
        except OSError as error:
            log.warning("the state of the push to %s is not saved: %s", self._channel.name, error)
            return
        self._saved.put_nowait((offset, self._spool.last_number))

    async def acknowledged(self) -> int:
        """Wait for the next offset before which the client may forget everything."""
        offset, number = await self._saved.get()
        while not self._saved.empty():
            offset, number = self._saved.get_nowait()
        await self._spool.delivered(upto=number)
        return offset

    # -- the end

    async def finish(self) -> None:
        """The stream is complete: have all of it on the log.

        Raises:
            LogError: it could not be written; the push goes on with another connection.
        """
        await self.broadcast.finish()
        if self.broadcast.failure is not None:
            raise self.broadcast.failure
        await self._spool.delivered()
        state = self._states.of(self._channel.name)
        if state is not None:
            await asyncio.to_thread(self._states.save, dataclasses.replace(state, offset=self.offset, ended=True))

    async def suspend(self) -> None:
        """The connection is gone: what was made so far goes to the log, and the client will come back."""
        self._stop.set()
        await self.broadcast.suspend()
