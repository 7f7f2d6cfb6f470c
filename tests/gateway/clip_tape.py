"""Events and bytes of a real clip, as a publisher and the workers make them."""

from dataclasses import replace
from pathlib import Path

from media.packaged import Chunk
from processors.parts import passed_on
from producers.broadcast import media_chunk
from schemas.events import Event, PartReady, SegmentClosed
from stores.segments import init_name
from tests.gateway.conftest import Gateway
from tests.gateway.tape import START_MS, VIDEO
from tests.media.test_packager_clips import Clip, Packaged, encode, package


class ClipTape:
    """A clip of `seconds` s, 30 pictures a second, with sound, as `source` and `audio` of one video."""

    def __init__(self, directory: Path, seconds: int = 6, b_frames: int = 2) -> None:
        path = directory / "clip.flv"
        encode(Clip("30", 30, b_frames, seconds, 44_100), path)
        self.packaged: Packaged = package(path)
        self.bytes: dict[str, bytes] = {}
        self.events: list[Event] = []
        self._make()

    def _make(self) -> None:
        inits: dict[str, str] = {}
        counts: dict[tuple[str, int], int] = {}
        for chunk in (out for out in self.packaged.outputs if isinstance(out, Chunk)):
            event = replace(media_chunk(VIDEO, "ann", chunk, START_MS), captured_ms=START_MS + _ms(chunk))
            rendition = "source" if chunk.track == "video" else "audio"
            if chunk.init is not None:
                inits[rendition] = init_name(VIDEO, rendition, chunk.init)
                self.bytes[inits[rendition]] = chunk.init
            ready = passed_on(event, inits[rendition])
            self.bytes[ready.name] = chunk.data
            self.events.append(ready)
            counts[rendition, ready.segment] = ready.part + 1
        self.last_segment = max(segment for _, segment in counts)
        self.events += [
            SegmentClosed(video_id=VIDEO, channel="ann", rendition=name, gop=segment, segment=segment, parts=parts)
            for (name, segment), parts in sorted(counts.items(), key=lambda item: item[0][1])
        ]

    def play(self, gateway: Gateway, without: tuple[int, ...] = ()) -> None:
        """Fold all of it, but for the segments `without`, and put the real bytes in place."""
        kept = [e for e in self.events if not (isinstance(e, PartReady) and e.segment in without)]
        gateway.fold(*kept)
        for name, data in self.bytes.items():
            gateway.store.put(name, data)


def _ms(chunk: Chunk) -> int:
    return chunk.dts * 1000 // chunk.timescale
