"""An epoch led by video: one anchor, one configuration of each track, and no discontinuity inside.

Its IDR pictures open GOPs and, with them, segments; a GOP that lasts too long is cut into more segments.
Each such place in time is a boundary for audio, which crosses it later, with its own first frame at or after it:

    video   I--------I--------I---------          boundary: IDR, or the end of a part in a long GOP
    audio   ..|''''''''|''''''''|''''             crossed by the first frame that is not before it

An audio frame waits until video has passed it, because only then is it known which segment it is in. Neither track
waits longer than `audio_wait_ms`: audio that is further ahead goes to the open segment, and a boundary that audio has
not reached by then is crossed without it. A GOP closes when audio has crossed the boundary that ends it.

Audio that was announced and does not come (it starts late, ends early, is muted by sending none) is made of silence,
so that nobody's playback waits for it: after FILL_AFTER_MS, and from then on close behind video until some comes. Audio
that comes after all, too late by then, is waited for so much longer the next time. Where no silent frame is known (see
`media.aac`), there is a hole.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from media.audio_epoch import AudioFrame, AudioTrack
from media.cmaf import Sample
from media.packaged import GopClosed, GopOpened, Output, PackagerCounts, PackagerSettings, StartPosition
from media.timeline import JUMP_MS, TICKS_PER_MS, Anchor, VideoClock, VideoTime
from media.tracks import TrackFormat, TrackWriter

SEGMENT_SLACK_MS = 400  # TARGETDURATION is rounded: a segment may last almost half a second more
_DEFAULT_FRAME_MS = 40
_STALL_FRAMES = 3
FILL_AFTER_MS = 3000  # more than publishers send one track behind the other
_FILL_LAG_MS = 250
_LONGER_MS = 1000


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """An access unit as the publisher timed it, with 4-byte NAL unit lengths."""

    timestamp_ms: int
    composition_ms: int
    idr: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Held:
    """The newest access unit: its duration is known when the next one comes."""

    time: VideoTime
    unit: VideoUnit

    def sample(self, duration: int) -> Sample:
        return Sample(self.unit.data, self.time.dts, self.time.cts_offset, duration, self.unit.idr)


@dataclass(frozen=True, slots=True)
class _Boundary:
    """Where segment `segment` begins, in ticks of video; `closes` is the GOP that ends there, if one does."""

    dts: int
    gop: int
    segment: int
    closes: GopClosed | None


class VideoEpoch:
    """An epoch led by video; `audio` may join at any time."""

    def __init__(
        self,
        settings: PackagerSettings,
        start: StartPosition,
        anchor: Anchor,
        video: TrackWriter,
        counts: PackagerCounts,
    ) -> None:
        self.anchor = anchor
        self.video_format = video.format
        self.last_timestamp_ms = 0
        self._settings = settings
        self._start = start
        self._counts = counts
        self._video = video
        self._clock = VideoClock(anchor)
        self._held: _Held | None = None
        self._frame_ticks = _DEFAULT_FRAME_MS * TICKS_PER_MS
        self._gop = start.gop - 1
        self._segment = start.segment - 1
        self._first_segment = start.segment
        self._gop_dts = 0
        self._segment_dts = 0
        self._end = 0
        self._audio: AudioTrack | None = None
        self._audio_from_ms = 0
        self._fills = False
        self._patience_ms = FILL_AFTER_MS
        self._boundaries: deque[_Boundary] = deque()
        video.begin(start, anchor)
        if rate := video.format.announced_rate:
            self._frame_ticks = max(1, int(1000 * TICKS_PER_MS / rate))

    @property
    def due_timestamp_ms(self) -> int:
        """What the next access unit's timestamp should be."""
        return self.last_timestamp_ms + max(1, self._frame_ticks // TICKS_PER_MS)

    @property
    def audio_format(self) -> TrackFormat | None:
        """The audio that joined, if any has."""
        return self._audio.writer.format if self._audio else None

    def join_audio(self, writer: TrackWriter) -> None:
        """Let audio join; its first frame goes to the open segment. There must be one: a first access unit came."""
        writer.begin(self._start, self.anchor)
        self._audio = AudioTrack(writer, self.anchor, self._start.media_time_ms, self._counts)
        self._audio_from_ms = self._segment_dts // TICKS_PER_MS
        if self._audio.fills:
            self._begin_audio(self._audio)

    def is_stalled(self, timestamp_ms: int) -> bool:
        """Whether video is so far behind audio at `timestamp_ms` that audio must go on without it.

        It is when the open segment is too long already, and video is late beyond what its frames are apart.
        """
        behind_ms = timestamp_ms - self.last_timestamp_ms
        usual_ms = self._settings.audio_wait_ms + _STALL_FRAMES * self._frame_ticks // TICKS_PER_MS
        open_ms = self.anchor.media_ms(timestamp_ms) - self._segment_dts // TICKS_PER_MS
        return behind_ms > JUMP_MS or (behind_ms > usual_ms and open_ms > self._settings.segment_max_ms)

    def video(self, unit: VideoUnit) -> list[Output]:
        """Take the next access unit; the epoch's first must be an IDR picture."""
        self.last_timestamp_ms = unit.timestamp_ms
        time = self._clock.place(unit.timestamp_ms, unit.composition_ms, idr=unit.idr)
        opens = unit.idr and self._may_open_gop(time.dts)
        out = self._complete_held(time.dts, ends=opens)
        if opens:
            out += self._open_gop(time.dts)
        self._held = _Held(time, unit)
        return out + self._advance_audio()

    def audio(self, frame: AudioFrame) -> list[Output]:
        """Take the next audio frame, of the format that joined."""
        assert self._audio is not None
        waiting = len(self._audio.waiting)
        self._audio.place(frame, self._audio_from_ms)
        if self._fills and len(self._audio.waiting) == waiting:
            late_ms = self.last_timestamp_ms - frame.timestamp_ms
            self._patience_ms = max(self._patience_ms, min(late_ms + _LONGER_MS, JUMP_MS))
        self._fills = False
        return self._advance_audio()

    def finish(self, next_timestamp_ms: int | None = None) -> tuple[list[Output], list[AudioFrame]]:
        """End the epoch; audio timed from `next_timestamp_ms` on is given back, to go into the next one.

        The last access unit ends where the next one begins, or lasts as long as the one before it.
        """
        self._end = self._end_dts(next_timestamp_ms)
        out = self._complete_held(self._end, ends=True)
        out += self._video.end_segment()
        later: list[AudioFrame] = []
        if self._audio and next_timestamp_ms is not None:
            later = self._audio.take_from(next_timestamp_ms)
        if self._audio:
            self._fill(self._audio, self._end // TICKS_PER_MS, _FILL_LAG_MS)
            while self._audio.waiting:
                out += self._admit(self._audio)
            while self._boundaries:
                out += self._cross(self._audio)
        return out + self._close_last_gop(), later

    def position(self) -> StartPosition:
        """Where the next epoch starts, once this one is finished."""
        video_ms = -(-max(self._video.end, self._end) // TICKS_PER_MS)
        media_ms = max(video_ms, self._audio.end_ms() if self._audio else 0)
        wall_ms = self.anchor.wall_ms(media_ms)
        numbers = self._gop + 1, self._segment + 1, self._start.epoch + 1
        return StartPosition(*numbers, media_ms, wall_ms, self._start.ladder_below)

    def _end_dts(self, next_timestamp_ms: int | None) -> int:
        assert self._held is not None
        begun = self._held.time.dts
        if next_timestamp_ms is None:
            return begun + self._frame_ticks
        following = self.anchor.media_ms(next_timestamp_ms) * TICKS_PER_MS
        return following if following > begun else begun + self._frame_ticks

    def _may_open_gop(self, dts: int) -> bool:
        return self._held is None or dts - self._gop_dts >= self._settings.segment_min_ms * TICKS_PER_MS

    def _complete_held(self, end_dts: int, *, ends: bool) -> list[Output]:
        """Write what the newest access unit completes, now that its end is known; all of it when its GOP `ends`."""
        if self._held is None:
            return []
        self._frame_ticks = end_dts - self._held.time.dts
        parts = self._video.add(self._held.sample(self._frame_ticks))
        if ends:
            parts += self._video.flush()
        out: list[Output] = []
        for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            if not self._has_room((part[-1].dts + part[-1].duration - part[0].dts) / TICKS_PER_MS):
                out += self._open_segment(part[0].dts)
            out.append(self._video.write(part))
            if (left or not ends) and not self._has_room(self._video.part_target_ms):
                out += self._open_segment(self._video.end)
        return out

    def _has_room(self, part_ms: float) -> bool:
        """Whether the open segment can take another part of this length."""
        lasts = self._video.segment_ms
        return lasts == 0 or lasts + part_ms <= self._settings.segment_max_ms + SEGMENT_SLACK_MS

    def _open_segment(self, dts: int) -> list[Output]:
        """Go on with another segment at the end of a part, inside a GOP; frames gathered already belong to it."""
        ended = self._video.ended()
        self._segment += 1
        self._segment_dts = dts
        self._video.open_segment(self._segment)
        return [ended, *self._mark(_Boundary(dts, self._gop, self._segment, None))]

    def _open_gop(self, dts: int) -> list[Output]:
        out: list[Output] = []
        closes = None
        if self._held is not None:
            out += self._video.end_segment()
            closes = self._gop_closed(0)
        self._gop += 1
        self._segment += 1
        self._first_segment = self._segment
        self._gop_dts = self._segment_dts = dts
        self._video.open_gop(self._gop, self._segment)
        media_ms = dts // TICKS_PER_MS
        if closes:
            out += self._mark(_Boundary(dts, self._gop, self._segment, closes))
        out.append(
            GopOpened(
                gop=self._gop,
                segment=self._segment,
                epoch=self._start.epoch,
                media_time_ms=media_ms,
                captured_ms=self.anchor.wall_ms(media_ms),
                ladder_below=self._start.ladder_below,
            )
        )
        return out

    def _gop_closed(self, audio_chunks: int) -> GopClosed:
        return GopClosed(
            gop=self._gop,
            first_segment=self._first_segment,
            last_segment=self._segment,
            video_chunks=self._video.chunks,
            audio_chunks=audio_chunks,
        )

    def _mark(self, boundary: _Boundary) -> list[Output]:
        """Leave a boundary for audio; where there is none, its GOP closes at once."""
        if self._audio and self._audio.begun:
            self._boundaries.append(boundary)
            return []
        return [boundary.closes] if boundary.closes else []

    def _close_last_gop(self) -> list[Output]:
        if self._audio and self._audio.begun:
            return [*self._audio.writer.end_segment(), self._gop_closed(self._audio.writer.chunks)]
        return [self._gop_closed(0)]

    def _advance_audio(self) -> list[Output]:
        audio, held = self._audio, self._held
        if not audio or not held:
            return []
        out: list[Output] = []
        wait_ms = self._settings.audio_wait_ms
        self._fill(audio, held.time.dts // TICKS_PER_MS, _FILL_LAG_MS if self._fills else self._patience_ms)
        while audio.waiting and (audio.is_before(audio.waiting[0][0], held.time.dts) or audio.waits_too_long(wait_ms)):
            out += self._admit(audio)
        if not audio.fills:
            while self._boundaries and held.time.dts - self._boundaries[0].dts > wait_ms * TICKS_PER_MS:
                out += self._cross(audio)
        return out

    def _fill(self, audio: AudioTrack, media_ms: int, after_ms: int) -> None:
        """Make silence of audio that is further behind than it may be."""
        if audio.fills and audio.behind_ms(self._audio_from_ms, media_ms) > after_ms:
            audio.fill(self._audio_from_ms, media_ms - _FILL_LAG_MS)
            self._fills = True

    def _begin_audio(self, audio: AudioTrack) -> None:
        audio.begun = True
        audio.writer.open_gop(self._gop, self._segment)

    def _admit(self, audio: AudioTrack) -> list[Output]:
        """Let the first waiting frame into the segment that it is in."""
        sample, _ = audio.waiting.popleft()
        out: list[Output] = []
        if not audio.begun:
            self._begin_audio(audio)
        while self._boundaries and not audio.is_before(sample, self._boundaries[0].dts):
            out += self._cross(audio)
        return out + [audio.writer.write(part) for part in audio.writer.add(sample)]

    def _cross(self, audio: AudioTrack) -> list[Output]:
        """Take audio over the first boundary."""
        boundary = self._boundaries.popleft()
        out = audio.writer.end_segment()
        if boundary.closes is None:
            audio.writer.open_segment(boundary.segment)
            return out
        out.append(replace(boundary.closes, audio_chunks=audio.writer.chunks))
        audio.writer.open_gop(boundary.gop, boundary.segment)
        return out
