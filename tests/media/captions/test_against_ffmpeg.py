"""The same clips through FFmpeg's decoder of captions and through ours."""

import re
import subprocess
from pathlib import Path

import av
import pytest

from media.captions.cues import Cue
from media.captions.decoder import CaptionDecoder
from media.captions.sei import CaptionPicture, picture_captions
from tests.media.captions.encoder import (
    CR,
    EDM,
    EOC,
    RDC,
    RU2,
    Pair,
    address,
    captioned_clip,
    control,
    letters,
    pop_on,
    spread,
)

RATE = 25
SECONDS = 14
TEXTS = [["Hello, ¿qué tal?"], ["Two lines", "of text ♪"], ["Ça va, naïve façade"]]


@pytest.fixture(scope="module")
def plain_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 with B-frames, without captions."""
    path = tmp_path_factory.mktemp("clip") / "plain.mp4"
    source = f"color=gray:size=64x64:rate={RATE}:duration={SECONDS}"
    argv = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-bf", "2", "-g", "50"]
    subprocess.run([*argv, str(path)], check=True)
    return path


def by_ffmpeg(clip: Path) -> list[tuple[int, int, str]]:
    """(start ms, end ms, plain text) of the captions in a clip."""
    argv = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", f"movie={clip}[out0+subcc]", "-map", "s"]
    srt = subprocess.run([*argv, "-f", "srt", "-"], check=True, capture_output=True).stdout.decode()
    found = []
    for block in srt.strip().split("\n\n"):
        _, timing, *lines = block.splitlines()
        start, end = (_ms(text) for text in timing.split(" --> "))
        text = re.sub(r"<[^>]*>|\{[^}]*\}", "", "\n".join(lines)).replace("\\h", " ")
        found.append((start, end, "\n".join(line.strip() for line in text.splitlines())))
    return found


def _ms(text: str) -> int:
    hours, minutes, seconds, ms = map(int, re.split("[:,]", text))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def by_us(clip: Path) -> list[Cue]:
    with av.open(str(clip)) as container:
        (stream,) = container.streams.video
        assert stream.time_base is not None
        scale = stream.time_base.denominator
        pictures = [
            CaptionPicture(packet.pts, picture_captions(bytes(packet)))
            for packet in container.demux(stream)
            if packet.pts is not None
        ]
    return list(CaptionDecoder().cut(pictures, scale, SECONDS * 1000).get("cc1", ()))


def test_pop_on_captions_have_the_same_texts_and_times(plain_clip: Path, tmp_path: Path) -> None:
    script: list[tuple[float, list[Pair]]] = []
    for index, lines in enumerate(TEXTS):
        script += [(4.0 * index, pop_on(lines)), (4.0 * index + 2.5, control(EOC)), (4.0 * index + 3.8, control(EDM))]
    captioned_clip(plain_clip, tmp_path / "pop.mp4", spread(script, SECONDS * RATE, RATE))
    theirs = by_ffmpeg(tmp_path / "pop.mp4")
    ours = by_us(tmp_path / "pop.mp4")
    assert [cue.text for cue in ours] == ["\n".join(lines) for lines in TEXTS]
    assert [text for _, _, text in theirs] == ["\n".join(lines) for lines in TEXTS]
    for cue, (start_ms, end_ms, _) in zip(ours, theirs, strict=True):
        assert abs(cue.start_ms - start_ms) <= 1_000 // RATE
        assert abs(cue.end_ms - end_ms) <= 1_000 // RATE


def test_roll_up_captions_show_the_same_lines(plain_clip: Path, tmp_path: Path) -> None:
    lines = ["The first line", "The second one", "And the third"]
    script = [(0.0, control(RU2))]
    script += [(0.5 + 3.0 * i, control(CR) + address(15) + letters(line)) for i, line in enumerate(lines)]
    captioned_clip(plain_clip, tmp_path / "roll.mp4", spread([*script, (11.0, control(EDM))], SECONDS * RATE, RATE))
    shown = ["The first line", "The first line\nThe second one", "The second one\nAnd the third"]
    ours = [cue.text for cue in by_us(tmp_path / "roll.mp4")]
    assert [text for text in ours if text in shown] == shown
    assert [text for _, _, text in by_ffmpeg(tmp_path / "roll.mp4")] == shown


def test_paint_on_captions_show_the_same_text(plain_clip: Path, tmp_path: Path) -> None:
    script = [(1.0, control(RDC) + address(14) + letters("Painted on")), (4.0, control(EDM))]
    captioned_clip(plain_clip, tmp_path / "paint.mp4", spread(script, SECONDS * RATE, RATE))
    ours, theirs = by_us(tmp_path / "paint.mp4"), by_ffmpeg(tmp_path / "paint.mp4")
    assert [cue.text for cue in ours] == [text for _, _, text in theirs] == ["Painted on"]
    assert abs(ours[0].end_ms - theirs[0][1]) <= 1_000 // RATE
