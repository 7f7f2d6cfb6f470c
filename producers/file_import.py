"""Imports a file as a video: through the packager onto `media.source`, as fast as the log and the workers take it.

Theory. FFmpeg's FLV muxer gives what a publisher would send; so a file is packaged as a broadcast is, and everything
behind `media.source` needs no second case. Wall clock is media time: the video seems to have been captured just before
the import. Reading waits while the log has not written what was sent, and while the workers are more than `AHEAD`
segments behind. A blocking thread reads and transcodes; everything else is in the event loop.

An import that is stopped leaves a video that says that it is over and is not kept, and is dropped with the hot store; so
importing the file again is all there is to do.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av

from producers import push
from producers.broadcast import Broadcast, Clock, UnsupportedMediaError
from producers.flv_tags import AUDIO, VIDEO, FlvTags
from producers.import_progress import ImportProgress
from producers.video_index import VideoIndex
from schemas.events import Origin, VideoState
from schemas.topics import MEDIA_PARTS, VIDEOS
from stores.accounts import Channel
from stores.kafka import EventProducer, LogError
from stores.log_reader import LogReader, Subscription
from stores.settings import Settings

AHEAD: Final = 30
"""Segments that may wait for the workers: enough to keep them busy, too few to be in the way of a live broadcast."""

PATIENCE_S: Final = 90.0
LOOK_S: Final = 0.1


class ImportFailedError(RuntimeError):
    """The file cannot be imported; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ImportState:
    """Seconds of media read and their total (None: unknown), segments sent and done, and whether all was read."""

    read_s: float
    length_s: float | None
    segments: int
    done: int
    finished: bool


Report = Callable[[ImportState], None]


class FileImport:
    """One import. Open it (it connects to the log), then `run`.

    Args:
        settings: of the process.
        channel: whose video it becomes; its title, `keep_days` and `visibility` are the video's.
        clock: where time and randomness come from.
        report: called now and then, from any thread.
    """

    def __init__(self, settings: Settings, channel: Channel, clock: Clock, report: Report) -> None:
        self._settings = settings
        self._channel = channel
        self._clock = clock
        self._report = report
        self._at_ms = -1
        self._base_ms = 0
        self._length_s: float | None = None
        self._read_s = 0.0
        self._stopping = False
        self._progress = ImportProgress()
        self._producer = EventProducer(settings, "import")
        watch = Subscription(MEDIA_PARTS, self._progress.apply, clock.now_ms())
        self._reader = LogReader(settings, [watch], role="import")
        virtual = Clock(now_ms=self._now_ms, random_bytes=clock.random_bytes)
        self._broadcast = Broadcast(settings, channel, VideoIndex(), self._producer, virtual, origin=Origin.IMPORT)

    async def __aenter__(self) -> Self:
        await self._producer.__aenter__()
        await self._reader.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.__aexit__(kind, error, trace)
        await self._producer.__aexit__(kind, error, trace)

    async def run(self, path: Path) -> str:
        """Import a file, and wait until the workers are done with it; gives the video's id.

        Raises:
            ImportFailedError: it cannot be read, has nothing to show, or the log or the workers do not go on.
        """
        try:
            await self._reader.wait_caught_up()
            await self._broadcast.open()
            self._progress.video_id = self._broadcast.video_id
            await self._read(path)
            await self._broadcast.finish()
            self._check(read=path)
            await self._until_done(self._broadcast.segment)
        except BaseException as error:
            await self._give_up()
            if isinstance(error, LogError | UnsupportedMediaError):
                raise ImportFailedError(f"the import of {path} stopped: {error}; import it again") from error
            raise
        await self._end(self._channel.keep_days)
        return self._broadcast.video_id

    async def _read(self, path: Path) -> None:
        """Read the file in a thread; the tags come back to the loop one by one, which holds the thread back."""
        loop = asyncio.get_running_loop()

        def on_tag(kind: int, at_ms: int, body: bytes) -> None:
            asyncio.run_coroutine_threadsafe(self._feed(kind, at_ms, body), loop).result()

        def read() -> None:
            try:
                with av.open(str(path), "r") as given:
                    self._length_s = given.duration / av.time_base if given.duration else None
                    self._base_ms = self._clock.now_ms() - round((self._length_s or 0) * 1000)
                    push.send(given, av.open(FlvTags(on_tag), "w", format="flv", options=push.FLV), self._sent)
            except (av.FFmpegError, OSError, push.PushError) as error:
                raise ImportFailedError(f"cannot read {path}: {error}") from error

        reading = asyncio.create_task(asyncio.to_thread(read), name="import-read")
        try:
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            self._stopping = True
            await asyncio.wait({reading})
            raise

    async def _feed(self, kind: int, at_ms: int, body: bytes) -> None:
        if self._stopping:
            raise ImportFailedError("the import was stopped")
        await self._room()
        self._at_ms = max(self._at_ms, at_ms)
        if kind == VIDEO:
            self._broadcast.feed_video(at_ms, body)
        elif kind == AUDIO:
            self._broadcast.feed_audio(at_ms, body)

    async def _room(self) -> None:
        """Wait while the log or the workers are behind."""
        await self._wait(
            lambda: not self._broadcast.overfull and self._broadcast.segment - self._progress.done <= AHEAD
        )

    async def _until_done(self, last: int) -> None:
        await self._wait(lambda: self._progress.done >= last, finished=True)

    async def _wait(self, condition: Callable[[], bool], *, finished: bool = False) -> None:
        """Wait for a condition, as long as there is progress.

        Raises:
            ImportFailedError: there was none for `PATIENCE_S`.
        """
        seen, since_s = self._progress.events, time.monotonic()
        while not condition():
            self._check()
            self._tell(finished=finished)
            await asyncio.sleep(LOOK_S)
            if self._progress.events != seen:
                seen, since_s = self._progress.events, time.monotonic()
            elif time.monotonic() - since_s > PATIENCE_S or self._stopping:
                raise ImportFailedError(
                    f"the workers did nothing for {PATIENCE_S:.0f} s: does `logcast up` (or a worker) run? Then import again"
                )
        self._tell(finished=finished)

    def _check(self, read: Path | None = None) -> None:
        if read is not None and self._broadcast.segment < 0:
            raise ImportFailedError(f"{read} has no picture and no sound that can be shown")
        if self._broadcast.failure is not None:
            raise ImportFailedError(f"the log did not take it ({self._broadcast.failure}); import the file again")

    async def _give_up(self) -> None:
        """Say that the video is over and not kept."""
        if self._progress.video_id:
            await asyncio.shield(self._end(0))

    async def _end(self, keep_days: int | None) -> None:
        now_ms = self._clock.now_ms()
        video = dataclasses.replace(
            self._broadcast.video,
            state=VideoState.ENDED,
            started_ms=self._base_ms or now_ms,
            changed_ms=now_ms,
            ended_ms=(self._base_ms or now_ms) + max(0, self._at_ms),
            last_segment=self._broadcast.segment,
        )
        if keep_days is not None:
            video = dataclasses.replace(video, keep_days=keep_days)
        await self._producer.deliver(VIDEOS, video.video_id, video)

    def _sent(self, now: push.Progress) -> None:
        self._read_s = now.media_s

    def _tell(self, *, finished: bool) -> None:
        state = ImportState(self._read_s, self._length_s, self._broadcast.segment, self._progress.done, finished)
        self._report(state)

    def _now_ms(self) -> int:
        """Wall clock of what is read now; before the first tag, of the import itself."""
        return self._clock.now_ms() if self._at_ms < 0 else self._base_ms + self._at_ms
