"""H.265 and AV1 through the packager: every access unit comes out, and FFmpeg decodes every picture at its time."""

import contextlib
import io
import itertools
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.cmaf import parse_chunk, parse_init
from media.errors import MediaError
from media.packaged import Chunk, GopOpened, Output, PackagerSettings, StartPosition
from media.packager import Packager
from tests.media.other_codecs import WALL_MS, Made, make, package

DELIMITER = b"\x12\0"  # AV1 in MP4 has none
CLIPS = [
    Made("hvc1"),
    Made("hvc1", closed=False),
    Made("hvc1", width=162, height=90, fps="25", pix_fmt="yuv420p10le"),
    Made("av01"),
    Made("av01", width=162, height=90, fps="60000/1001", frames=150, gop=60),
]


def chunks(made: Made) -> list[Chunk]:
    return [out for out in package(made) if isinstance(out, Chunk)]


def file(made: Made) -> bytes:
    found = chunks(made)
    return (found[0].init or b"") + b"".join(chunk.data for chunk in found)


@pytest.mark.parametrize("made", CLIPS, ids=str)
def test_every_access_unit_comes_out_once_in_order(made: Made) -> None:
    samples = [sample.data for chunk in chunks(made) for sample in parse_chunk(chunk.data).samples]
    assert samples == [packet.data.removeprefix(DELIMITER) for packet in make(made).packets]


@pytest.mark.parametrize("made", CLIPS, ids=str)
def test_ffmpeg_decodes_every_picture_at_its_time(made: Made) -> None:
    with av.open(io.BytesIO(file(made)), "r") as container:
        stream = container.streams.video[0]
        times = [frame.time for frame in container.decode(stream) if frame.time is not None]
        assert (stream.width, stream.height) == (made.width, made.height)
    steps = [float(b - a) for a, b in itertools.pairwise(times)]
    assert len(times) == made.frames
    assert all(abs(step - 1 / Fraction(made.fps)) < 0.0021 for step in steps)


@pytest.mark.parametrize("made", CLIPS, ids=str)
def test_gops_begin_where_decoding_can(made: Made) -> None:
    outputs = package(made)
    opened = [out.media_time_ms for out in outputs if isinstance(out, GopOpened)]
    assert len(opened) == -(-made.frames // made.gop)
    keys = [packet.key for packet in make(made).packets]
    found = [sample.keyframe for chunk in chunks(made) for sample in parse_chunk(chunk.data).samples]
    assert found == keys
    assert all(chunk.independent and chunk.init for chunk in chunks(made) if chunk.index == 0)


@pytest.mark.parametrize(
    ("made", "codecs", "rate"),
    [
        (CLIPS[0], "hvc1.1.6.L30.90", 30.0),
        (CLIPS[2], "hvc1.2.4.L30.90", 25.0),
        (CLIPS[3], "av01.0.00M.08", 30.0),
        (CLIPS[4], "av01.0.00M.08", 59.94),
    ],
    ids=str,
)
def test_chunks_and_headers_say_what_the_clip_is(made: Made, codecs: str, rate: float) -> None:
    chunk = chunks(made)[0]
    info = parse_init(chunk.init or b"")
    assert (chunk.codecs, chunk.width, chunk.height) == (codecs, made.width, made.height)
    assert (info.codecs, info.width, info.height, info.display_width) == (codecs, made.width, made.height, made.width)
    assert chunk.frame_rate == pytest.approx(rate, abs=0.04)  # whole milliseconds tell 29.97 from 30 late


@pytest.mark.parametrize("made", [CLIPS[0], CLIPS[3]], ids=str)
def test_ffprobe_finds_the_codec_and_nothing_wrong(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(file(made))
    command = ["ffprobe", "-v", "warning", "-show_entries", "stream=codec_tag_string", "-of", "csv=p=0", str(path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert (found.stdout.strip(), found.stderr) == (made.codec, "")


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_and_mixed_streams_raise_nothing_but_media_errors_and_lose_no_numbers(data: st.DataObject) -> None:
    packager = Packager(PackagerSettings(), StartPosition())
    outputs: list[Output] = []
    now = 0
    for _ in range(data.draw(st.integers(1, 12))):
        made = data.draw(st.sampled_from([CLIPS[0], CLIPS[3]]))
        clip = make(made)
        with contextlib.suppress(MediaError):
            outputs += packager.video_config(damaged(data, clip.record), made.codec)
        for packet in clip.packets[: data.draw(st.integers(0, 40))]:
            now += data.draw(st.sampled_from([33, 33, 33, -500, 20_000]))
            with contextlib.suppress(MediaError):
                sent = damaged(data, packet.data)
                outputs += packager.video(now, packet.composition_ms, packet.key, sent, WALL_MS + now)
    outputs += packager.finish()
    opened = [out.gop for out in outputs if isinstance(out, GopOpened)]
    assert opened == list(range(len(opened)))
    found = [(out.gop, out.index) for out in outputs if isinstance(out, Chunk)]
    assert found == sorted(set(found))


def damaged(data: st.DataObject, given: bytes) -> bytes:
    """Mostly as it was."""
    if data.draw(st.integers(0, 9)):
        return given
    at = data.draw(st.integers(0, len(given) - 1))
    return given[:at] + data.draw(st.binary(max_size=8)) + given[at + data.draw(st.integers(0, 8)) :]
