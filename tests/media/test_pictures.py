"""Pictures of real H.264: the one that was asked for, whatever order they are coded in."""

from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from media.packaged import Chunk
from media.pictures import FLAT_DEVIATION, PictureError, chunks_of, deviation, picture_at
from media.stills import KINDS, encode_still
from tests.media import other_codecs
from tests.processors.gops import Clip, make_gops, mark

CLIP = Clip(width=320, height=180, gops=2, gop_frames=30, part_frames=6)


def media(clip: Clip = CLIP) -> tuple[bytes, list[bytes]]:
    """The CMAF header of a clip and its GOPs, whose chunks are joined."""
    gops = make_gops(clip)
    init = gops[0].video[0].init
    assert init is not None
    return init, [b"".join(chunk.data for chunk in gop.video) for gop in gops]


def level(frame: VideoFrame) -> int:
    """The grey level of the mark that tells a picture's number."""
    grey = frame.to_ndarray(format="gray")
    return int(grey[2 : frame.height // 6, 2 : frame.width // 6].mean())


@pytest.mark.parametrize("b_frames", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 13, 28, 29, 30, 31, 44, 59])
def test_the_exact_picture_is_the_one_that_is_shown_then(n: int, b_frames: int) -> None:
    clip = Clip(width=320, height=180, gops=2, gop_frames=30, part_frames=6, b_frames=b_frames)
    for early_s in (0.0, 0.01, 0.033):
        found = picture_at(*media(clip), n / 30 + early_s, exact=True)
        assert found.at_s == pytest.approx(n / 30, abs=1e-4)
        assert abs(level(found.frame) - mark(n)) < 12


@pytest.mark.parametrize(("at_s", "n"), [(0.0, 0), (0.4, 0), (0.6, 30), (1.0, 30), (1.9, 30), (9.0, 30)])
def test_otherwise_it_is_the_nearest_keyframe(at_s: float, n: int) -> None:
    found = picture_at(*media(), at_s, exact=False)
    assert found.at_s == pytest.approx(n / 30)
    assert abs(level(found.frame) - mark(n)) < 12


OTHERS = [
    other_codecs.Made("hvc1"),
    other_codecs.Made("hvc1", pix_fmt="yuv420p10le"),
    other_codecs.Made("hvc1", closed=False),
    other_codecs.Made("av01"),
]


@pytest.mark.parametrize("made", OTHERS, ids=str)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 28, 29, 30, 31, 44, 74])
def test_h265_and_av1_are_found_like_h264(made: other_codecs.Made, n: int) -> None:
    chunks = [out for out in other_codecs.package(made) if isinstance(out, Chunk)]
    init = chunks[0].init
    assert init is not None
    found = picture_at(init, [chunk.data for chunk in chunks], n / 30 + 0.005, exact=True)
    assert found.at_s == pytest.approx(n / 30, abs=0.002)
    grey = found.frame.to_ndarray(format="gray")[2:40, 2:70]
    assert abs(int(grey.mean()) - other_codecs.mark(n)) < 20
    for kind in KINDS:
        assert len(encode_still(found.frame, kind)) > 100


def test_a_time_past_the_last_picture_means_the_last() -> None:
    assert picture_at(*media(), 99.0, exact=True).at_s == pytest.approx(59 / 30)


def test_joined_chunks_come_apart_again() -> None:
    _, gops = media()
    assert [len(list(chunks_of(gop))) for gop in gops] == [5, 5]
    assert b"".join(chunks_of(gops[0])) == gops[0]


def test_flat_pictures_are_told_from_pictures() -> None:
    assert deviation(picture_at(*media(), 0.0, exact=False).frame) > FLAT_DEVIATION
    for grey in (0, 16, 235):
        flat = VideoFrame.from_ndarray(np.full((180, 320, 3), grey, np.uint8), format="rgb24")
        assert deviation(flat) < FLAT_DEVIATION


@pytest.mark.parametrize("pieces", [[], [b""], [b"nonsense" * 40], [bytes(100)]])
@pytest.mark.parametrize("exact", [True, False])
def test_bytes_without_a_picture_are_refused(pieces: list[bytes], exact: bool) -> None:
    init, good = media()
    with pytest.raises(PictureError):
        picture_at(init, pieces, 0.0, exact=exact)
    with pytest.raises(PictureError):
        picture_at(b"", good, 0.0, exact=exact)


def test_a_picture_without_the_keyframe_before_it_is_refused() -> None:
    init, gops = media()
    late = [chunk for number, chunk in enumerate(chunks_of(gops[0])) if number > 0]
    with pytest.raises(PictureError, match="expected a keyframe before"):
        picture_at(init, late, 0.9, exact=True)
    with pytest.raises(PictureError, match="expected a keyframe among"):
        picture_at(init, late, 0.9, exact=False)


def test_a_broken_picture_is_a_picture_error() -> None:
    init, gops = media()
    broken = bytearray(gops[0])
    at = broken.index(b"mdat") + 4
    broken[at : at + 2_000] = b"\xff" * 2_000
    with pytest.raises(PictureError):
        picture_at(init, [bytes(broken)], 0.0, exact=False)


def test_only_what_a_picture_needs_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def counted(data: bytes) -> "av.Packet[Any]":
        decoded.append(data)
        return packet(data)

    packet = av.Packet
    monkeypatch.setattr("media.pictures.av.Packet", counted)
    picture_at(*media(), 1.1, exact=True)
    assert len(decoded) == 4
    decoded.clear()
    picture_at(*media(), 1.1, exact=False)
    assert len(decoded) == 1
