"""Publishers of numbered pictures: one that comes back when it is cut, and the lossless client."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests.e2e.live_stack import Channel, LiveStack
from tests.e2e.publishing import Clip
from tests.e2e.raw_push import START, Tag, tags_of
from tests.rtmp_client import Publisher, open_publisher

AGAIN_S: Final = 0.2


@dataclass(slots=True)
class Run:
    """One connection: the number of its first picture, and how many were sent. `cut`: it did not end by itself."""

    first: int
    sent: int = 0
    cut: bool = False


class Push(Protocol):
    """Publishes until it is told to end."""

    runs: list[Run]

    async def publish(self) -> None:
        """Return when all is sent."""

    def end(self) -> None:
        """Send no more."""


@dataclass
class RtmpPush:
    """An encoder: real time, and after a cut the next keyframe that is due. Refusals are in `refusals`."""

    port: int
    key: str
    tags: Sequence[Tag]
    runs: list[Run] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, stack: LiveStack, key: str, clip: Clip) -> "RtmpPush":
        """Of a clip of numbered pictures."""
        return cls(stack.rtmp_port, key, tags_of(clip.path))

    def end(self) -> None:
        """Send no more."""
        self._ended.set()

    async def publish(self) -> None:
        """Until `end`, or the end of the clip."""
        configs, media = self.tags[:2], self.tags[2:]
        keyframes = [n for n, tag in enumerate(media) if tag.video and tag.body[0] == 0x17]
        began = time.monotonic()
        at = 0
        while not self._ended.is_set() and at < len(media):
            late_ms = (time.monotonic() - began) * 1000
            at = next((n for n in keyframes if n >= at and media[n].at_ms >= late_ms), len(media)) if at else 0
            if at == len(media):
                return
            number = sum(tag.video for tag in media[:at])
            try:
                async with await open_publisher("127.0.0.1", self.port, stream_key=self.key) as publisher:
                    status = await publisher.status()
                    if status != START:
                        self.refusals.append(status)
                        raise ConnectionRefusedError(status)
                    await publisher.send(publisher.client.set_chunk_size(65_536))
                    self.runs.append(Run(number))
                    at += await self._send(publisher, configs, media[at:], began)
                    self.refusals += publisher.replies.statuses()[1:]
            except (OSError, TimeoutError, EOFError):
                if self.runs:
                    self.runs[-1].cut = True
                at = max(at, 1)
                await asyncio.sleep(AGAIN_S)

    async def _send(self, publisher: Publisher, configs: Sequence[Tag], media: Sequence[Tag], began: float) -> int:
        """Send what is due until it is over; gives how many tags that were."""
        base_ms = media[0].timestamp_ms
        for tag in configs:
            await publisher.send(_message(publisher, tag, 0))
        for count, tag in enumerate(media):
            due_s = tag.at_ms / 1000 - (time.monotonic() - began)
            if due_s > 0:
                try:
                    async with asyncio.timeout(due_s):
                        await self._ended.wait()
                except TimeoutError:
                    pass
            if self._ended.is_set():
                return count
            await publisher.send(_message(publisher, tag, tag.timestamp_ms - base_ms))
            self.runs[-1].sent += tag.video
        return len(media)


def _message(publisher: Publisher, tag: Tag, timestamp_ms: int) -> bytes:
    make = publisher.client.video if tag.video else publisher.client.audio
    return make(timestamp_ms, tag.body)


@dataclass
class LosslessPush:
    """`logcast push --lossless` of a file, to its end."""

    stack: LiveStack
    channel: Channel
    path: Path
    frames: int
    runs: list[Run] = field(default_factory=list)

    def end(self) -> None:
        """It ends with its file."""

    async def publish(self) -> None:
        """Push the whole file."""
        to = ("--channel", self.channel.name, "--key", self.channel.key)
        done = await self.stack.run("push", str(self.path), "--lossless", *to)
        assert done.returncode == 0, done.stderr
        self.runs.append(Run(0, self.frames))
