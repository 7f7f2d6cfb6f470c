"""A publisher that sends what it is told, when it is told: for turns in a stream that no encoder makes on demand."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from tests.rtmp_client import RtmpClient, aac_config, aac_frame, avc_config, avc_frame, open_publisher

START = "NetStream.Publish.Start"


@dataclass(frozen=True, slots=True)
class Tag:
    """An FLV tag body: at `at_ms` of the push it is sent, with `timestamp_ms` on it."""

    at_ms: int
    timestamp_ms: int
    video: bool
    body: bytes


def tags_of(path: Path, *, at_ms: int = 0, timestamp_ms: int | None = None) -> list[Tag]:
    """A file of H.264 and AAC as tags, configurations first, from these times on."""
    shift = at_ms if timestamp_ms is None else timestamp_ms
    with av.open(str(path), "r") as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        tags = [
            Tag(at_ms, shift, True, avc_config(bytes(video.codec_context.extradata or b""))),
            Tag(at_ms, shift, False, aac_config(bytes(audio.codec_context.extradata or b""))),
        ]
        frames = []
        for packet in container.demux(video, audio):
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            dts, pts = (max(0, round(value * packet.time_base * 1000)) for value in (packet.dts, packet.pts))
            data = bytes(packet)
            is_video = packet.stream is video
            body = (
                avc_frame(data, keyframe=packet.is_keyframe, composition_ms=pts - dts) if is_video else aac_frame(data)
            )
            frames.append(Tag(at_ms + dts, shift + dts, is_video, body))
    return tags + sorted(frames, key=lambda tag: tag.at_ms)


def pictures(tags: Sequence[Tag]) -> int:
    """How many of them are pictures."""
    return sum(tag.video and tag.body[1] == 1 for tag in tags)


async def send(port: int, key: str, tags: Sequence[Tag]) -> None:
    """Publish the tags in real time, then leave."""
    async with await open_publisher("127.0.0.1", port, stream_key=key) as publisher:
        assert await publisher.status() == START
        await publisher.send(publisher.client.set_chunk_size(65_536))
        began = time.monotonic()
        for tag in tags:
            await asyncio.sleep(max(0.0, tag.at_ms / 1000 - (time.monotonic() - began)))
            await publisher.send(b"".join(_messages(publisher.client, tag)))


def _messages(client: RtmpClient, tag: Tag) -> Iterator[bytes]:
    yield client.video(tag.timestamp_ms, tag.body) if tag.video else client.audio(tag.timestamp_ms, tag.body)
