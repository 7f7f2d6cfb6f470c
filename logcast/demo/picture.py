"""The test picture, drawn into the planes that the encoder takes (YUV 4:2:0): only what changes is drawn again."""

import time
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from logcast.demo.font import text_mask

Plane = NDArray[np.uint8]
Yuv = tuple[int, int, int]

WIDTH: Final = 1280
HEIGHT: Final = 720
BARS_HEIGHT: Final = 480
BALL_RADIUS: Final = 44
FLASH_S: Final = 0.1

BARS_RGB: Final = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))
"""75 % colour bars, as SMPTE EG 1 orders them."""

CLOCK_AT: Final = (520, 64)
CLOCK_SCALE: Final = 12
NUMBER_AT: Final = (640, 64)
NUMBER_SCALE: Final = 6
FLASH_AT: Final = (520, 1120)
FLASH_SIZE: Final = 96


def yuv(red: int, green: int, blue: int) -> Yuv:
    """8-bit R'G'B' to Y'CbCr, limited range (ITU-R BT.709-6, 3)."""
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (
        round(16 + luma * 219 / 255),
        round(128 + (blue - luma) / 1.8556 * 224 / 255),
        round(128 + (red - luma) / 1.5748 * 224 / 255),
    )


WHITE: Final = yuv(235, 235, 235)
DARK: Final = yuv(16, 20, 28)
ORANGE: Final = yuv(255, 140, 0)


class TestPicture:
    """One frame, changed from time to time, in the encoder's own memory: a copy would cost more than the drawing."""

    __test__ = False  # no test class, whatever its name begins with

    def __init__(self) -> None:
        self.frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        self.planes = tuple(_writable(plane) for plane in self.frame.planes)
        self._y, self._u, self._v = self.planes
        self._draw_background()
        self._background = tuple(plane.copy() for plane in self.planes)
        self._ball_mask = _disc(BALL_RADIUS)
        self._ball_at = (0, 0)

    def draw(self, number: int, elapsed_s: float, wall_s: float) -> av.VideoFrame:
        """Draw frame `number`, `elapsed_s` after the first, at wall-clock time `wall_s`; the same frame every time."""
        self._erase_ball()
        self._draw_ball(ball_position(elapsed_s))
        self._write(clock_text(wall_s), CLOCK_AT, CLOCK_SCALE)
        self._write(f"FRAME {number:08d}", NUMBER_AT, NUMBER_SCALE)
        self._flash(on=wall_s % 1.0 < FLASH_S)
        return self.frame

    def _draw_background(self) -> None:
        self._fill(0, 0, HEIGHT, WIDTH, DARK)
        edges = np.linspace(0, WIDTH, len(BARS_RGB) + 1).astype(int) // 2 * 2
        for left, right, colour in zip(edges, edges[1:], BARS_RGB, strict=False):
            self._fill(0, int(left), BARS_HEIGHT, int(right), yuv(*colour))
        self._write("UTC", (562, 940), NUMBER_SCALE)
        self._write("LOGCAST", (640, 940), NUMBER_SCALE)

    def _fill(self, top: int, left: int, bottom: int, right: int, colour: Yuv) -> None:
        """A rectangle with even corners."""
        self._y[top:bottom, left:right] = colour[0]
        for plane, value in ((self._u, colour[1]), (self._v, colour[2])):
            plane[top // 2 : bottom // 2, left // 2 : right // 2] = value

    def _write(self, text: str, at: tuple[int, int], scale: int) -> None:
        """White on dark; colour planes stay as they are."""
        mask = text_mask(text, scale)
        top, left = at
        self._y[top : top + mask.shape[0], left : left + mask.shape[1]] = np.where(mask, WHITE[0], DARK[0])

    def _flash(self, *, on: bool) -> None:
        top, left = FLASH_AT
        self._y[top : top + FLASH_SIZE, left : left + FLASH_SIZE] = WHITE[0] if on else DARK[0]

    def _draw_ball(self, at: tuple[int, int]) -> None:
        self._ball_at = at
        colours = zip((self._y, self._u, self._v), ORANGE, (1, 2, 2), strict=True)
        for plane, value, step in colours:
            _part(plane, at, step)[self._ball_mask[::step, ::step]] = value

    def _erase_ball(self) -> None:
        for plane, behind, step in zip((self._y, self._u, self._v), self._background, (1, 2, 2), strict=True):
            _part(plane, self._ball_at, step)[:] = _part(behind, self._ball_at, step)


def clock_text(wall_s: float) -> str:
    """Universal time with milliseconds: "12:34:56.789"."""
    milliseconds = int(wall_s * 1000)
    return time.strftime("%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03d}"


def ball_position(elapsed_s: float) -> tuple[int, int]:
    """Top and left of the ball's square, even numbers; it bounces inside the bars, without end."""
    size = 2 * BALL_RADIUS
    top = _bounce(elapsed_s * 173, BARS_HEIGHT - size)
    left = _bounce(elapsed_s * 311, WIDTH - size)
    return top // 2 * 2, left // 2 * 2


def _bounce(way: float, room: int) -> int:
    back_and_forth = way % (2 * room)
    return int(min(back_and_forth, 2 * room - back_and_forth))


def _writable(plane: Any) -> Plane:
    """The pixels of a plane, without what pads its lines."""
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _part(plane: Plane, at: tuple[int, int], step: int) -> Plane:
    top, left, size = at[0] // step, at[1] // step, 2 * BALL_RADIUS // step
    return plane[top : top + size, left : left + size]


def _disc(radius: int) -> NDArray[np.bool_]:
    offsets = np.arange(2 * radius) - radius + 0.5
    return np.asarray(offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2)
