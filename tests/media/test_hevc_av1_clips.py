"""H.265 and AV1 through the packager: every access unit comes out, and FFmpeg decodes every picture at its time."""

import io
import itertools
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest

from media.cmaf import parse_chunk, parse_init
from media.packaged import Chunk, GopOpened
from tests.media.other_codecs import Made, make, package

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
