"""The hot segment store: finished parts and init segments by name, for the last minutes of every video.

A name is `VIDEO/RENDITION/FILE`. The same name always holds the same bytes, so writing twice is harmless and what was
read may be kept for ever. All of it blocks and may be called from any thread; asyncio callers use `asyncio.to_thread`.

Errors:
    SegmentStoreError: the store cannot do it now; the message says what to do.
        StoreFullError: there is no room.
    BadSegmentNameError: a name that is not of the form above; a caller's mistake or a stranger's attempt.
"""

import errno
import itertools
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from schemas.ids import VIDEO_ID

MAX_SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""More than the largest record of the log, so that every part fits and nothing else does."""

_RENDITION = re.compile(r"[a-z0-9]{1,16}")
_FILE = re.compile(r"[0-9]{8,12}\.[0-9]{4,6}\.m4s|init-[0-9a-f]{12}\.mp4")
_TEMPORARY: Final = ".tmp-"


class SegmentStoreError(RuntimeError):
    """The store cannot do what was asked now."""


class StoreFullError(SegmentStoreError):
    """There is no room for another segment."""


class BadSegmentNameError(ValueError):
    """A name that no segment can have."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal took away."""

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.files + other.files, self.size_bytes + other.size_bytes)


class SegmentStore(Protocol):
    """What a hot tier does; `LocalSegmentStore` says how on one machine."""

    def put(self, name: str, data: bytes) -> None:
        """Store `data` whole or not at all; what was there under the name is replaced.

        Raises:
            BadSegmentNameError, StoreFullError, SegmentStoreError.
        """

    def get(self, name: str) -> bytes | None:
        """The bytes of `name`, None where there are none.

        Raises:
            BadSegmentNameError, SegmentStoreError.
        """

    def size(self, name: str) -> int | None:
        """How many bytes `name` has, None where there are none; reads no content.

        Raises:
            BadSegmentNameError, SegmentStoreError.
        """

    def remove_video(self, video_id: str) -> Removed:
        """Forget all of a video; one that is not there is no error.

        Raises:
            BadSegmentNameError, SegmentStoreError.
        """

    def remove_older(self, than_s: float, now_s: float) -> Removed:
        """Forget the parts that were put more than `than_s` seconds before `now_s` (seconds since 1970).

        The init segment of a rendition stays while the rendition has a part.

        Raises:
            SegmentStoreError.
        """

    def check(self) -> None:
        """Look whether the store can be used now.

        Raises:
            SegmentStoreError: it cannot; the message says what to do.
        """

    def close(self) -> None:
        """Let go of connections; a store that is used again opens new ones."""


def part_name(video_id: str, rendition: str, segment: int, part: int) -> str:
    """The name of a part, such as `VIDEO/480p/00000007.0002.m4s`."""
    return f"{video_id}/{rendition}/{segment:08d}.{part:04d}.m4s"


def init_name(video_id: str, rendition: str, data: bytes) -> str:
    """The name of an init segment, which tells its content: equal bytes, equal name."""
    return f"{video_id}/{rendition}/init-{sha256(data).hexdigest()[:12]}.mp4"


def checked_name(name: str) -> tuple[str, str, str]:
    """Video, rendition and file of a name.

    Raises:
        BadSegmentNameError: it is not the name of a part or an init segment.
    """
    video, _, rest = name.partition("/")
    rendition, _, file = rest.partition("/")
    if VIDEO_ID.fullmatch(video) and _RENDITION.fullmatch(rendition) and _FILE.fullmatch(file):
        return video, rendition, file
    raise BadSegmentNameError(f"expected VIDEO/RENDITION/SEGMENT.PART.m4s or …/init-HASH.mp4, found {name[:120]!r}")


def check_size(name: str, data: bytes) -> None:
    """Refuse what is larger than a segment can be.

    Raises:
        SegmentStoreError.
    """
    if len(data) > MAX_SEGMENT_BYTES:
        raise SegmentStoreError(f"{name} has {len(data)} bytes, at most {MAX_SEGMENT_BYTES} are stored")


class LocalSegmentStore:
    """Segments as files below one directory, shared by every process of the machine.

    A file appears under its name only when it is complete (written aside, then renamed). Nothing is forced to the
    disk: the hot tier can be made anew from the log.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def put(self, name: str, data: bytes) -> None:
        """See `SegmentStore.put`."""
        path = self._path(name)
        check_size(name, data)
        aside = self._aside(path)
        try:
            self._write(aside, data)
            aside.replace(path)
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise self._explained("write", path, error) from error

    def get(self, name: str) -> bytes | None:
        """See `SegmentStore.get`."""
        path = self._path(name)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._explained("read", path, error) from error

    def size(self, name: str) -> int | None:
        """See `SegmentStore.size`."""
        path = self._path(name)
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._explained("look up", path, error) from error

    def remove_video(self, video_id: str) -> Removed:
        """See `SegmentStore.remove_video`."""
        if not VIDEO_ID.fullmatch(video_id):
            raise BadSegmentNameError(f"expected a video id, found {video_id[:40]!r}")
        directory = self._directory / video_id
        removed = Removed()
        try:
            for rendition in _directories(directory):
                for file in _files(rendition):
                    removed += _unlinked(Path(file.path))
            if directory.exists():
                shutil.rmtree(directory)
        except OSError as error:
            raise self._explained("remove", directory, error) from error
        return removed

    def remove_older(self, than_s: float, now_s: float) -> Removed:
        """See `SegmentStore.remove_older`."""
        removed = Removed()
        try:
            for video in _directories(self._directory):
                if VIDEO_ID.fullmatch(video.name):
                    for rendition in _directories(video):
                        removed += _remove_older(rendition, now_s - than_s)
                    _remove_if_empty(video)
        except OSError as error:
            raise self._explained("clean", self._directory, error) from error
        return removed

    def check(self) -> None:
        """See `SegmentStore.check`."""
        probe = self._aside(self._directory / "probe")
        try:
            self._write(probe, b"x")
            probe.unlink()
        except OSError as error:
            raise self._explained("write", self._directory, error) from error

    def close(self) -> None:
        """Nothing is open."""

    def _aside(self, path: Path) -> Path:
        """A name beside `path` that nobody else writes to."""
        return path.with_name(f"{_TEMPORARY}{os.getpid()}-{threading.get_ident()}-{next(self._numbers)}")

    def _path(self, name: str) -> Path:
        return self._directory.joinpath(*checked_name(name))

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        for _ in range(3):  # a removal may take the empty directory away again
            try:
                path.write_bytes(data)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
            else:
                return
        path.write_bytes(data)

    def _explained(self, verb: str, path: Path, error: OSError) -> SegmentStoreError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreFullError(
                f"no room left for segments in {self._directory}: free some, point LOGCAST_SEGMENT_DIR at a larger "
                f"disk, or lower LOGCAST_HOT_RETENTION_S"
            )
        return SegmentStoreError(f"cannot {verb} {path}: {error.strerror}; is the directory writable for this user?")


def _remove_older(rendition: Path, before_s: float) -> Removed:
    """Forget what is older in one rendition; its init segments only with its last part."""
    removed, parts_left, inits = Removed(), False, []
    for file in _files(rendition):
        with suppress(FileNotFoundError):  # another process removes as well
            if file.stat().st_mtime >= before_s:
                parts_left = True
            elif file.name.startswith("init-"):
                inits.append(Path(file.path))
            else:
                removed += _unlinked(Path(file.path))
    if not parts_left:
        for path in inits:
            removed += _unlinked(path)
        _remove_if_empty(rendition)
    return removed


def _unlinked(path: Path) -> Removed:
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return Removed()
    return Removed(1, size)


def _remove_if_empty(directory: Path) -> None:
    with suppress(OSError):  # not empty (a part has just come) or gone already
        directory.rmdir()


def _directories(directory: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return [entry for entry in directory.iterdir() if entry.is_dir()]
    return []


def _files(directory: Path) -> Iterator["os.DirEntry[str]"]:
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))
