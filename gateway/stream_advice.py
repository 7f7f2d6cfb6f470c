"""What a streamer should know about the stream, and do about it: sentences made of figures. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.ingest_health import Arrival
from gateway.left_out import Shed
from schemas.events import IngestMeasured

RECENT_MS: Final = 10_000
MINUTE_MS: Final = 60_000
TEN_MINUTES_MS: Final = 600_000
SILENT_MS: Final = 4_000
STALE_MS: Final = 7_000
"""No measurement for so long: the ingest is away, or does not get through to the log."""
SETTLED_MS: Final = 8_000
"""Of the first seconds of a connection nothing is said that time mends."""


class Level(StrEnum):
    """How grave a matter is."""

    GOOD = "good"
    HINT = "hint"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Advice:
    """One matter.

    Attributes:
        code: for programs; stable.
        level: how grave it is.
        title: what is the matter, with its figure.
        text: what to do.
    """

    code: str
    level: Level
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the log has of the stream.

    Attributes:
        rungs: names of the renditions below the source.
        behind_ms: how far the slowest of them is behind the source; 0 without one.
        source_age_ms: how old the newest picture is that viewers can get; -1 where there is none.
        gaps: segments of the last two minutes that are missing.
        shed: the renditions that the workers left out lately.
    """

    rungs: tuple[str, ...] = ()
    behind_ms: int = 0
    source_age_ms: int = -1
    gaps: int = 0
    shed: tuple[Shed, ...] = ()


def advice(arrival: Arrival, delivery: Delivery, now_ms: int) -> list[Advice]:
    """What is to be said of a stream on the air now, the gravest first."""
    newest = arrival.newest
    silent_ms = now_ms - newest.measured_ms
    if newest.left or silent_ms > STALE_MS or newest.silence_ms > SILENT_MS:
        return [_silent(newest, max(silent_ms, newest.silence_ms))]
    found = [one for rule in _RULES for one in rule(arrival, newest, now_ms)] + list(
        _delivered(arrival, delivery, now_ms)
    )
    order = [Level.BAD, Level.WARNING, Level.HINT]
    return sorted(found, key=lambda one: order.index(one.level))


def worst(found: list[Advice]) -> Level:
    """The gravest level; good where there is nothing but hints."""
    levels = {one.level for one in found}
    return next((level for level in (Level.BAD, Level.WARNING) if level in levels), Level.GOOD)


def frame_rate(measured: list[IngestMeasured]) -> float:
    """Pictures a second by their own timestamps; 0 where they do not say."""
    counted = [one for one in measured if one.media_ms > 0]
    media_ms = sum(one.media_ms for one in counted)
    return sum(one.video_frames for one in counted) * 1000 / media_ms if media_ms else 0.0


def speed(measured: list[IngestMeasured]) -> float:
    """Seconds of picture that arrive in a second; 1 where that cannot be said."""
    known = all(one.media_ms >= 0 for one in measured)
    span_ms = sum(one.span_ms for one in measured)
    return sum(one.media_ms for one in measured) / span_ms if known and span_ms else 1.0


def _silent(newest: IngestMeasured, silent_ms: int) -> Advice:
    if newest.left:
        return Advice(
            "left",
            Level.BAD,
            "The encoder is gone",
            "The stream waits for it. Start the encoder again with the same key.",
        )
    title = f"Nothing has come from the encoder for {silent_ms // 1000} s"
    return Advice(
        "silent", Level.BAD, title, "Look whether the encoder still runs, and whether its machine still has a network."
    )


def _keyframes(_arrival: Arrival, newest: IngestMeasured, _now_ms: int) -> Iterator[Advice]:
    interval_ms = max(newest.keyframe_ms, newest.since_keyframe_ms)
    if interval_ms <= 2_600:
        return
    level = Level.BAD if interval_ms > 5_000 else Level.WARNING
    yield Advice(
        "keyframe_interval",
        level,
        f"The keyframe interval is {_seconds(interval_ms)}",
        "Viewers wait for it when they join or change quality. Set it to 2 s: in OBS under Settings, Output, Streaming, "
        "Keyframe Interval; in ffmpeg with -g, twice the frame rate.",
    )


def _keeps_up(arrival: Arrival, newest: IngestMeasured, now_ms: int) -> Iterator[Advice]:
    recent = arrival.since(now_ms - RECENT_MS)
    if now_ms - newest.connected_ms < SETTLED_MS + RECENT_MS or not newest.video_codecs:
        return
    if (found := speed(recent)) < 0.93:
        yield Advice(
            "too_slow",
            Level.BAD,
            f"The stream arrives at {found:.0%} of its speed",
            "Viewers will see it stop. Lower the bitrate in the encoder, or use a cable in place of Wi-Fi. If the encoder "
            "says that it is overloaded, take a faster preset or a smaller picture.",
        )
    elif newest.frame_rate and (fps := frame_rate(recent)) and fps < 0.88 * newest.frame_rate:
        yield Advice(
            "frames_dropped",
            Level.WARNING,
            f"{fps:.0f} of {newest.frame_rate:.0f} pictures a second arrive",
            "The encoder drops frames. Lower its bitrate if the network is the reason, its preset or resolution if the "
            "computer is.",
        )


def _steady(arrival: Arrival, newest: IngestMeasured, now_ms: int) -> Iterator[Advice]:
    longest_ms = max((one.silence_ms for one in arrival.since(now_ms - 3 * RECENT_MS)), default=0)
    if now_ms - newest.connected_ms > SETTLED_MS and longest_ms > 1_000:
        yield Advice(
            "bursts",
            Level.WARNING,
            f"The stream comes in bursts: up to {_seconds(longest_ms)} of nothing",
            "The network between encoder and server is not steady. Use a cable, or lower the bitrate.",
        )
    if (times := arrival.connections(now_ms - TEN_MINUTES_MS)) > 2:
        yield Advice(
            "reconnects",
            Level.WARNING,
            f"The encoder connected {times} times in ten minutes",
            "The stream goes on each time, with a cut. Look at the network, and at what the last error says.",
        )


def _sound(_arrival: Arrival, newest: IngestMeasured, now_ms: int) -> Iterator[Advice]:
    if now_ms - newest.connected_ms < SETTLED_MS:
        return
    if newest.video_codecs and not newest.audio_codecs:
        yield Advice(
            "no_audio",
            Level.WARNING,
            "There is no sound",
            "The encoder sends none. Look whether a microphone or the desktop sound is on in its mixer, and whether a track is "
            "chosen for streaming.",
        )
    elif newest.audio_codecs and not newest.audio_frames:
        yield Advice(
            "audio_stopped",
            Level.WARNING,
            "The sound has stopped",
            "Viewers get silence in its place. Look at the audio source in the encoder.",
        )
    if newest.audio_codecs and not newest.video_codecs:
        yield Advice(
            "no_video",
            Level.WARNING,
            "There is no picture",
            "Only sound is sent. If that is not meant, look at the video source and the video encoder.",
        )


def _times(arrival: Arrival, _newest: IngestMeasured, now_ms: int) -> Iterator[Advice]:
    if leaps := arrival.grew("leaps", now_ms - MINUTE_MS):
        yield Advice(
            "timestamps",
            Level.WARNING,
            f"Timestamps jumped {_times_of(leaps)} in the last minute",
            "It is mended for viewers. A file that loops does it, and a computer that went to sleep; else restart the encoder.",
        )
    if left_out := arrival.grew("left_out", now_ms - MINUTE_MS):
        yield Advice(
            "left_out",
            Level.WARNING,
            f"{left_out} frame{'s' * (left_out > 1)} could not be used in the last minute",
            "Sound and picture do not fit together in time. Restart the encoder if it goes on.",
        )
    if arrival.grew("held_back", now_ms - MINUTE_MS):
        yield Advice(
            "held_back",
            Level.WARNING,
            "The server holds the encoder back",
            "It sends more than is allowed, or the log does not keep up. Lower the bitrate, or tell the operator "
            "(LOGCAST_MAX_PUBLISHER_MBPS).",
        )


def _picture(arrival: Arrival, newest: IngestMeasured, now_ms: int) -> Iterator[Advice]:
    recent = arrival.since(now_ms - RECENT_MS)
    span_ms = sum(one.span_ms for one in recent)
    fps = frame_rate(recent)
    if newest.width and span_ms >= RECENT_MS * 0.6 and fps > 1:
        bps = sum(one.video_bytes for one in recent) * 8_000 / span_ms
        if bps / (newest.width * newest.height * fps) < 0.016:
            size = f"{newest.width}x{newest.height} at {fps:.0f} pictures a second"
            yield Advice(
                "bitrate_low",
                Level.HINT,
                f"{bps / 1e6:.1f} Mbit/s is little for {size}",
                "Movement may look blurred. Raise the bitrate, or send a smaller picture.",
            )
    if newest.reordered:
        yield Advice(
            "b_frames",
            Level.HINT,
            "The encoder uses B-frames",
            "They delay the picture a little. For the shortest delay set them to 0 (in x264: tune zerolatency).",
        )


def _delivered(arrival: Arrival, delivery: Delivery, now_ms: int) -> Iterator[Advice]:
    if now_ms - arrival.newest.connected_ms < 2 * SETTLED_MS:
        return
    if delivery.source_age_ms < 0:
        yield Advice(
            "not_delivered",
            Level.BAD,
            "The stream arrives, but viewers do not get it",
            "No worker takes it on. Tell the operator: logcast status shows what is missing.",
        )
    elif delivery.source_age_ms >= 8_000:
        yield Advice(
            "not_delivered",
            Level.BAD,
            f"Viewers have got nothing for {_seconds(delivery.source_age_ms)}",
            "The stream arrives, but the workers do not keep up. Tell the operator: logcast status says what they need.",
        )
    elif delivery.behind_ms > 4_000:
        yield Advice(
            "worker_lag",
            Level.WARNING,
            f"Lower qualities are {_seconds(delivery.behind_ms)} behind",
            "The workers are busy. Viewers of the original see no difference; another worker helps (logcast serve worker).",
        )
    if delivery.shed:
        yield _left_out(delivery.shed)
    if delivery.gaps:
        yield Advice(
            "gaps",
            Level.WARNING,
            f"{delivery.gaps} segment{'s' * (delivery.gaps > 1)} of the last two minutes {'are' if delivery.gaps > 1 else 'is'} missing",
            "Viewers skip over it. A worker or the encoder was away then.",
        )


def _left_out(shed: tuple[Shed, ...]) -> Advice:
    names = ", ".join(one.name for one in shed[:-1]) + " and " * (len(shed) > 1) + shed[-1].name
    verb = ("are" if len(shed) > 1 else "is") if any(one.now for one in shed) else ("were" if len(shed) > 1 else "was")
    longest = _whole_seconds(max(one.ms for one in shed))
    span = f"up to {longest}" if len(shed) > 1 else longest
    return Advice(
        "left_out_rungs",
        Level.WARNING,
        f"{names} {verb} left out for {span} of the last two minutes",
        "The workers are behind. Add a worker (logcast serve worker), or take a smaller ladder (LOGCAST_LADDER). Viewers get the "
        "other qualities meanwhile, and the recording gets the rest later.",
    )


_RULES: Final[tuple[Callable[[Arrival, IngestMeasured, int], Iterator[Advice]], ...]] = (
    _keyframes,
    _keeps_up,
    _steady,
    _sound,
    _times,
    _picture,
)


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s".replace(".0 s", " s")


def _whole_seconds(ms: int) -> str:
    return f"{max(1, round(ms / 1000))} s"


def _times_of(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
