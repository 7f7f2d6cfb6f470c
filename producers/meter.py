"""How a publisher's stream arrives: counts between two looks, and what holds for the whole connection. Pure: time is given.

A `Meter` hears of every frame as it comes off the wire, before anything is made of it, and of every chunk that was made;
`measured` gives the event of the time since the last one. What the log says of the same media (bitrate of renditions,
missing parts) is not measured here.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from media.packaged import Chunk, PackagerCounts
from media.timeline import is_jump
from schemas.events import IngestMeasured

KEYFRAMES: Final = 4
"""The keyframe interval is the longest of so many: one odd keyframe (a scene cut) does not hide the rest."""
REPORT_MS: Final = 2_000
"""So often a publisher's stream is measured."""
MAX_PROBLEM: Final = 300


@dataclass(slots=True)
class _Span:
    """What came since the last measurement."""

    video_bytes: int = 0
    audio_bytes: int = 0
    video_frames: int = 0
    audio_frames: int = 0
    silence_ms: int = 0
    media_ms: int = 0
    leapt: bool = False


@dataclass(slots=True)
class _Tracks:
    """What the chunks say of picture and sound."""

    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    video_codecs: str = ""
    audio_codecs: str = ""
    sample_rate: int = 0
    channels: int = 0


class Meter:
    """Of one connection.

    Attributes:
        encoder: what the publisher calls itself; empty: it does not say.
        held_back: times that it was held back.
    """

    def __init__(self, connected_ms: int) -> None:
        self.encoder = ""
        self.held_back = 0
        self._connected_ms = connected_ms
        self._from_ms = connected_ms
        self._heard_ms = connected_ms
        self._problem = ""
        self._span = _Span()
        self._tracks = _Tracks()
        self._timestamp_ms: int | None = None
        self._key_gaps: deque[int] = deque(maxlen=KEYFRAMES)
        self._media_since_keyframe_ms = -1
        self._composition_ms: int | None = None
        self._reordered = False
        self._leaps = 0

    def video(self, timestamp_ms: int, composition_ms: int, size: int, now_ms: int, *, keyframe: bool) -> None:
        """A picture came."""
        self._heard(now_ms)
        self._span.video_bytes += size
        self._span.video_frames += 1
        self._reordered = self._reordered or self._composition_ms not in {None, composition_ms}
        self._composition_ms = composition_ms
        self._advance(timestamp_ms)
        if keyframe:
            if self._media_since_keyframe_ms > 0:
                self._key_gaps.append(self._media_since_keyframe_ms)
            self._media_since_keyframe_ms = 0

    def _advance(self, timestamp_ms: int) -> None:
        last_ms, self._timestamp_ms = self._timestamp_ms, timestamp_ms
        if last_ms is None:
            return
        if is_jump(last_ms, timestamp_ms):
            self._leaps += 1
            self._span.leapt = True
            self._media_since_keyframe_ms = -1
            return
        self._span.media_ms += timestamp_ms - last_ms
        if self._media_since_keyframe_ms >= 0:
            self._media_since_keyframe_ms += timestamp_ms - last_ms

    def audio(self, size: int, now_ms: int) -> None:
        """A frame of sound came."""
        self._heard(now_ms)
        self._span.audio_bytes += size
        self._span.audio_frames += 1

    def chunk(self, chunk: Chunk) -> None:
        """A chunk was made: it says what the media is."""
        if chunk.track == "video":
            self._tracks.width, self._tracks.height = chunk.width, chunk.height
            self._tracks.frame_rate, self._tracks.video_codecs = chunk.frame_rate, chunk.codecs
        else:
            self._tracks.audio_codecs = chunk.codecs
            self._tracks.sample_rate, self._tracks.channels = chunk.sample_rate, chunk.channels

    def went_wrong(self, problem: str) -> None:
        """Something happened that the streamer should know; the next measurement says it. The first of a span wins."""
        self._problem = self._problem or problem[:MAX_PROBLEM]

    def is_due(self, now_ms: int) -> bool:
        """Whether it is time for the next measurement; something wrong does not wait."""
        return bool(self._problem) or now_ms - self._from_ms >= REPORT_MS

    def measured(
        self, video_id: str, channel: str, now_ms: int, counts: PackagerCounts, *, left: bool = False
    ) -> IngestMeasured:
        """The time since the last measurement; begins the next."""
        span, self._span = self._span, _Span()
        problem, self._problem = self._problem, ""
        from_ms, self._from_ms = self._from_ms, now_ms
        return IngestMeasured(
            video_id=video_id,
            channel=channel,
            connected_ms=self._connected_ms,
            measured_ms=now_ms,
            span_ms=max(now_ms - from_ms, 0),
            left=left,
            problem=problem,
            encoder=self.encoder,
            video_bytes=span.video_bytes,
            audio_bytes=span.audio_bytes,
            video_frames=span.video_frames,
            audio_frames=span.audio_frames,
            media_ms=-1 if span.leapt or not span.video_frames else span.media_ms,
            keyframe_ms=max(self._key_gaps, default=0),
            since_keyframe_ms=self._media_since_keyframe_ms,
            silence_ms=max(span.silence_ms, now_ms - max(self._heard_ms, from_ms)),
            width=self._tracks.width,
            height=self._tracks.height,
            frame_rate=self._tracks.frame_rate,
            video_codecs=self._tracks.video_codecs,
            audio_codecs=self._tracks.audio_codecs,
            sample_rate=self._tracks.sample_rate,
            channels=self._tracks.channels,
            reordered=self._reordered,
            left_out=_left_out(counts),
            silence_inserted=counts.silence_inserted,
            leaps=self._leaps,
            held_back=self.held_back,
        )

    def _heard(self, now_ms: int) -> None:
        self._span.silence_ms = max(self._span.silence_ms, now_ms - max(self._heard_ms, self._from_ms))
        self._heard_ms = now_ms


def _left_out(counts: PackagerCounts) -> int:
    """Frames that could not be used; those before the first keyframe are no loss."""
    return counts.audio_out_of_time + counts.video_before_config + counts.audio_before_config
