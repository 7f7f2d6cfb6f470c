"""When parts can be had: a client that follows the playlists as low-latency HLS asks for.

It asks for the hinted part before that exists, and at the same time for the playlist that lists it; both answers come
when the part is there. Nothing is decoded before the measurement is over.
"""

import asyncio
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

import av
import httpx

from benchmarks.glass import stamp
from benchmarks.glass.publisher import luma_of
from tests.gateway.playlist_reader import ReadPlaylist, read

PART = re.compile(r"(\d+)\.(\d+)\.m4s$")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A part and the wall clock at which its last byte came."""

    at_ms: float
    data: bytes = field(repr=False)


@dataclass(slots=True)
class Recording:
    """What came of one rendition."""

    name: str
    init: bytes = b""
    arrivals: list[Arrival] = field(default_factory=list)

    def media(self) -> bytes:
        """All of it as one file."""
        return self.init + b"".join(arrival.data for arrival in self.arrivals)

    def seconds(self) -> float:
        """How much media it is."""
        with av.open(io.BytesIO(self.media()), "r") as container:
            stream = container.streams.video[0]
            durations = [packet.duration or 0 for packet in container.demux(stream)]
            return float(sum(durations) * (stream.time_base or 0))

    def latencies_ms(self) -> list[float]:
        """For each part, from the stamp of its last picture until it had come; where the stamp can be read."""
        stamps = dict(_stamps(self.media()))
        found = []
        for arrival in self.arrivals:
            stamped = stamps.get(_last_time(self.init + arrival.data))
            if stamped is not None:
                found.append(arrival.at_ms - stamped)
        return found


def _stamps(media: bytes) -> Iterator[tuple[int | None, int | None]]:
    """(presentation time, stamp) of every picture."""
    with av.open(io.BytesIO(media), "r") as container:
        for frame in container.decode(video=0):
            yield frame.pts, stamp.read(luma_of(frame))


def _last_time(media: bytes) -> int | None:
    """The presentation time of the last picture."""
    with av.open(io.BytesIO(media), "r") as container:
        return max((packet.pts for packet in container.demux(video=0) if packet.pts is not None), default=None)


class Follower:
    """Follows one rendition from its edge on."""

    def __init__(self, http: httpx.AsyncClient, name: str, url: str) -> None:
        self.recording = Recording(name)
        self._http = http
        self._url = url
        self._last = (-1, -1)

    async def run(self, until: float) -> Recording:
        """Follow until a moment of the monotonic clock."""
        playlist = read((await self._get(self._url)).decode())
        self._last = max(_places(playlist), default=(-1, -1))
        self.recording.init = await self._get(urljoin(self._url, playlist.segments[-1].map))
        while time.monotonic() < until and playlist.hints:
            playlist = await self._step(playlist)
        return self.recording

    async def _step(self, playlist: ReadPlaylist) -> ReadPlaylist:
        """Get what comes next, and the playlist that has it."""
        (hint,) = playlist.hints
        number, part = _place(hint)
        reload = f"{self._url}?_HLS_msn={number}&_HLS_part={part}"
        _, text = await asyncio.gather(self._take(hint), self._get(reload))
        after = read(text.decode())
        for segment in after.segments:
            for uri, *_ in segment.parts:
                if _place(uri) > self._last:  # the hint was wrong: a new segment began instead
                    await self._take(uri)
        return after

    async def _take(self, uri: str) -> None:
        answer = await self._http.get(urljoin(self._url, uri))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return
        answer.raise_for_status()
        self.recording.arrivals.append(Arrival(time.time() * 1000, answer.content))
        self._last = _place(uri)

    async def _get(self, url: str) -> bytes:
        answer = await self._http.get(url)
        answer.raise_for_status()
        return answer.content


def _places(playlist: ReadPlaylist) -> Iterator[tuple[int, int]]:
    return (_place(uri) for segment in playlist.segments for uri, *_ in segment.parts)


def _place(uri: str) -> tuple[int, int]:
    """(segment, part) of a part's URI."""
    found = PART.search(uri)
    assert found, f"expected SEGMENT.PART.m4s, found {uri}"
    return int(found[1]), int(found[2])
