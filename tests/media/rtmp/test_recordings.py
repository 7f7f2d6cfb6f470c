"""What real encoders sent, byte for byte, against what ffprobe says of the clips they sent."""

import hashlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.flv import FlvError, TagKind, VideoTag, parse_audio, parse_video, read_metadata
from media.rtmp.connection import (
    AudioReceived,
    Connected,
    Event,
    Metadata,
    PublishEnded,
    PublishRequested,
    RtmpError,
    RtmpLimits,
    ServerConnection,
    VideoReceived,
)

CORPUS = Path(__file__).parents[1] / "corpus" / "rtmp"
PUSHES = {
    "ffmpeg-5.1-h264-aac": "h264-aac",
    "ffmpeg-8-h264-aac": "h264-aac",
    "ffmpeg-8-hevc-aac": "hevc-aac",
    "ffmpeg-8-av1-aac": "av1-aac",
}


def recording(name: str) -> bytes:
    return (CORPUS / f"{name}.bin").read_bytes()


def events_of(parts: Iterable[bytes], limits: RtmpLimits | None = None) -> list[Event]:
    """Feed a connection that accepts its publisher; give its events."""
    server = ServerConnection(limits=limits, epoch_ms=0, random_bytes=bytes(1528))
    events = []
    for part in parts:
        server.receive_data(part)
        for event in server.events():
            events.append(event)
            if isinstance(event, PublishRequested):
                server.accept_publish()
    return events


def packets(events: list[Event]) -> dict[str, list[list[object]]]:
    """Give the frames of a push in the form of the lists made by ffprobe, without a common offset in time."""
    found: dict[str, list[list[object]]] = {"video": [], "audio": []}
    offset: int | None = None
    for event in events:
        if not isinstance(event, (AudioReceived, VideoReceived)):
            continue
        video = isinstance(event, VideoReceived)
        tag = parse_video(event.payload) if video else parse_audio(event.payload)
        if tag.kind is not TagKind.FRAME:
            continue
        composition_ms, key = (tag.composition_ms, tag.keyframe) if isinstance(tag, VideoTag) else (0, True)
        if offset is None and video:
            offset = event.timestamp_ms + composition_ms  # the first frame is presented at 0 in each clip
        digest = hashlib.sha256(tag.data).hexdigest()[:16]
        dts = event.timestamp_ms - (offset or 0)
        found["video" if video else "audio"].append([dts, dts + composition_ms, key, digest])
    return found


@pytest.mark.parametrize(("name", "clip"), PUSHES.items())
def test_every_packet_of_a_push_arrives_at_its_time(name: str, clip: str) -> None:
    wanted = json.loads((CORPUS / f"{clip}.json").read_text())
    assert len(wanted["video"]) >= 15
    assert packets(events_of([recording(name)])) == wanted


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_begins_and_ends_as_it_should(name: str) -> None:
    events = events_of([recording(name)])
    connected, requested, metadata = events[:3]
    assert isinstance(connected, Connected)
    assert connected.app == "live"
    assert connected.flash_ver.startswith("FMLE/3.0 (compatible; Lavf")
    assert requested == PublishRequested("live", "stream-key", "live")
    assert isinstance(metadata, Metadata)
    read = read_metadata(metadata.values)
    assert (read.width, read.height) == (160, 90)
    assert read.frame_rate == (None if "av1" in name else 15.0), "FFmpeg says it of what it can encode"
    assert read.encoder is not None
    assert read.encoder.startswith("Lavf")
    assert events[-1] == PublishEnded()
    assert events.count(PublishEnded()) == 1


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_has_one_configuration_for_each_track_before_its_frames(name: str) -> None:
    kinds: dict[type[Event], list[TagKind]] = {AudioReceived: [], VideoReceived: []}
    for event in events_of([recording(name)]):
        if isinstance(event, VideoReceived):
            kinds[VideoReceived].append(parse_video(event.payload).kind)
        elif isinstance(event, AudioReceived):
            kinds[AudioReceived].append(parse_audio(event.payload).kind)
    for track in kinds.values():
        assert track[0] is TagKind.CONFIG
        assert track.count(TagKind.CONFIG) == 1


@pytest.mark.parametrize("size", [1, 5, 128, 1460])
@pytest.mark.parametrize("name", PUSHES)
def test_a_push_in_pieces_is_the_same_push(name: str, size: int) -> None:
    data = recording(name)
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    assert events_of(pieces) == events_of([data])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(PUSHES)), st.lists(st.integers(0, 1 << 20), max_size=10))
def test_a_push_in_any_split_is_the_same_push(name: str, cuts: list[int]) -> None:
    data = recording(name)
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    assert events_of(data[a:b] for a, b in itertools.pairwise(edges)) == events_of([data])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(PUSHES)),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_a_damaged_push_raises_nothing_but_our_errors(name: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(recording(name))
    for place, value in damage:
        data[place % len(data)] = value
    try:
        found = packets(events_of([bytes(data)]))
    except (RtmpError, FlvError) as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert set(found) == {"video", "audio"}
