"""How far lossless pushes are, on the ingest's disk: what is needed to go on with one exactly where its outputs ended.

A state is the packager itself, pickled, beside the offset of the stream up to which it was fed. Given the same bytes from there on it
gives the same outputs again; those that are on the log already are left out. The files are ours alone, as the code is.
"""

import logging
import os
import pickle
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from media.packager import Packager
from schemas.events import VideoChanged

log = logging.getLogger(__name__)

MAGIC: Final = b"LCPUSH01"


@dataclass(frozen=True, slots=True)
class PushState:
    """A push at one tag of its stream.

    Attributes:
        push: its id, chosen by the client.
        channel: whose video it is.
        offset: of the first byte that the packager has not seen.
        base_ms: wall clock of the first tag.
        first_ms: time stamp of the first tag; None before it.
        taken_ms: wall clock when this state was reached; what came after it is on the log after that.
        video: its last state.
        segment: the last segment that was announced.
        audio, video_seen: which configurations came.
        packager: as it was, pickled.
        ended: nothing more comes; all of it is on the log.
    """

    push: str
    channel: str
    offset: int
    base_ms: int
    first_ms: int | None
    taken_ms: int
    video: VideoChanged
    segment: int
    audio: bool
    video_seen: bool
    packager: bytes = field(repr=False)
    ended: bool = False

    def packager_again(self) -> Packager:
        """The packager."""
        packager = pickle.loads(self.packager)  # noqa: S301  (written by us, in a directory that is ours)
        assert isinstance(packager, Packager)
        return packager


class PushStates:
    """The states of all pushes to the ingests of this machine, one a channel."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, PushState] = {}
        for path in directory.glob("*.push"):
            state = _read(path)
            if state is not None:
                self._known[state.channel] = state

    def of(self, channel: str) -> PushState | None:
        """The last push of a channel."""
        state = _read(self._path(channel))
        if state is not None:
            self._known[channel] = state
        return state

    def save(self, state: PushState) -> None:
        """Replace the state of a channel, all or nothing; OSError where the disk does not take it."""
        data = pickle.dumps(state)
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._path(state.channel)
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(MAGIC + zlib.crc32(data).to_bytes(4, "big") + data)
            file.flush()
            os.fdatasync(file.fileno())
        new.replace(path)
        self._known[state.channel] = state

    def forget(self, channel: str) -> None:
        """Somebody else publishes to the channel now: its push cannot go on."""
        self._known.pop(channel, None)
        self._path(channel).unlink(missing_ok=True)

    def unfinished(self, now_ms: int, grace_ms: int) -> frozenset[str]:
        """Ids of the videos whose push may come back."""
        return frozenset(
            state.video.video_id
            for state in self._known.values()
            if not state.ended and now_ms - state.taken_ms <= grace_ms
        )

    def _path(self, channel: str) -> Path:
        return self._directory / f"{channel}.push"


def _read(path: Path) -> PushState | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC or zlib.crc32(data[head:]) != int.from_bytes(data[len(MAGIC) : head], "big"):
        log.error("%s is broken: that push cannot go on", path)
        return None
    try:
        state = pickle.loads(data[head:])  # noqa: S301  (written by us, in a directory that is ours)
    except Exception:
        log.exception("%s is of another version of Logcast: that push cannot go on", path)
        return None
    return state if isinstance(state, PushState) else None
