"""The packager: from a publisher's frames to numbered CMAF chunks, without I/O.

Theory. Frames come in the order they were sent, each with the publisher's clock. Out come facts in the order in which
they become known, and the same frames always give the same facts. Three things nest:

- An *epoch* has one clock anchor and one configuration of each track: inside it nothing is discontinuous. A new one
  begins behind a long pause, when a configuration changes, when audio goes on alone, and when video returns.
- A *GOP* is the unit of work: it begins with an IDR picture and lasts at least `segment_min_ms` (further IDR pictures
  before that stay inside). A *segment* is what playlists list: a GOP is one segment, or several where it is too long.
- A *part* is one CMAF chunk. `gop` and `segment` are dense over the life of a video, `index` within (track, GOP),
  `part` within (track, segment).

        state          frame                                        next state
        ─────────────  ───────────────────────────────────────────  ─────────────────────────────────────
        waiting        IDR picture                                  video epoch
        waiting        audio, and no video for long enough          audio epoch
        video epoch    IDR picture after a configuration change     video epoch, the next one
        video epoch    time went by, then an IDR picture            video epoch, the next one
        video epoch    audio runs ahead of stalled video            audio epoch
        audio epoch    IDR picture                                  video epoch
        audio epoch    audio leaps, or its configuration changes    audio epoch, the next one
        any            `finish`                                     finished

Timestamps that leap while no time goes by are led on from where they were, on both tracks; so are those behind a pause in
the middle of a GOP, and then the next IDR picture starts an epoch, which sets the wall clock right.

The order of outputs: GopOpened, its chunks with a SegmentEnded behind the last one of each segment of each track, then
GopClosed. GopOpened of the next GOP may come before GopClosed: audio follows video. Before audio's first chunk there is
no SegmentEnded of audio. Media time goes on over epochs; `StartPosition` makes it go on over packagers.
"""

from collections import deque
from dataclasses import replace

from media.audio_epoch import AudioEpoch, AudioFrame
from media.packaged import (
    Chunk,
    GopClosed,
    GopOpened,
    Output,
    PackagerCounts,
    PackagerError,
    PackagerSettings,
    SegmentEnded,
    StartPosition,
    Track,
)
from media.timeline import JUMP_MS, Anchor, Leaps, is_jump
from media.tracks import TrackWriter, VideoCodec, audio_format, video_format
from media.video_epoch import VideoEpoch, VideoUnit

__all__ = [
    "Chunk",
    "GopClosed",
    "GopOpened",
    "Output",
    "Packager",
    "PackagerCounts",
    "PackagerError",
    "PackagerSettings",
    "SegmentEnded",
    "StartPosition",
    "Track",
    "VideoCodec",
]

MAX_AUDIO_FRAME_BYTES = 16_384
MAX_COMPOSITION_MS = 10_000
MAX_WAITING_FRAMES = 512
VIDEO_PATIENCE_MS = 10_000


class Packager:
    """Feed it configurations and frames; each call gives the outputs that they bring about, oldest first.

    Timestamps are decode times in ms on the publisher's clock, unwrapped, from anywhere; `composition_ms` is what to
    add for the presentation time. `received_ms` is the wall clock, ms since 1970; it is used at the start of an epoch
    only. A frame that is refused (PackagerError, H264Error, H265Error, Av1Error) leaves the state as it was.
    """

    def __init__(self, settings: PackagerSettings, start: StartPosition) -> None:
        self.counts = PackagerCounts()
        self._settings = settings
        self._position = start
        self._video: TrackWriter | None = None
        self._audio: TrackWriter | None = None
        self._epoch: VideoEpoch | AudioEpoch | None = None
        self._waiting: deque[AudioFrame] = deque()
        self._waiting_since_ms = 0
        self._last_audio_ms: int | None = None
        self._joined_audio_ms: int | None = None
        self._leaps = Leaps()
        self._video_received_ms = 0
        self._paused = False
        self._video_expected = False
        self._finished = False

    @property
    def position(self) -> StartPosition:
        """Where the next epoch starts; after `finish`, where the next packager of the same video does."""
        return self._position

    def advertised_part_target_ms(self, track: Track) -> int:
        """The length that this track's parts keep to: the wanted one until frames of it were measured."""
        writer = self._video if track == "video" else self._audio
        return writer.part_target_ms if writer else self._settings.part_target_ms

    def expect_video(self) -> None:
        """The publisher says that there will be video: audio waits longer for it before it goes alone."""
        self._video_expected = True

    def video_config(self, record: bytes, codec: VideoCodec = "avc1") -> list[Output]:
        """Take an avcC, hvcC or av1C; another one than before holds from the next IDR picture on.

        A MediaError (H264Error, H265Error, Av1Error) when it is malformed.
        """
        self._refuse_if_finished()
        if self._video is None or (self._video.format.codec, self._video.format.config) != (codec, record):
            self._video = TrackWriter(video_format(record, codec), self._settings)
        return []

    def audio_config(self, asc: bytes) -> list[Output]:
        """Take an AudioSpecificConfig; another one than before holds from the next IDR picture on.

        AacError when it is malformed. Audio without video goes over to it at once.
        """
        self._refuse_if_finished()
        if self._audio is None or self._audio.format.config != asc:
            self._audio = TrackWriter(audio_format(asc), self._settings)
        if isinstance(self._epoch, VideoEpoch):
            self._joined(self._epoch, self._audio)
        return []

    def video(
        self, timestamp_ms: int, composition_ms: int, keyframe: bool, data: bytes, received_ms: int
    ) -> list[Output]:
        """Take an access unit: length-prefixed NAL units, as the configuration says, or a temporal unit of AV1.

        Whether decoding can begin there (an IDR picture, and what is one in other codecs) is read from its bytes;
        `keyframe`, what the publisher says, is only compared.
        """
        self._refuse_if_finished()
        if self._video is None:
            self.counts.video_before_config += 1
            return []
        unit = self._checked_unit(self._leaps.video(timestamp_ms), composition_ms, data)
        self.counts.keyframes_without_idr += keyframe and not unit.idr
        out: list[Output] = []
        if isinstance(self._epoch, VideoEpoch):
            unit, out = self._led_on(self._epoch, unit, received_ms)
        self._video_received_ms = received_ms
        out += self._end_before(unit)
        if isinstance(self._epoch, VideoEpoch):
            return out + self._epoch.video(unit)
        if not unit.idr:
            self.counts.video_before_idr += 1
            return out
        return out + self._begin_video(unit, received_ms)

    def audio(self, timestamp_ms: int, data: bytes, received_ms: int) -> list[Output]:
        """Take a raw AAC frame."""
        self._refuse_if_finished()
        if not 0 < len(data) <= MAX_AUDIO_FRAME_BYTES:
            raise PackagerError(f"audio frame of {len(data)} bytes, expected 1 to {MAX_AUDIO_FRAME_BYTES}")
        if self._audio is None:
            self.counts.audio_before_config += 1
            return []
        timestamp_ms = self._leaps.audio(timestamp_ms, self._last_audio_ms)
        frame = AudioFrame(timestamp_ms, received_ms, self._audio.format, data)
        goes_on = self._last_audio_ms is not None and not is_jump(self._last_audio_ms, timestamp_ms)
        self._last_audio_ms = timestamp_ms
        if isinstance(self._epoch, VideoEpoch):
            return self._beside_video(self._epoch, frame, goes_on=goes_on)
        if isinstance(self._epoch, AudioEpoch):
            return self._alone(self._epoch, frame, goes_on=goes_on)
        self._wait(frame, goes_on=goes_on)
        expected = self._video is not None or self._video_expected
        patience_ms = VIDEO_PATIENCE_MS if expected else self._settings.lone_audio_wait_ms
        return self._begin_audio() if timestamp_ms - self._waiting_since_ms >= patience_ms else []

    def finish(self) -> list[Output]:
        """The publisher is gone: close everything. The packager takes nothing after this."""
        self._refuse_if_finished()
        out: list[Output] = []
        if self._epoch is None and self._video is None and self._waiting:
            out += self._begin_audio()
        out += self._end_epoch()
        self._finished = True
        self._drop_waiting()
        return out

    def _refuse_if_finished(self) -> None:
        if self._finished:
            raise PackagerError("the packager is finished: make another one, starting at its position")

    def _checked_unit(self, timestamp_ms: int, composition_ms: int, data: bytes) -> VideoUnit:
        """The access unit, if it is well formed and within the limits."""
        assert self._video is not None
        limit = self._settings.max_chunk_bytes
        if not 0 < len(data) <= limit:
            raise PackagerError(f"access unit of {len(data)} bytes, expected 1 to {limit}")
        if abs(composition_ms) > MAX_COMPOSITION_MS:
            raise PackagerError(f"composition time of {composition_ms} ms, expected at most {MAX_COMPOSITION_MS}")
        data, idr = self._video.format.sample(data)
        return VideoUnit(timestamp_ms, composition_ms, idr, data)

    def _led_on(self, epoch: VideoEpoch, unit: VideoUnit, received_ms: int) -> tuple[VideoUnit, list[Output]]:
        """The access unit, at the time that it should have where its timestamp leapt; and audio that leapt before it.

        Where as much time has gone by it was no leap but a pause; an IDR picture behind it is left as it is.
        """
        leapt_ms = unit.timestamp_ms - epoch.last_timestamp_ms
        if not is_jump(epoch.last_timestamp_ms, unit.timestamp_ms):
            return unit, []
        paused = leapt_ms > 0 and 2 * (received_ms - self._video_received_ms) >= leapt_ms
        if paused and unit.idr:
            return unit, []
        self._paused = self._paused or paused
        by_ms = epoch.due_timestamp_ms - unit.timestamp_ms
        self._leaps.lead_on(by_ms)
        return replace(unit, timestamp_ms=epoch.due_timestamp_ms), self._retimed(epoch, by_ms)

    def _retimed(self, epoch: VideoEpoch, by_ms: int) -> list[Output]:
        """Let the audio that was set aside join at its time, which is found to be `by_ms` later."""
        waiting, self._waiting = self._waiting, deque()
        out: list[Output] = []
        if waiting:
            self._last_audio_ms = waiting[-1].timestamp_ms + by_ms
        for frame in waiting:
            out += self._beside_video(epoch, replace(frame, timestamp_ms=frame.timestamp_ms + by_ms), goes_on=True)
        return out

    def _end_before(self, unit: VideoUnit) -> list[Output]:
        """End the epoch if this access unit cannot be in it."""
        epoch = self._epoch
        if isinstance(epoch, AudioEpoch):
            return self._end_epoch() if unit.idr else []
        if epoch is None:
            return []
        if is_jump(epoch.last_timestamp_ms, unit.timestamp_ms):
            return self._end_epoch()
        if unit.idr and (self._paused or self._is_reconfigured(epoch)):
            return self._end_epoch(unit.timestamp_ms + unit.composition_ms)
        return []

    def _is_reconfigured(self, epoch: VideoEpoch) -> bool:
        assert self._video is not None
        if epoch.video_format is not self._video.format:
            return True
        return epoch.audio_format is not None and self._is_other_audio(epoch)

    def _is_other_audio(self, epoch: VideoEpoch | AudioEpoch) -> bool:
        return self._audio is not None and epoch.audio_format is not self._audio.format

    def _end_epoch(self, next_timestamp_ms: int | None = None) -> list[Output]:
        """End the epoch, if there is one; audio from `next_timestamp_ms` on waits for the next one."""
        epoch, self._epoch = self._epoch, None
        self._paused, self._joined_audio_ms = False, None
        if epoch is None:
            return []
        if isinstance(epoch, VideoEpoch):
            out, later = epoch.finish(next_timestamp_ms)
            self._waiting.extendleft(reversed(later))
        else:
            out = epoch.finish()
        self._position = epoch.position()
        return out

    def _begin_video(self, unit: VideoUnit, received_ms: int) -> list[Output]:
        """Start an epoch with an IDR picture, and let the audio that waited and fits follow it."""
        assert self._video is not None
        shown_ms = unit.timestamp_ms + unit.composition_ms
        below = max(self._position.ladder_below, self._video.format.ladder_below)
        self._position = replace(self._position, ladder_below=below)
        epoch = VideoEpoch(
            self._settings, self._position, self._anchor(shown_ms, received_ms), self._video, self.counts
        )
        self._epoch = epoch
        out = epoch.video(unit)
        waiting, self._waiting = self._waiting, deque()
        if self._audio:
            self._joined(epoch, self._audio)
        for frame in waiting:
            if self._audio and frame.shape is self._audio.format and 0 <= frame.timestamp_ms - shown_ms <= JUMP_MS:
                self._joined_audio_ms = frame.timestamp_ms
                out += epoch.audio(frame)
            else:
                self.counts.audio_out_of_time += 1
        return out

    @staticmethod
    def _joined(epoch: VideoEpoch, audio: TrackWriter) -> VideoEpoch:
        """The epoch, with audio in it if there was none."""
        if epoch.audio_format is None:
            epoch.join_audio(audio)
        return epoch

    def _begin_audio(self) -> list[Output]:
        """Start an epoch of audio alone with the frames that waited."""
        assert self._audio is not None
        first = self._waiting[0]
        anchor = self._anchor(first.timestamp_ms, first.received_ms)
        epoch = AudioEpoch(self._settings, self._position, anchor, self._audio, self.counts)
        self._epoch = epoch
        out: list[Output] = []
        while self._waiting:
            out += epoch.audio(self._waiting.popleft())
        return out

    def _anchor(self, timestamp_ms: int, received_ms: int) -> Anchor:
        position = self._position
        return Anchor.at(timestamp_ms, position.media_time_ms, received_ms, position.captured_ms)

    def _beside_video(self, epoch: VideoEpoch, frame: AudioFrame, *, goes_on: bool) -> list[Output]:
        """Audio in a video epoch: it joins, is set aside, or goes on alone when video has stalled."""
        assert self._audio is not None
        self._joined(epoch, self._audio)
        last_ms = self._joined_audio_ms
        leapt = last_ms is not None and (is_jump(last_ms, frame.timestamp_ms) or bool(self._waiting and goes_on))
        if goes_on and last_ms is not None and not leapt and epoch.is_stalled(frame.timestamp_ms):
            out = self._end_epoch()
            self._wait(frame, goes_on=False)
            return out + self._begin_audio()
        if not leapt and not self._is_other_audio(epoch):
            leapt = abs(frame.timestamp_ms - epoch.last_timestamp_ms) > JUMP_MS
        if leapt or self._is_other_audio(epoch):
            self._wait(frame, goes_on=goes_on)
            return self._lead_audio_on(epoch) if leapt and not self._is_other_audio(epoch) else []
        self._joined_audio_ms = frame.timestamp_ms
        return epoch.audio(frame)

    def _lead_audio_on(self, epoch: VideoEpoch) -> list[Output]:
        """Where audio alone leapt, and video did not follow in time, let it go on where it was."""
        first_ms, last_ms = self._waiting[0].timestamp_ms, self._waiting[-1].timestamp_ms
        if last_ms - first_ms < self._settings.audio_wait_ms:
            return []
        due_ms = epoch.last_timestamp_ms - (last_ms - first_ms)
        self._leaps.lead_audio_on(due_ms - first_ms)
        self._joined_audio_ms = None
        return self._retimed(epoch, due_ms - first_ms)

    def _alone(self, epoch: AudioEpoch, frame: AudioFrame, *, goes_on: bool) -> list[Output]:
        """Audio in an epoch of its own."""
        if goes_on and not self._is_other_audio(epoch):
            return epoch.audio(frame)
        out = self._end_epoch()
        self._wait(frame, goes_on=False)
        return out + self._begin_audio()

    def _wait(self, frame: AudioFrame, *, goes_on: bool) -> None:
        """Set a frame aside, with those before it that it goes on from; the oldest give way to a bound."""
        if self._waiting and (not goes_on or frame.shape is not self._waiting[-1].shape):
            self._drop_waiting()
        if not self._waiting:
            self._waiting_since_ms = frame.timestamp_ms
        self._waiting.append(frame)
        if len(self._waiting) > MAX_WAITING_FRAMES:
            self._waiting.popleft()
            self.counts.audio_out_of_time += 1

    def _drop_waiting(self) -> None:
        self.counts.audio_out_of_time += len(self._waiting)
        self._waiting.clear()
