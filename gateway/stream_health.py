"""The health of a channel's stream as JSON has it: what arrives, what viewers get, and what to do about it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from gateway.ingest_health import Arrival, Trouble
from gateway.left_out import Shed
from gateway.rendition_fold import RenditionFold
from gateway.stream_advice import RECENT_MS, Advice, Delivery, advice, frame_rate, worst
from gateway.video_fold import VideoFold
from media.hls import Segment
from media.ladder import SOURCE
from schemas.events import IngestMeasured, Track, VideoChanged, VideoState

MEASURED_S: Final = 20.0
"""The bitrate of a rendition is that of so much of its end."""
GAPS_MS: Final = 120_000
"""Missing segments are spoken of for so long."""


def health_row(
    channel: str,
    video: VideoChanged | None,
    fold: VideoFold | None,
    delays: dict[str, int],
    arrival: Arrival | None,
    now_ms: int,
    shed: tuple[Shed, ...] = (),
) -> dict[str, Any]:
    """Everything; `ingest` and `delivery` only while the video is on the air.

    Args:
        channel: the channel.
        video: its current one.
        fold: of that video; None where there is no media of it.
        delays: ms from ingest to log, by rendition.
        arrival: how the publisher's stream arrives, if the ingest told.
        now_ms: wall clock.
        shed: the renditions that the workers left out lately.
    """
    on_air = video is not None and video.state is not VideoState.ENDED
    mine = arrival if arrival and arrival.measured and video and arrival.newest.video_id == video.video_id else None
    renditions = rendition_rows(fold, delays, shed) if on_air and fold is not None else []
    found = advice(mine, replace(delivery_of(fold, now_ms), shed=shed), now_ms) if on_air and mine is not None else []
    status = "offline" if not on_air else worst(found).value if mine is not None else "unknown"
    return {
        "channel": channel,
        "video_id": video.video_id if video is not None else None,
        "state": video.state.value if video is not None else "offline",
        "at_ms": now_ms,
        "status": status,
        "advice": [_advice_row(one) for one in found],
        "ingest": ingest_row(mine) if on_air and mine is not None else None,
        "renditions": renditions,
        "last_error": _trouble_row(arrival.troubles[-1]) if arrival is not None and arrival.troubles else None,
        "errors": [_trouble_row(one) for one in reversed(arrival.troubles)] if arrival is not None else [],
        "series": series(mine.measured) if on_air and mine is not None else [],
    }


def ingest_row(arrival: Arrival) -> dict[str, Any]:
    """What the ingest said last, and rates over the last ten seconds."""
    newest = arrival.newest
    recent = arrival.since(newest.measured_ms - RECENT_MS)
    span_ms = max(sum(one.span_ms for one in recent), 1)
    return {
        "connected_ms": newest.connected_ms,
        "connections": arrival.connections(0),
        "measured_ms": newest.measured_ms,
        "silent_ms": newest.silence_ms,
        "encoder": newest.encoder,
        "video_bps": sum(one.video_bytes for one in recent) * 8_000 // span_ms,
        "audio_bps": sum(one.audio_bytes for one in recent) * 8_000 // span_ms,
        "frame_rate": round(frame_rate(recent), 2),
        "wanted_frame_rate": newest.frame_rate,
        "keyframe_ms": max(newest.keyframe_ms, newest.since_keyframe_ms, 0),
        "width": newest.width,
        "height": newest.height,
        "video_codecs": newest.video_codecs,
        "audio_codecs": newest.audio_codecs,
        "sample_rate": newest.sample_rate,
        "channels": newest.channels,
        "left_out": newest.left_out,
        "silence_inserted": newest.silence_inserted,
        "leaps": newest.leaps,
    }


def rendition_rows(fold: VideoFold, delays: dict[str, int], shed: tuple[Shed, ...] = ()) -> list[dict[str, Any]]:
    """The renditions that are made, the source first, then by height."""
    ahead_ms = _edge_ms(fold)
    left_out = {one.name: one for one in shed}
    rows = [_rendition_row(rendition, delays, ahead_ms, left_out.get(rendition.name)) for rendition in fold.listed]
    return sorted(rows, key=lambda row: (row["name"] != SOURCE, row["track"] == "audio", -row["height"]))


def _rendition_row(
    rendition: RenditionFold, delays: dict[str, int], ahead_ms: int, shed: Shed | None
) -> dict[str, Any]:
    info = rendition.info
    return {
        "name": rendition.name,
        "track": rendition.track.value,
        "width": info.width if info is not None else 0,
        "height": info.height if info is not None else 0,
        "frame_rate": info.frame_rate if info is not None else 0.0,
        "codecs": info.codecs if info is not None else "",
        "bitrate_bps": bitrate_bps(rendition.segments),
        "delay_ms": delays.get(rendition.name),
        "behind_ms": max(0, ahead_ms - _end_ms(rendition)),
        "gaps": sum(segment.gap for segment in rendition.segments),
        "left_out_ms": shed.ms if shed is not None else 0,
        "left_out_now": shed is not None and shed.now,
    }


def bitrate_bps(segments: Iterable[Segment]) -> int:
    """Bits a second of the last whole segments; of the open one while there is no other."""
    listed = list(segments)
    whole = [segment for segment in listed if segment.closed and not segment.gap] or listed[-1:]
    size, seconds = 0, 0.0
    for segment in reversed(whole):
        size, seconds = size + segment.size, seconds + segment.duration_s
        if seconds >= MEASURED_S:
            break
    return round(size * 8 / seconds) if seconds else 0


def delivery_of(fold: VideoFold | None, now_ms: int) -> Delivery:
    """What viewers can get of a video."""
    if fold is None or not fold.listed:
        return Delivery()
    rungs = [one for one in fold.listed if one.track is Track.VIDEO and one.name != SOURCE]
    ahead_ms = _edge_ms(fold)
    first = fold.renditions.get(SOURCE) or fold.listed[0]
    return Delivery(
        rungs=tuple(rung.name for rung in rungs),
        behind_ms=max((ahead_ms - _end_ms(rung) for rung in rungs), default=0),
        source_age_ms=max(0, now_ms - ahead_ms),
        gaps=sum(segment.gap for segment in first.segments if segment.start_ms > now_ms - GAPS_MS),
    )


def series(measured: Iterable[IngestMeasured]) -> list[dict[str, int | float]]:
    """The measurements as points of plots."""
    return [
        {
            "at_ms": one.measured_ms,
            "video_bps": one.video_bytes * 8_000 // max(one.span_ms, 1),
            "audio_bps": one.audio_bytes * 8_000 // max(one.span_ms, 1),
            "frame_rate": round(one.video_frames * 1_000 / max(one.span_ms, 1), 1),
        }
        for one in measured
        if one.span_ms > 0
    ]


def _edge_ms(fold: VideoFold) -> int:
    """Wall clock of the newest picture of the source, or of what there is."""
    source = fold.renditions.get(SOURCE)
    return _end_ms(source) if source is not None and source.segments else max(map(_end_ms, fold.listed), default=0)


def _end_ms(rendition: RenditionFold) -> int:
    last = rendition.segments[-1]
    return last.start_ms + round(last.duration_s * 1000)


def _advice_row(one: Advice) -> dict[str, str]:
    return {"code": one.code, "level": one.level.value, "title": one.title, "text": one.text}


def _trouble_row(one: Trouble) -> dict[str, Any]:
    return {"at_ms": one.at_ms, "text": one.text, "ended": one.left}
