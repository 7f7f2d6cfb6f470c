"""Real clips: ffmpeg encodes, the packager packages, and ffmpeg's own decoders have to find every frame again."""

import io
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import pytest

from media.cmaf import Sample, parse_chunk, parse_init
from media.packaged import Chunk, GopClosed, GopOpened, Output, PackagerSettings, SegmentEnded, StartPosition, Track
from media.packager import Packager
from media.parts import MIN_FILL

MS = Fraction(1, 1000)
WALL_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Clip:
    rate: str
    gop: int
    b_frames: int
    seconds: int
    rate_hz: int = 48_000

    def __str__(self) -> str:
        return f"{self.rate}fps-g{self.gop}-bf{self.b_frames}-{self.rate_hz}"


CLIPS = [
    Clip("30", 30, 0, 4),
    Clip("30", 30, 2, 4, 44_100),
    Clip("25", 250, 2, 13),
    Clip("60000/1001", 15, 0, 3),
    Clip("24000/1001", 48, 3, 5, 44_100),
    Clip("24", 1, 0, 3),
    Clip("5", 10, 0, 5, 16_000),
    Clip("1", 3, 0, 8),
]


def encode(clip: Clip, path: Path) -> None:
    sources = (f"testsrc2=size=160x90:rate={clip.rate}", f"sine=frequency=440:sample_rate={clip.rate_hz}")
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    video = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", str(clip.b_frames), "-g", str(clip.gop)]
    video += ["-keyint_min", str(clip.gop), "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-threads", "1"]
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-t", str(clip.seconds), *video, "-c:a", "aac", str(path)]
    subprocess.run(command, check=True, timeout=60)


@dataclass
class Packaged:
    packager: Packager
    outputs: list[Output]
    sent: dict[Track, list[bytes]]

    def chunks(self, track: Track) -> list[Chunk]:
        return [out for out in self.outputs if isinstance(out, Chunk) and out.track == track]

    def samples(self, track: Track) -> list[Sample]:
        return [sample for chunk in self.chunks(track) for sample in parse_chunk(chunk.data).samples]

    def file(self, track: Track) -> bytes:
        chunks = self.chunks(track)
        assert chunks[0].init
        return chunks[0].init + b"".join(chunk.data for chunk in chunks)


def package(path: Path) -> Packaged:
    """Feed a clip's packets, timed in whole ms as RTMP times them."""
    packager = Packager(PackagerSettings(), StartPosition())
    outputs: list[Output] = []
    sent: dict[Track, list[bytes]] = {"video": [], "audio": []}
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        outputs += packager.video_config(bytes(video.codec_context.extradata or b""))
        outputs += packager.audio_config(bytes(audio.codec_context.extradata or b""))
        for packet in container.demux(video, audio):
            if packet.dts is None or packet.pts is None:
                continue
            assert packet.time_base == MS
            data = bytes(packet)
            if packet.stream is video:
                outputs += packager.video(packet.dts, packet.pts - packet.dts, packet.is_keyframe, data, WALL_MS)
                sent["video"].append(data)
            else:
                outputs += packager.audio(packet.pts, data, WALL_MS)
                sent["audio"].append(data)
    return Packaged(packager, outputs + packager.finish(), sent)


@pytest.fixture(scope="module", params=CLIPS, ids=str)
def packaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Packaged]:
    clip: Clip = request.param
    path = tmp_path_factory.mktemp("clip") / "clip.flv"
    encode(clip, path)
    return clip, package(path)


def decoded(data: bytes) -> Iterator[Fraction]:
    with av.open(io.BytesIO(data), mode="r") as container:
        for frame in container.decode(container.streams[0]):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)
            assert frame.pts is not None
            assert frame.time_base is not None
            yield frame.pts * frame.time_base


def test_every_access_unit_that_went_in_comes_out_once_and_in_order(packaged: tuple[Clip, Packaged]) -> None:
    _, result = packaged
    assert [sample.data for sample in result.samples("video")] == result.sent["video"]


def test_every_audio_frame_since_the_first_picture_comes_out_once(packaged: tuple[Clip, Packaged]) -> None:
    _, result = packaged
    found = [sample.data for sample in result.samples("audio")]
    assert found == result.sent["audio"][-len(found) :]
    assert len(found) + result.packager.counts.audio_out_of_time == len(result.sent["audio"])
    assert result.packager.counts.audio_out_of_time <= 12  # ffmpeg begins with audio from before the first picture
    assert result.packager.counts.silence_inserted == 0


@pytest.mark.parametrize("track", ["video", "audio"])
def test_neither_track_has_a_gap_or_an_overlap(packaged: tuple[Clip, Packaged], track: Track) -> None:
    samples = packaged[1].samples(track)
    assert all(a.dts + a.duration == b.dts for a, b in itertools.pairwise(samples))


def test_ffmpeg_decodes_every_picture_at_its_time(packaged: tuple[Clip, Packaged]) -> None:
    clip, result = packaged
    times = list(decoded(result.file("video")))
    assert len(times) == len(result.sent["video"])
    frame = 1 / Fraction(clip.rate)
    # FFmpeg's demuxer adds the most negative offset of a file to all of its times (its own -movflags cmaf files too).
    shift = Fraction(-min(sample.cts_offset for sample in result.samples("video")), 90_000)
    assert all(abs(time - shift - index * frame) <= 2 * MS for index, time in enumerate(times))


def test_pictures_are_shown_from_the_start_of_media_time(packaged: tuple[Clip, Packaged]) -> None:
    shown = [sample.dts + sample.cts_offset for sample in packaged[1].samples("video")]
    assert min(shown) == shown[0] == 0
    assert len(set(shown)) == len(shown)


def test_ffmpeg_decodes_the_audio_without_a_gap(packaged: tuple[Clip, Packaged]) -> None:
    clip, result = packaged
    times = list(decoded(result.file("audio")))
    steps = {b - a for a, b in itertools.pairwise(times)}
    assert steps == {Fraction(1024, clip.rate_hz)}
    assert len(times) == len(result.samples("audio"))


def test_ffprobe_finds_nothing_wrong_with_the_files(packaged: tuple[Clip, Packaged], tmp_path: Path) -> None:
    for track in ("video", "audio"):
        path = tmp_path / f"{track}.mp4"
        path.write_bytes(packaged[1].file(track))
        command = ["ffprobe", "-v", "warning", "-show_entries", "packet=flags", "-of", "csv=p=0", str(path)]
        found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        assert found.stderr == ""
        keys = sum(line.startswith("K") for line in found.stdout.split())
        assert keys == sum(sample.keyframe for sample in packaged[1].samples(track))


def test_parts_keep_to_their_target_and_fill_it(packaged: tuple[Clip, Packaged]) -> None:
    for track in ("video", "audio"):
        chunks = packaged[1].chunks(track)
        target = packaged[1].packager.advertised_part_target_ms(track)
        assert {chunk.part_target_ms for chunk in chunks} <= {target}
        for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
            lasts_ms = Fraction(chunk.duration * 1000, chunk.timescale)
            assert lasts_ms <= target
            if following and following.segment == chunk.segment:
                assert lasts_ms >= MIN_FILL * target


def test_gops_begin_with_an_idr_shown_when_it_is_decoded_and_last_a_second(packaged: tuple[Clip, Packaged]) -> None:
    chunks = packaged[1].chunks("video")
    first = [chunk for chunk in chunks if chunk.index == 0]
    assert all(chunk.independent and chunk.init for chunk in first)
    assert all(parse_chunk(chunk.data).samples[0].cts_offset == 0 for chunk in first)
    assert all(b.dts - a.dts >= 90_000 for a, b in itertools.pairwise(first))
    assert all(chunk.independent == parse_chunk(chunk.data).samples[0].keyframe for chunk in chunks)


def test_segments_stay_below_what_the_target_duration_rounds_away(packaged: tuple[Clip, Packaged]) -> None:
    ended = [out for out in packaged[1].outputs if isinstance(out, SegmentEnded) and out.track == "video"]
    assert max(out.duration for out in ended) < 10.5 * 90_000


def test_audio_segments_cover_the_time_of_video_segments(packaged: tuple[Clip, Packaged]) -> None:
    video, audio = ({c.segment: c for c in packaged[1].chunks(t) if c.part == 0} for t in ("video", "audio"))
    for segment, chunk in video.items():
        if segment:
            late = Fraction(audio[segment].dts, audio[segment].timescale) - Fraction(chunk.dts, chunk.timescale)
            assert 0 <= late < Fraction(1024, audio[segment].timescale)


def test_closing_facts_agree_with_what_came_before(packaged: tuple[Clip, Packaged]) -> None:
    outputs = packaged[1].outputs
    for closed in [out for out in outputs if isinstance(out, GopClosed)]:
        before = outputs[: outputs.index(closed)]
        mine = [out for out in before if isinstance(out, Chunk) and out.gop == closed.gop]
        assert sum(out.track == "video" for out in mine) == closed.video_chunks
        assert sum(out.track == "audio" for out in mine) == closed.audio_chunks
        assert {out.segment for out in mine} == set(range(closed.first_segment, closed.last_segment + 1))
        assert not any(isinstance(out, Chunk) and out.gop == closed.gop for out in outputs[len(before) :])
        assert any(isinstance(out, GopOpened) and out.gop == closed.gop for out in before)


def test_headers_say_what_the_clip_is(packaged: tuple[Clip, Packaged]) -> None:
    clip, result = packaged
    chunk = result.chunks("video")[0]
    assert chunk.init
    info = parse_init(chunk.init)
    assert (info.width, info.height, info.timescale, info.codecs) == (160, 90, 90_000, chunk.codecs)
    assert chunk.frame_rate == pytest.approx(float(Fraction(clip.rate)), abs=1e-3)
    sound = result.chunks("audio")[0]
    assert (sound.sample_rate, sound.channels, sound.codecs) == (clip.rate_hz, 1, "mp4a.40.2")
