"""A reader of bits, most significant first, that never reads past its end."""

from media.errors import MediaError

_MAX_GOLOMB_ZEROS = 32


class BitReader:
    """Reads unsigned fields and Exp-Golomb codes (ITU-T H.264 clause 9.1) from `data`.

    Errors are raised as `error`, and name the structure (`what`) that ended too soon.
    """

    def __init__(self, data: bytes, what: str, error: type[MediaError]) -> None:
        self._value = int.from_bytes(data, "big")
        self._size = len(data) * 8
        self._at = 0
        self._what = what
        self._error = error

    @property
    def left(self) -> int:
        """Bits not yet read."""
        return self._size - self._at

    def bits(self, count: int) -> int:
        """The next `count` bits as an unsigned number."""
        if count > self.left:
            raise self._error(f"{self._what}: expected {count} more bits at bit {self._at}, found {self.left}")
        self._at += count
        return (self._value >> (self._size - self._at)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        return self.bits(1) == 1

    def skip(self, count: int) -> None:
        """Pass over `count` bits."""
        self.bits(count)

    def align(self) -> None:
        """Go on to the next whole byte."""
        self.skip(-self._at % 8)

    def flag_and_skip(self, count: int) -> bool:
        """The next bit, and past `count` bits behind it."""
        found = self.flag()
        self.skip(count)
        return found

    def ue(self) -> int:
        """The next unsigned Exp-Golomb code: `ue(v)` in the specification."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > _MAX_GOLOMB_ZEROS:
                raise self._error(f"{self._what}: an Exp-Golomb code of more than {_MAX_GOLOMB_ZEROS} leading zeros")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """The next signed Exp-Golomb code: `se(v)` in the specification."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def ue_up_to(self, limit: int, name: str) -> int:
        """An unsigned Exp-Golomb code that the specification bounds by `limit`."""
        value = self.ue()
        if value > limit:
            raise self._error(f"{self._what}: {name} is {value}, expected at most {limit}")
        return value
