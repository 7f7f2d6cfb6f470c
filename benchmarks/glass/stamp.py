"""A wall-clock time in a picture, as black and white blocks: read again after scaling and encoding, down to 240p.

16 x 3 blocks, most significant bit first, row by row: 41 bits of milliseconds since 1970 (until 2039), then the number
modulo 127 in 7 bits. The blocks take the middle 80 % of the width and a fifth of the height, one tenth from the top.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = 16
ROWS: Final = 3
LEFT: Final = 0.1
TOP: Final = 0.1
WIDTH: Final = 0.8
HEIGHT: Final = 0.2
CHECK_BITS: Final = 7
CHECK_MODULUS: Final = 127
BLACK: Final = 32
WHITE: Final = 220
THRESHOLD: Final = 128

Plane = NDArray[np.uint8]


def draw(luma: Plane, wall_ms: int) -> None:
    """Draw a time into a luma plane whose sides are divisible by 160 and 30."""
    height, width = luma.shape
    number = wall_ms << CHECK_BITS | wall_ms % CHECK_MODULUS
    bits = np.array([number >> shift & 1 for shift in range(COLUMNS * ROWS - 1, -1, -1)], np.uint8)
    blocks = np.where(bits.reshape(ROWS, COLUMNS), WHITE, BLACK).astype(np.uint8)
    block = (round(height * HEIGHT) // ROWS, round(width * WIDTH) // COLUMNS)
    drawn = np.kron(blocks, np.ones(block, np.uint8))
    top, left = round(height * TOP), round(width * LEFT)
    luma[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn


def read(luma: Plane) -> int | None:
    """The time in a luma plane of any size; None when there is none, or it cannot be told."""
    height, width = luma.shape
    rows = ((TOP + (np.arange(ROWS) + 0.5) * HEIGHT / ROWS) * height).astype(int)
    columns = ((LEFT + (np.arange(COLUMNS) + 0.5) * WIDTH / COLUMNS) * width).astype(int)
    return decode((luma[np.ix_(rows, columns)] > THRESHOLD).ravel().tolist())


def decode(bits: list[bool]) -> int | None:
    """The time of 48 bits; None when the check does not hold."""
    number = 0
    for bit in bits:
        number = number << 1 | bit
    wall_ms, check = number >> CHECK_BITS, number & (1 << CHECK_BITS) - 1
    return wall_ms if wall_ms and wall_ms % CHECK_MODULUS == check else None
