"""Audio in an epoch: frames put in their place (`AudioTrack`), and audio without video (`AudioEpoch`)."""

from collections import deque
from dataclasses import dataclass, field

from media.cmaf import Sample
from media.packaged import GopClosed, GopOpened, Output, PackagerCounts, PackagerSettings, StartPosition
from media.timeline import TICKS_PER_MS, Anchor, AudioClock
from media.tracks import TrackFormat, TrackWriter

FILL_LIMIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """An audio frame as the publisher timed it."""

    timestamp_ms: int
    received_ms: int
    shape: TrackFormat = field(repr=False)
    data: bytes = field(repr=False)


class AudioTrack:
    """The audio of an epoch: placed frames that wait for admission."""

    def __init__(self, writer: TrackWriter, anchor: Anchor, start_ms: int, counts: PackagerCounts) -> None:
        shape = writer.format
        self.writer = writer
        self.waiting: deque[tuple[Sample, AudioFrame | None]] = deque()
        self.begun = False
        self._counts = counts
        self._anchor = anchor
        self._clock = AudioClock(anchor, start_ms, shape.timescale, shape.frame_length)
        self._fill_limit = FILL_LIMIT_MS * shape.timescale // (1000 * shape.frame_length) if shape.silence else 0

    def place(self, frame: AudioFrame, start_ms: int | None = None) -> None:
        """Let a frame wait, behind silence for those that are missing before it, the first one from `start_ms` on."""
        shape = self.writer.format
        if self.fills and start_ms is not None and self._clock.next_ms is None:
            frame_ms = 1000 * shape.frame_length // shape.timescale
            begins_ms = self._anchor.media_ms(frame.timestamp_ms)
            if begins_ms - start_ms <= FILL_LIMIT_MS:
                self.fill(start_ms, begins_ms - frame_ms)
        time = self._clock.place(frame.timestamp_ms, fill_limit=self._fill_limit)
        if time is None:
            self._counts.audio_out_of_time += 1
            return
        for back in range(time.missing, 0, -1):
            dts = time.dts - back * shape.frame_length
            self.waiting.append((Sample(shape.silence or b"", dts, 0, shape.frame_length, keyframe=True), None))
        self._counts.silence_inserted += time.missing
        self.waiting.append((Sample(frame.data, time.dts, 0, shape.frame_length, keyframe=True), frame))

    @property
    def fills(self) -> bool:
        """Whether silence can take the place of frames that do not come."""
        return self._fill_limit > 0

    def fill(self, start_ms: int, until_ms: int) -> None:
        """Put silence where nothing came, up to a media time; from `start_ms` on, if nothing came at all."""
        shape = self.writer.format
        for dts in self._clock.fill(start_ms, until_ms):
            self.waiting.append((Sample(shape.silence or b"", dts, 0, shape.frame_length, keyframe=True), None))
            self._counts.silence_inserted += 1

    def behind_ms(self, start_ms: int, media_ms: int) -> int:
        """How far audio is behind a media time; from `start_ms` on, if nothing came at all."""
        due_ms = self._clock.next_ms
        return media_ms - (start_ms if due_ms is None else due_ms)

    def is_before(self, sample: Sample, video_dts: int) -> bool:
        """Whether a sample begins before a time in ticks of video."""
        return sample.dts * 1000 * TICKS_PER_MS < video_dts * self.writer.format.timescale

    def waits_too_long(self, limit_ms: int) -> bool:
        """Whether more than `limit_ms` of audio waits."""
        return (self.waiting[-1][0].dts - self.waiting[0][0].dts) * 1000 > limit_ms * self.writer.format.timescale

    def take_from(self, timestamp_ms: int) -> list[AudioFrame]:
        """Take back the waiting frames that the publisher timed at or after `timestamp_ms`."""
        later = [frame for _, frame in self.waiting if frame and frame.timestamp_ms >= timestamp_ms]
        self.waiting = deque(item for item in self.waiting if item[1] is None or item[1].timestamp_ms < timestamp_ms)
        while self.waiting and self.waiting[-1][1] is None:
            self.waiting.pop()
        return later

    def end_ms(self) -> int:
        """Where media time stands, rounded up."""
        return -(-self.writer.end * 1000 // self.writer.format.timescale) if self.begun else 0


class AudioEpoch:
    """An epoch of audio alone: a GOP and its one segment every `lone_audio_gop_ms`."""

    def __init__(
        self,
        settings: PackagerSettings,
        start: StartPosition,
        anchor: Anchor,
        audio: TrackWriter,
        counts: PackagerCounts,
    ) -> None:
        self.anchor = anchor
        self.audio_format = audio.format
        self.last_timestamp_ms = 0
        self._settings = settings
        self._start = start
        self._gop = start.gop - 1
        self._gop_dts = 0
        self._track = AudioTrack(audio, anchor, start.media_time_ms, counts)
        audio.begin(start, anchor)

    def audio(self, frame: AudioFrame) -> list[Output]:
        """Take the next frame."""
        self.last_timestamp_ms = frame.timestamp_ms
        self._track.place(frame)
        out: list[Output] = []
        while self._track.waiting:
            out += self._admit(self._track.waiting.popleft()[0])
        return out

    def finish(self) -> list[Output]:
        """End the epoch."""
        return self._close_gop() if self._track.begun else []

    def position(self) -> StartPosition:
        """Where the next epoch starts, once this one is finished."""
        media_ms = max(self._track.end_ms(), self._start.media_time_ms)
        number = self._gop - self._start.gop + 1
        wall_ms = self.anchor.wall_ms(media_ms)
        numbers = self._gop + 1, self._start.segment + number, self._start.epoch + 1
        return StartPosition(*numbers, media_ms, wall_ms, self._start.ladder_below)

    def _admit(self, sample: Sample) -> list[Output]:
        writer = self._track.writer
        out: list[Output] = []
        lasted = (sample.dts - self._gop_dts) * 1000 >= self._settings.lone_audio_gop_ms * writer.format.timescale
        if self._track.begun and lasted:
            out += self._close_gop()
        if not self._track.begun or lasted:
            out.append(self._open_gop(sample.dts))
        return out + [writer.write(part) for part in writer.add(sample)]

    def _open_gop(self, dts: int) -> GopOpened:
        self._track.begun = True
        self._gop += 1
        self._gop_dts = dts
        segment = self._start.segment + self._gop - self._start.gop
        self._track.writer.open_gop(self._gop, segment)
        media_ms = dts * 1000 // self._track.writer.format.timescale
        return GopOpened(
            gop=self._gop,
            segment=segment,
            epoch=self._start.epoch,
            media_time_ms=media_ms,
            captured_ms=self.anchor.wall_ms(media_ms),
            ladder_below=self._start.ladder_below,
        )

    def _close_gop(self) -> list[Output]:
        writer = self._track.writer
        out = writer.end_segment()
        closed = GopClosed(
            gop=self._gop,
            first_segment=writer.segment,
            last_segment=writer.segment,
            video_chunks=0,
            audio_chunks=writer.chunks,
        )
        return [*out, closed]
