"""RTMP's 32-bit milliseconds as a plain integer that never wraps."""

_WRAP_32 = 1 << 32
_SHORT_WRAPS = (1 << 31, 1 << 24)
"""Where encoders cut their timestamps: FFmpeg keeps 31 bits, some others 24."""
_WINDOW_MS = 60_000
"""How close to the last timestamp a value must land to be taken for a wrap, or for a step back before zero."""


class TimestampUnwrapper:
    """Turn the 32-bit timestamps of one publish into integers that go on past every wrap.

    Timestamps are serial numbers of 32 bits that wrap after 49.7 days (RTMP 1.0, 5): of all the values that end in
    these 32 bits, the one nearest to the last is meant. So small steps back, as between audio and video, stay small steps
    back. Encoders also cut timestamps shorter: FFmpeg to 31 bits (24.8 days), some to 24 (4 h 39 min). Once a stream has
    come that far, a value is recognised as cut if it falls within a minute of the last one with its missing bits put
    back, and nowhere near it without.

    Many encoders send their configuration at 0 and then begin anywhere, so a long step is only ever taken for a long
    step: no time before zero comes of it.

    One instance serves audio and video together, so that both cross a wrap at the same place.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp: int) -> int:
        """Give the continuous time of a wire timestamp (0 to 2**32 - 1), in milliseconds.

        The first value is taken as it is. A time up to a minute before the zero of the stream is given as 0.
        """
        self._last = timestamp if self._last is None else _after(self._last, timestamp)
        return max(self._last, 0)


def _after(last: int, timestamp: int) -> int:
    """Give the time that a wire timestamp means after the time `last`."""
    value = _nearest(timestamp, last, _WRAP_32)
    if value < -_WINDOW_MS:
        return value + _WRAP_32
    if abs(value - last) <= _WINDOW_MS:
        return value
    for wrap in _SHORT_WRAPS:
        cut = _nearest(timestamp, last, wrap)
        if timestamp < wrap and last >= wrap - _WINDOW_MS and abs(cut - last) <= _WINDOW_MS:
            return cut
    return value


def _nearest(timestamp: int, last: int, wrap: int) -> int:
    """Of all integers that equal `timestamp` modulo `wrap`, the one nearest to `last`."""
    half = wrap // 2
    return last + (timestamp - last + half) % wrap - half
