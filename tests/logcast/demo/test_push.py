"""The real encoder and muxer, into a file in place of a server: what is in it is what a server would get."""

from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import av
import pytest

from logcast.demo.push import FRAME_RATE, Push, push_for_ever

BEGAN = 1_800_014_400.0


class Clock:
    """A clock that `wait` moves; stops the push at `end_s`."""

    def __init__(self, end_s: float, jump: tuple[float, float] = (1e9, 0.0)) -> None:
        self.now_s = BEGAN
        self._end_s = BEGAN + end_s
        self._jump_at_s, self._jump_s = BEGAN + jump[0], jump[1]

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        if self.now_s >= self._jump_at_s:
            self.now_s += self._jump_s
            self._jump_at_s = 1e99
        return self.now_s >= self._end_s


class Pushed(NamedTuple):
    """A packet: kind of stream, times in seconds, whether it is a keyframe. (PyAV's own dies with its container.)"""

    kind: str
    pts_s: float
    dts_s: float
    is_keyframe: bool


def pushed(path: Path, clock: Clock) -> tuple[list[Pushed], list[Pushed]]:
    """Video and audio packets of a push by this clock."""
    push = Push(str(path), clock)
    push.run(clock)  # type: ignore[arg-type]
    push.close()
    with av.open(str(path)) as container:
        packets = [
            Pushed(p.stream.type, float(p.pts * p.time_base), float((p.dts or 0) * p.time_base), p.is_keyframe)
            for p in container.demux()
            if p.pts is not None
        ]
    return [p for p in packets if p.kind == "video"], [p for p in packets if p.kind == "audio"]


def test_video_comes_at_its_rate_with_a_keyframe_every_two_seconds(tmp_path: Path) -> None:
    video, _audio = pushed(tmp_path / "a.flv", Clock(5.0))
    assert len(video) == pytest.approx(5 * FRAME_RATE, abs=1)
    assert [number for number, packet in enumerate(video) if packet.is_keyframe] == [0, 60, 120]
    assert all(packet.pts_s == packet.dts_s for packet in video), "no reordering"


def test_the_tone_goes_along_with_the_picture(tmp_path: Path) -> None:
    video, audio = pushed(tmp_path / "a.flv", Clock(3.0))
    assert audio[-1].pts_s == pytest.approx(video[-1].pts_s, abs=0.1)


def test_after_a_pause_it_goes_on_with_the_present(tmp_path: Path) -> None:
    video, audio = pushed(tmp_path / "a.flv", Clock(20.0, jump=(2.0, 15.0)))
    assert len(video) < 6 * FRAME_RATE, "what was missed is not made up for"
    assert video[-1].pts_s == pytest.approx(20, abs=0.2)
    assert audio[-1].pts_s == pytest.approx(20, abs=0.2)


def test_a_server_that_is_not_there_is_tried_again_until_the_end(
    caplog: pytest.LogCaptureFixture, unused_ports: Any
) -> None:
    class SixthTime(Event):
        waited: list[float]

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            self.waited.append(timeout)
            if len(self.waited) == 6:
                self.set()
            return self.is_set()

    stop = SixthTime()
    stop.waited = []
    push_for_ever(f"rtmp://127.0.0.1:{unused_ports(1)[0]}/live/secret", stop)
    assert stop.waited == [1, 2, 4, 8, 10, 10]
    assert "not pushing" in caplog.text
    assert "secret" not in caplog.text
