"""RTMP's 32-bit milliseconds as a plain integer that never wraps."""

_WRAP_32 = 1 << 32
_WRAP_24 = 1 << 24
_WINDOW_MS = 60_000
"""How close to the last timestamp a 24-bit one must land to be taken for a wrap."""


class TimestampUnwrapper:
    """Turn the 32-bit timestamps of one publish into integers that go on past every wrap.

    Timestamps are serial numbers of 32 bits that wrap after 49.7 days (RTMP 1.0, 5): of all the values that end in
    these 32 bits, the one nearest to the last is meant. So small steps back, as between audio and video, stay small steps
    back. Some encoders also cut absolute timestamps to 24 bits, which wrap after 4 h 39 min; such a value is recognised
    because it falls within a minute of the last one when 24 bits are put back in front of it, and nowhere near otherwise.

    One instance serves audio and video together, so that both cross a wrap at the same place.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """Give the continuous time of a wire timestamp (0 to 2**32 - 1), in milliseconds.

        The first value is taken as it is. A time before the zero of the stream is given as 0.
        """
        last = self._last
        value = timestamp if last is None else _nearest(timestamp, last, _WRAP_32)
        if last is not None and timestamp < _WRAP_24 and abs(value - last) > _WINDOW_MS:
            short = _nearest(timestamp, last, _WRAP_24)
            if abs(short - last) <= _WINDOW_MS:
                value = short
        self._last = value
        return max(value, 0)


def _nearest(timestamp: int, last: int, wrap: int) -> int:
    """Of all integers that equal `timestamp` modulo `wrap`, the one nearest to `last`."""
    half = wrap // 2
    return last + (timestamp - last + half) % wrap - half
