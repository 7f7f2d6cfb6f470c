"""A viewer without a screen: reads playlists strictly, downloads media, decodes it."""

import io
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from urllib.parse import urljoin

import av
import httpx

from tests.gateway.playlist_reader import ReadPlaylist, ReadSegment, attributes, read
from tests.waiting import eventually_async

LIVE_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Variant:
    """A rendition as the multivariant playlist has it; height 0 for sound alone."""

    name: str
    url: str
    height: int


class HlsViewer:
    """Follows one channel."""

    def __init__(self, http: httpx.AsyncClient, master_url: str) -> None:
        self._http = http
        self.master_url = master_url

    async def variants(self) -> list[Variant]:
        """Every rendition, the sound too; empty while there is nothing to play."""
        answer = await self._http.get(self.master_url)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        answer.raise_for_status()
        found, height = [], 0
        for line in answer.text.splitlines():
            if line.startswith("#EXT-X-STREAM-INF:"):
                size = attributes(line.partition(":")[2]).get("RESOLUTION", "0x0")
                height = int(size.partition("x")[2])
            elif line.startswith("#EXT-X-MEDIA:"):
                found.append(self._variant(attributes(line.partition(":")[2])["URI"], 0))
            elif line and not line.startswith("#"):
                found.append(self._variant(line, height))
        return found

    def _variant(self, uri: str, height: int) -> Variant:
        return Variant(uri.split("/")[-2], urljoin(self.master_url, uri), height)

    async def live(self, names: set[str], seconds: float = 0.1) -> dict[str, Variant]:
        """Wait until exactly these renditions are there with so many seconds each; gives them by name."""

        async def look() -> dict[str, Variant] | None:
            found = {variant.name: variant for variant in await self.variants()}
            if found.keys() != names:
                return None
            lengths = [length_s(await self.playlist(variant)) for variant in found.values()]
            return found if min(lengths) >= seconds else None

        found = await eventually_async(look, LIVE_DEADLINE_S, f"{seconds} s of {sorted(names)}")
        assert found is not None
        return found

    async def playlist(self, variant: Variant) -> ReadPlaylist:
        """The media playlist now, checked."""
        answer = await self._http.get(variant.url)
        answer.raise_for_status()
        return read(answer.text)

    async def get(self, variant: Variant, uri: str) -> bytes:
        """What a URI of the playlist leads to."""
        answer = await self._http.get(urljoin(variant.url, uri))
        answer.raise_for_status()
        return answer.content

    async def media(self, variant: Variant, playlist: ReadPlaylist) -> bytes:
        """Every whole segment of the playlist behind its init segment (the same one for all)."""
        (init,) = {segment.map for segment in playlist.whole}
        pieces = [await self.get(variant, init)]
        pieces += [await self.get(variant, segment.uri) for segment in playlist.whole]
        return b"".join(pieces)

    async def ended(self, variant: Variant, deadline_s: float = 60.0) -> ReadPlaylist:
        """Wait for ENDLIST; gives the last playlist."""

        async def look() -> ReadPlaylist | None:
            playlist = await self.playlist(variant)
            return playlist if playlist.ended else None

        playlist = await eventually_async(look, deadline_s, f"the end of {variant.name}")
        assert playlist is not None
        return playlist

    async def newer_than(self, variant: Variant, wall_ms: float, deadline_s: float) -> ReadPlaylist:
        """Wait for a part that was captured after a moment; the server may be away, or say 503, but never 404."""

        async def look() -> ReadPlaylist | None:
            try:
                playlist = await self.playlist(variant)
            except httpx.TransportError:
                return None
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    raise
                return None
            return playlist if newest_part_ms(playlist) > wall_ms else None

        what = f"a part of {variant.name} that was captured afterwards"
        playlist = await eventually_async(look, deadline_s, what)
        assert playlist is not None
        return playlist


def segment_s(segment: ReadSegment) -> float:
    """Seconds of a segment, of its parts so far when it is open."""
    return segment.duration or sum(part[1] for part in segment.parts)


def length_s(playlist: ReadPlaylist) -> float:
    """Seconds of media."""
    return sum(segment_s(segment) for segment in playlist.segments)


def newest_part_ms(playlist: ReadPlaylist) -> float:
    """Wall clock at which the capture of the newest part began."""
    if not playlist.segments:
        return 0.0
    last = playlist.segments[-1]
    before_s = sum(part[1] for part in last.parts[:-1])
    return datetime.fromisoformat(last.date).timestamp() * 1000 + before_s * 1000


def frame_times(media: bytes) -> list[Fraction]:
    """The times in seconds of all pictures that a decoder makes of the media, in order of display."""
    with av.open(io.BytesIO(media), "r") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [frame.pts * stream.time_base for frame in container.decode(stream) if frame.pts is not None]
