"""A whole gateway on a real port, without a log: tests fold the events of real media into it, all at once or in real time."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from gateway.app import create_app
from gateway.feed_socket import FeedProtocol
from gateway.state import GatewayState
from schemas.events import Event, VideoState
from stores.log_reader import Place
from stores.segments import LocalSegmentStore
from stores.settings import Settings
from tests.gateway.real_media import Reel
from tests.gateway.tape import START_MS, video

DEADLINE_S = 60.0
PART_S = 0.2


@dataclass
class Theatre:
    """A running gateway.

    Attributes:
        url: where it listens.
        fold: fold events, from any thread; returns once they are folded.
    """

    url: str
    state: GatewayState
    store: LocalSegmentStore
    run: Callable[[Callable[[], None]], None]

    def fold(self, *events: Event) -> None:
        """Fold events as the log reader does, one batch."""

        def folding() -> None:
            for event in events:
                for subscription in self.state.subscriptions:
                    if type(event).__name__ in subscription.topic.events:
                        subscription.handler(event, Place(subscription.topic.name, 0, 0, self.state.clock()))
            self.state.batch_folded()

        self.run(folding)

    def stored(self, reels: Sequence[Reel]) -> None:
        """Put the bytes of renditions into the hot store."""
        for reel in reels:
            for name, data in reel.stored.items():
                self.store.put(name, data)

    def show(self, *reels: Reel, channel: str = "ann") -> None:
        """A finished video with these renditions."""
        self.stored(reels)
        video_id, last = reels[0].video_id, reels[0].segments - 1
        ended_ms = START_MS + reels[0].segments * 1000
        self.fold(video(video_id=video_id, channel=channel), *(event for reel in reels for event in reel.events()))
        self.fold(video(VideoState.ENDED, video_id=video_id, channel=channel, last_segment=last, ended_ms=ended_ms))

    @contextmanager
    def broadcasting(self, *reels: Reel, already: int, channel: str = "ann") -> Iterator[None]:
        """A live video: `already` segments at once, the rest in real time while the block runs."""
        self.stored(reels)
        past = (event for reel in reels for event in reel.events(range(already)))
        self.fold(video(video_id=reels[0].video_id, channel=channel), *past)
        stop = threading.Event()
        publisher = threading.Thread(target=self._publish, args=(reels, already, stop), daemon=True)
        publisher.start()
        try:
            yield
        finally:
            stop.set()
            publisher.join(DEADLINE_S)

    def _publish(self, reels: Sequence[Reel], first: int, stop: threading.Event) -> None:
        due = time.monotonic()
        for number in range(first, reels[0].segments):
            for index in range(len(reels[0].chunks(number))):
                due += PART_S
                if stop.wait(max(0.0, due - time.monotonic())):
                    return
                self.fold(*(reel.parts(number)[index] for reel in reels))
            self.fold(*(reel.closed(number) for reel in reels))


@contextmanager
def open_theatre(settings: Settings) -> Iterator[Theatre]:
    """Serve a gateway from a thread; its clock stands at the time of the media."""
    state = GatewayState(settings, lambda: START_MS + 5_000)
    config = uvicorn.Config(
        create_app(settings, state),
        port=0,
        log_level="warning",
        ws=FeedProtocol,
        ws_per_message_deflate=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + DEADLINE_S
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    assert server.started
    loop = server.servers[0].get_loop()

    def run(call: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def calling() -> None:
            try:
                call()
                done.set_result(None)
            except Exception as error:  # noqa: BLE001  (it is raised where the result is awaited)
                done.set_exception(error)

        loop.call_soon_threadsafe(calling)
        done.result(DEADLINE_S)

    port = server.servers[0].sockets[0].getsockname()[1]
    yield Theatre(f"http://127.0.0.1:{port}", state, LocalSegmentStore(settings.segments_path), run)
    run(state.stop)
    server.should_exit = True
    thread.join(DEADLINE_S)
