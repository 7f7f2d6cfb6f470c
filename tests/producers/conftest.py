"""A real ingest in the test's own loop, what it wrote, and real publishers."""

import asyncio
import contextlib
import dataclasses
import io
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
import pytest

from producers.ingest import run_ingest
from schemas.events import Event, GopClosed, GopOpened, IngestMeasured, MediaChunk, Track, VideoChanged
from schemas.topics import INGEST_HEALTH, MEDIA_GOPS, MEDIA_SOURCE, VIDEOS
from stores.accounts import Accounts
from stores.log_reader import LogReader, Subscription
from stores.settings import Settings
from tests.conftest import free_ports
from tests.waiting import eventually_async


@dataclass
class Seen:
    """What is on the log."""

    events: list[Event] = field(default_factory=list)

    def chunks(self, channel: str, track: Track = Track.VIDEO) -> list[MediaChunk]:
        chunks = [e for e in self.events if isinstance(e, MediaChunk) and e.channel == channel and e.track is track]
        return sorted(chunks, key=lambda c: (c.gop, c.index))

    def videos(self, channel: str) -> list[VideoChanged]:
        return [e for e in self.events if isinstance(e, VideoChanged) and e.channel == channel]

    def opened(self, channel: str) -> list[GopOpened]:
        return [e for e in self.events if isinstance(e, GopOpened) and e.channel == channel]

    def closed(self, channel: str) -> list[GopClosed]:
        return [e for e in self.events if isinstance(e, GopClosed) and e.channel == channel]

    def measured(self, channel: str) -> list[IngestMeasured]:
        return [e for e in self.events if isinstance(e, IngestMeasured) and e.channel == channel]


@contextlib.asynccontextmanager
async def log_of(settings: Settings) -> AsyncIterator[Seen]:
    """Everything on the ingest's topics, as it comes."""
    seen = Seen()
    topics = (MEDIA_SOURCE, MEDIA_GOPS, VIDEOS, INGEST_HEALTH)
    subscriptions = [Subscription(topic, lambda event, _place: seen.events.append(event)) for topic in topics]
    async with LogReader(settings, subscriptions, role="test"):
        yield seen


@pytest.fixture
async def keys(topics: Settings) -> dict[str, str]:
    """Stream keys by channel."""
    async with Accounts.open(topics) as accounts:
        return {name: (await accounts.create_channel(name)).stream_key for name in ("one", "two")}


@contextlib.asynccontextmanager
async def ingest_of(settings: Settings) -> AsyncIterator[str]:
    """An ingest that runs; gives the address to publish to, before the key."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_ingest(settings, stop))
    try:
        await eventually_async(lambda: listens(settings, running), what="the ingest's port")
        yield f"rtmp://127.0.0.1:{settings.rtmp_port}/live/"
    finally:
        stop.set()
        await running


async def listens(settings: Settings, running: "asyncio.Task[None]") -> bool:
    if running.done():
        running.result()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", settings.rtmp_port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
def ingest_settings(topics: Settings) -> Settings:
    """Settings with ports of their own and a short grace time."""
    rtmp, health = free_ports(2)
    return topics.model_copy(update={"rtmp_port": rtmp, "health_port_ingest": health, "grace_s": 30})


@pytest.fixture
async def ingest(ingest_settings: Settings) -> AsyncIterator[str]:
    """The address of an ingest."""
    async with ingest_of(ingest_settings) as address:
        yield address


@dataclass(frozen=True)
class Clip:
    """A file to publish, and what is in it."""

    path: Path
    video_frames: int
    audio_frames: int


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Clip]:
    """Makes FLV files with ffmpeg: 320x180, H.264 and AAC."""
    made: dict[tuple[str, ...], Clip] = {}

    def make(seconds: float = 4, *options: str, video: bool = True, audio: bool = True) -> Clip:
        key = (str(seconds), *options, str(video), str(audio))
        if key not in made:
            path = tmp_path_factory.mktemp("clip") / "clip.flv"
            made[key] = make_flv(path, seconds, options, video=video, audio=audio)
        return made[key]

    return make


def make_flv(path: Path, seconds: float, options: tuple[str, ...], *, video: bool, audio: bool) -> Clip:
    import subprocess

    inputs = []
    if video:
        inputs += ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"]
    if audio:
        inputs += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    encode = (
        ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-bf", "0", "-pix_fmt", "yuv420p", *options]
        if video
        else []
    )
    encode += ["-c:a", "aac"] if audio else []
    argv = ["ffmpeg", "-v", "error", "-y", *inputs, "-t", str(seconds), *encode, "-f", "flv", str(path)]
    subprocess.run(argv, check=True)
    with av.open(str(path)) as container:
        count = {"video": 0, "audio": 0}
        for packet in container.demux():
            if packet.size:
                count[packet.stream.type] += 1
    return Clip(path, count["video"], count["audio"])


@dataclass
class Push:
    """A running `ffmpeg -re -c copy`."""

    process: asyncio.subprocess.Process

    async def ended(self) -> tuple[int, str]:
        """Exit code and what it said."""
        _, said = await asyncio.wait_for(self.process.communicate(), 60)
        return self.process.returncode or 0, said.decode(errors="replace")


async def push(clip: Clip, url: str, *options: str) -> Push:
    """Publish a file with ffmpeg, as a streamer would."""
    argv = ["ffmpeg", "-v", "warning", "-re", *options, "-i", str(clip.path), "-c", "copy", "-f", "flv", url]
    process = await asyncio.create_subprocess_exec(
        *argv, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    return Push(process)


def decoded_frames(chunks: list[MediaChunk]) -> int:
    """How many frames a decoder makes of the init segment of the first chunk and all data."""
    assert chunks[0].init is not None
    data = chunks[0].init + b"".join(c.data for c in chunks)
    with av.open(io.BytesIO(data), "r") as container:
        return len(list(container.decode(container.streams[0])))


def contiguous(chunks: list[MediaChunk]) -> bool:
    """Whether each chunk begins where the one before ended, in media time."""
    return all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(chunks))


def without_data(chunk: MediaChunk) -> MediaChunk:
    return dataclasses.replace(chunk, data=b"", init=None)
