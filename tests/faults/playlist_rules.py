"""The rules that hold between all answers of one live media playlist, from the first to the last (draft-pantos-hls-rfc8216bis).

What one answer must be by itself, and beside the one before it, is in `tests.gateway.playlist_reader`. Here is what a client
that never forgets would notice: something that left and came back, a discontinuity that was counted twice.
"""

import traceback
from datetime import datetime
from itertools import pairwise
from typing import Final

from tests.gateway.playlist_reader import ReadPlaylist, ReadSegment, check_update, read

SLACK_S: Final = 0.01
"""Dates are whole milliseconds, and what is lost is as long as it was in another rendition."""


class PlaylistRules:
    """Judges one playlist after the other.

    Attributes:
        last: the newest answer.
        wrong: what broke a rule, each sentence once.
        newest: (segment, part) of the newest part that has media; (-1, -1) before the first.
        newest_ms: wall clock at which the capture of that part began.
    """

    def __init__(self) -> None:
        self.last: ReadPlaylist | None = None
        self.wrong: list[str] = []
        self.newest = (-1, -1)
        self.newest_ms = 0.0
        self._known: dict[int, ReadSegment] = {}
        self._without_parts: set[int] = set()

    def saw(self, text: str) -> bool:
        """Judge an answer; whether it has a part that none before it had."""
        try:
            playlist = read(text)
        except AssertionError as error:
            self._is_wrong(_sentence(error))
            return False
        try:
            if self.last is not None:
                check_update(self.last, playlist)
            self._judge(playlist)
        except AssertionError as error:
            self._is_wrong(_sentence(error))
        self.last = playlist
        return self._advance(playlist)

    def _is_wrong(self, sentence: str) -> None:
        if sentence not in self.wrong:
            self.wrong.append(sentence)

    def _judge(self, playlist: ReadPlaylist) -> None:
        for segment in playlist.segments:
            known = self._known.get(segment.number)
            if known is not None:
                _check_same(known, segment)
            if not segment.parts and segment.uri:
                self._without_parts.add(segment.number)
            assert not (segment.parts and segment.number in self._without_parts), (
                f"the parts of segment {segment.number} had left and are back"
            )
            self._known[segment.number] = segment
        for one, following in pairwise(playlist.segments):
            assert following.number == one.number + 1
            assert following.epoch >= one.epoch
            if one.epoch == following.epoch:
                over_s = _date(one) + one.duration - _date(following)
                assert over_s <= SLACK_S, f"segment {one.number} reaches {over_s:.3f} s over the next one"

    def _advance(self, playlist: ReadPlaylist) -> bool:
        """Remember the newest part; gaps are none."""
        for segment in reversed(playlist.segments):
            parts = [number for number, part in enumerate(segment.parts) if not part[3]]
            if parts:
                at = segment.number, parts[-1]
                if at <= self.newest:
                    return False
                self.newest = at
                self.newest_ms = 1000 * (_date(segment) + sum(part[1] for part in segment.parts[: parts[-1]]))
                return True
        return False


def _check_same(known: ReadSegment, segment: ReadSegment) -> None:
    """What a segment was, it is for ever."""
    number = segment.number
    assert known.epoch == segment.epoch, f"segment {number} was of discontinuity {known.epoch}, is of {segment.epoch}"
    assert (known.date, known.map) == (segment.date, segment.map), f"segment {number} has another date or map"
    if known.uri:
        was, now = ((s.uri, s.duration, s.gap) for s in (known, segment))
        assert was == now, f"segment {number} was {was}, is {now}"


def _date(segment: ReadSegment) -> float:
    return datetime.fromisoformat(segment.date).timestamp()


def _sentence(error: AssertionError) -> str:
    """The rule that was broken: the assertion's own words, or the line where it stands."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return str(error) or f"{frame.name}: {frame.line}"
