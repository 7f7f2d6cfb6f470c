"""How many different viewers a stream of 64-bit hashes has: exact while they are few, then a HyperLogLog.

Up to `FEW` hashes are kept as they are. Past that there are 2^14 registers of a byte: the first 14 bits of a hash choose
one, and it keeps the greatest number of the first 1-bit in the other 50. Adding a hash again, and adding in another
order, changes nothing. The estimate is Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017,
algorithm 6): without tables of corrections and without a range in which it is biased. Its standard error is
1.04 / sqrt(2^14) = 0.81 %, for as many viewers as one can have.

Written here and not taken from a library: those that there are hash by themselves, keep floats or other sizes, or do not
promise their bytes, and the bytes live on the log for years.
"""

import base64
import math
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Self

FEW: Final = 1_024
BITS: Final = 14
REGISTERS: Final = 1 << BITS
REST: Final = 64 - BITS
STANDARD_ERROR: Final = 1.04 / math.sqrt(REGISTERS)
HASH_BYTES: Final = 8


class UniqueViewers:
    """A set of hashes of which only the size can be asked."""

    def __init__(self) -> None:
        self._few: set[int] | None = set()
        self._registers = bytearray()
        self._estimate: int | None = 0

    def add(self, hashes: Iterable[int]) -> bool:
        """Take 64-bit hashes in; whether that changed anything."""
        if self._few is not None:
            before = len(self._few)
            self._few.update(hashes)
            changed = len(self._few) > before
            if len(self._few) > FEW:
                few, self._few, self._registers = self._few, None, bytearray(REGISTERS)
                self._add(few)
        else:
            changed = self._add(hashes)
        if changed:
            self._estimate = None
        return changed

    def __len__(self) -> int:
        """How many there are, about."""
        if self._estimate is None:
            self._estimate = len(self._few) if self._few is not None else round(estimate(self._registers))
        return self._estimate

    def packed(self) -> str:
        """All of it as text, at most 22 KiB: what `unpacked` reads."""
        if self._few is not None:
            return "f" + _text(b"".join(n.to_bytes(HASH_BYTES, "big") for n in sorted(self._few)))
        return "r" + _text(zlib.compress(self._registers, 1))

    @classmethod
    def unpacked(cls, text: str) -> Self:
        """What `packed` gave.

        Raises:
            ValueError: it is none.
        """
        made, data = cls(), base64.b64decode(text[1:], validate=True)
        if text[:1] == "f":
            made.add(hashes_of(data))
            return made
        try:
            registers = zlib.decompress(data) if text[:1] == "r" else b""
        except zlib.error as error:
            raise ValueError(f"expected compressed registers, found {text[:20]!r}…: {error}") from error
        if len(registers) != REGISTERS:
            raise ValueError(f"expected {REGISTERS} registers, found {text[:20]!r}… with {len(registers)}")
        made._few, made._registers, made._estimate = None, bytearray(registers), None
        return made

    def _add(self, hashes: Iterable[int]) -> bool:
        registers, changed = self._registers, False
        for number in hashes:
            rank = REST + 1 - (number & ((1 << REST) - 1)).bit_length()
            if rank > registers[number >> REST]:
                registers[number >> REST] = rank
                changed = True
        return changed


def hashes_of(data: bytes) -> Iterator[int]:
    """The hashes of a string of 8 bytes each, big endian; a rest is left out."""
    for at in range(0, len(data) - HASH_BYTES + 1, HASH_BYTES):
        yield int.from_bytes(data[at : at + HASH_BYTES], "big")


def estimate(registers: bytes | bytearray) -> float:
    """The size of the set whose registers these are (Ertl, algorithm 6)."""
    counts = [0] * (REST + 2)
    for rank in range(REST + 2):
        counts[rank] = registers.count(rank)
    z = REGISTERS * _tau(1 - counts[REST + 1] / REGISTERS)
    for rank in range(REST, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += REGISTERS * _sigma(counts[0] / REGISTERS)
    return REGISTERS * REGISTERS / (2 * math.log(2) * z) if z else math.inf


def _sigma(x: float) -> float:
    """What the empty registers say: x + sum of x^(2^k) 2^(k-1)."""
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before, z, y = z, z + x * y, 2 * y
    return z


def _tau(x: float) -> float:
    """What the full registers say: 1/3 (1 - x - sum of (1 - x^(2^-k))^2 2^-k)."""
    if x in {0.0, 1.0}:
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before, y = z, 0.5 * y
        z -= (1 - x) ** 2 * y
    return z / 3


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
