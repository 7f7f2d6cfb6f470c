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
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av

from producers import push
from producers.broadcast import Broadcast, Clock, UnsupportedMediaError
from producers.flv_tags import AUDIO, VIDEO, FlvTags
from producers.import_progress import ImportProgress
from producers.outlet import DirectOutlet
from producers.video_index import VideoIndex
from schemas.events import Origin, VideoState
from schemas.topics import MEDIA_PARTS, VIDEOS
from stores.accounts import Channel
from stores.kafka import EventProducer, LogError
from stores.log_reader import LogReader, Subscription
from stores.settings import Settings

log = logging.getLogger(__name__)

AHEAD: Final = 30
"""Segments that may wait for the workers: enough to keep them busy, too few to be in the way of a live broadcast."""

PATIENCE_S: Final = 150.0
"""How long nothing at all may happen: longer than a worker takes to close a GOP that the log holds only in part (30 s),
to be missed by its group, and to be started again and read what it left."""

SAY_S: Final = 20.0
"""After so long without progress the import says in its log what it waits for, and again each time."""

AGAIN_S: Final = 45.0
"""After so long without progress the log is read by another reader: the one may hang in its client."""

LOOK_S: Final = 0.1
GIVE_UP_S: Final = 10.0
CLOCKS_MS: Final = 60_000
"""By how much the clocks of the workers may be behind this one: their records are looked for from so far back."""

LOG: Final = "the log to answer"
WRITTEN: Final = "the log to write what was read"


class ImportFailedError(RuntimeError):
    """The file cannot be imported; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ImportState:
    """Seconds of media read and their total (None: unknown), segments sent and done, whether all was read.

    `waits_for` says what comes next, for people: "the log to answer", "the workers: 240p of segment 3 of 9".
    """

    read_s: float
    length_s: float | None
    segments: int
    done: int
    finished: bool
    waits_for: str = ""


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
        self._watch = Subscription(MEDIA_PARTS, self._progress.apply, clock.now_ms() - CLOCKS_MS)
        self._reader = LogReader(settings, [self._watch], role="import")
        virtual = Clock(now_ms=self._now_ms, random_bytes=clock.random_bytes)
        self._broadcast = Broadcast(
            settings, channel, VideoIndex(), DirectOutlet(self._producer), virtual, origin=Origin.IMPORT
        )

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
            ImportFailedError: it cannot be read, has nothing to show, or the log or the workers do not go on; it says
                what was waited for.
        """
        try:
            await self._broadcast.open()
            self._progress.video_id = self._broadcast.video_id
            await self._read(path)
            await self._until(self._broadcast.finish(), WRITTEN)
            self._check(read=path)
            await self._until_done(self._broadcast.segment)
            await self._until(self._end(self._channel.keep_days), LOG, finished=True)
        except BaseException as error:
            await self._give_up()
            if isinstance(error, LogError | UnsupportedMediaError):
                raise ImportFailedError(f"the import of {path} stopped: {error}; import it again") from error
            raise
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
        try:
            await self._room()
        except BaseException:
            self._stopping = True  # what the muxer writes to close the file waits for nothing any more
            raise
        self._at_ms = max(self._at_ms, at_ms)
        if kind == VIDEO:
            self._broadcast.feed_video(at_ms, body)
        elif kind == AUDIO:
            self._broadcast.feed_audio(at_ms, body)

    async def _room(self) -> None:
        """Wait while the log or the workers are behind."""
        if self._broadcast.overfull:
            await self._wait(lambda: not self._broadcast.overfull, lambda: WRITTEN)
        due = self._broadcast.segment - AHEAD
        await self._wait(lambda: self._progress.done >= due, lambda: self._progress.missing(due))

    async def _until_done(self, last: int) -> None:
        await self._wait(lambda: self._progress.done >= last, lambda: self._progress.missing(last), finished=True)

    async def _until(self, work: Coroutine[None, None, object], what: str, *, finished: bool = False) -> None:
        """Do some work of the log's, as long as there is progress."""
        task = asyncio.create_task(work, name="import-write")
        try:
            await self._wait(task.done, lambda: what, finished=finished)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        task.result()

    async def _wait(self, condition: Callable[[], bool], what: Callable[[], str], *, finished: bool = False) -> None:
        """Wait for a condition, as long as there is progress; says what it waits for.

        Raises:
            ImportFailedError: there was none for `PATIENCE_S`.
        """
        seen, since_s = self._moves(), time.monotonic()
        say_s, again_s = since_s + SAY_S, since_s + AGAIN_S
        while not condition():
            self._check()
            self._tell(what(), finished=finished)
            await asyncio.sleep(LOOK_S)
            now_s = time.monotonic()
            if self._moves() != seen:
                seen, since_s = self._moves(), now_s
                say_s, again_s = now_s + SAY_S, now_s + AGAIN_S
            elif now_s - since_s > PATIENCE_S or self._stopping:
                raise ImportFailedError(
                    f"the import waited {PATIENCE_S:.0f} s for {what()}, and nothing came: does `logcast up` (with a "
                    "worker) run? Then import again"
                )
            elif now_s > say_s:
                log.warning("the import has waited %.0f s for %s", now_s - since_s, what())
                say_s = now_s + SAY_S
            elif now_s > again_s:
                await self._look_again()
                again_s = time.monotonic() + AGAIN_S
        self._tell("", finished=finished)

    async def _look_again(self) -> None:
        """Follow the workers with a new reader; what it reads a second time changes nothing."""
        await self._reader.__aexit__(None, None, None)
        self._reader = LogReader(self._settings, [self._watch], role="import")
        await self._reader.__aenter__()

    def _moves(self) -> tuple[int, ...]:
        """What changes when the workers or the log do something."""
        return self._progress.events, self._broadcast.backlog_bytes, self._producer.waiting

    def _check(self, read: Path | None = None) -> None:
        if read is not None and self._broadcast.segment < 0:
            raise ImportFailedError(f"{read} has no picture and no sound that can be shown")
        if self._broadcast.failure is not None:
            raise ImportFailedError(f"the log did not take it ({self._broadcast.failure}); import the file again")
        if self._reader.failed is not None and self._reader.failed.done():
            raise ImportFailedError(
                f"the log cannot be read ({self._reader.failed.exception()}); import the file again"
            )

    async def _give_up(self) -> None:
        """Say that the video is over and not kept; a log that does not answer is not waited for."""
        self._stopping = True
        if not self._progress.video_id:
            return
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await self._end(0)
        except (TimeoutError, LogError) as error:
            log.warning("the log was not told that video %s is over: %s", self._progress.video_id, error or LOG)

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

    def _tell(self, waits_for: str, *, finished: bool) -> None:
        segment, done = self._broadcast.segment, self._progress.done
        self._report(ImportState(self._read_s, self._length_s, segment, done, finished, waits_for))

    def _now_ms(self) -> int:
        """Wall clock of what is read now; before the first tag, of the import itself."""
        return self._clock.now_ms() if self._at_ms < 0 else self._base_ms + self._at_ms
