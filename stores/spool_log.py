"""An append-only log of records in files of one directory: what was appended survives the death of the process.

Theory. Records have dense numbers from 0 for the life of the directory. A file is named by the number of its first record and
holds a head (`_HEAD`) and records (`_RECORD`, then the bytes); its checksums are CRC-32 (zlib's: the standard library
has no CRC-32C that is fast enough). Only the last file is ever written to. What a crash cut off is found when the log is
opened: the first record that is short or whose checksum is wrong ends its file. Nobody was told that it had been taken.

Every time that a log is opened its new files have another identity: identity and number together name a record for ever, also
where a loss of power took records whose numbers are then given again.

The owner says what is delivered (`acknowledge`); files with nothing else in them are removed, and the number is kept in
`acknowledged`, written now and then and replaced atomically. A number that is too old there costs work, never a record.

Bounded three ways: by bytes, by what the disk must have left, and by the disk itself. A log that is full takes nothing new,
keeps the old, and takes again when files were removed.

The methods block and may be called from several threads.

Errors::

    LogError
    └── SpoolError            the directory cannot be used; the message says why
        ├── SpoolFullError    nothing more can be taken now
        └── SpoolInUseError   another process has it
"""

import errno
import fcntl
import itertools
import logging
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stores.kafka import LogError

log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
FILE_BYTES: Final = 16 * MIB
MAX_RECORD_BYTES: Final = 16 * MIB
IDENTITY_BYTES: Final = 16

_MAGIC: Final = b"LCSPOOL1"
_HEAD: Final = struct.Struct("!8s16sQ")
"""Magic, the identity of the file, number of the first record."""

_RECORD: Final = struct.Struct("!IIQQ")
"""Length of what follows this head; checksum of number, time and that; number; wall clock, ms."""

_CHECKED: Final = struct.Struct("!QQ")
_ACKNOWLEDGED: Final = struct.Struct("!8sQI")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SpoolError(LogError):
    """The spool cannot be used; the message says why and what to do."""


class SpoolFullError(SpoolError):
    """Nothing more can be taken now; what was taken stays."""


class SpoolInUseError(SpoolError):
    """Another process has the directory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a log may be, in bytes: itself, each file, and what its disk must have left."""

    total: int
    file: int = FILE_BYTES
    reserve: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A record.

    Attributes:
        name: 24 bytes that no other record of any log has.
        number: dense, from 0.
        taken_ms: wall clock when it was taken, never before that of the record before.
        data: its bytes.
    """

    name: bytes
    number: int
    taken_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a reader is: in the file that begins with record `file`, at byte `at`, before record `number`."""

    file: int
    at: int
    number: int


class SpoolLog:
    """The log of one directory. Open it as a context manager; one process at a time has it.

    Args:
        directory: made when it is not there.
        limits: of the size.
        now_ms: wall clock.
    """

    def __init__(self, directory: Path, limits: Limits, now_ms: Callable[[], int]) -> None:
        self.directory = directory
        self._identity = os.urandom(IDENTITY_BYTES)
        self._identities: dict[int, bytes] = {}
        self._limits = limits
        self._now_ms = now_ms
        self._sizes: dict[int, int] = {}
        self._next = 0
        self._acknowledged = -1
        self._written_acknowledged = -1
        self._taken_ms = 0
        self._fd: int | None = None
        self._lock_fd: int | None = None
        self._first: Cursor | None = None
        self._mutex = threading.Lock()

    # -- opening

    def __enter__(self) -> Self:
        """Take the directory, and find what is in it.

        Raises:
            SpoolInUseError: another process has it.
            SpoolError: it cannot be read or written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._unlock()
            raise SpoolInUseError(f"{self.directory} is in use by another process") from None
        except OSError as error:
            self._unlock()
            raise SpoolError(f"cannot use {self.directory} as a spool: {error.strerror}") from error
        try:
            self._recover()
        except OSError as error:
            self._unlock()
            raise SpoolError(f"cannot read the spool {self.directory}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._mutex:
            self._write_acknowledged()
            self._close_file()
            self._unlock()

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _recover(self) -> None:
        """Read every file; what is broken at an end is cut off, what was delivered is removed."""
        self._read_acknowledged()
        self._next = self._acknowledged + 1
        for path in sorted(self.directory.glob("*.spool")):
            self._recover_file(path)
        self._remove_delivered()
        if self._first is None:
            self._first = Cursor(self._next, _HEAD.size, self._next)

    def _read_acknowledged(self) -> None:
        path = self.directory / "acknowledged"
        data = path.read_bytes() if path.exists() else b""
        if len(data) == _ACKNOWLEDGED.size and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "big"):
            _, number, _ = _ACKNOWLEDGED.unpack(data)
            self._acknowledged = self._written_acknowledged = number - 1

    def _recover_file(self, path: Path) -> None:
        size = path.stat().st_size
        with path.open("r+b") as file:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size or head[:8] != _MAGIC:
                log.warning("%s has no head: the process died as it made it", path)
                path.unlink()
                return
            _, identity, first = _HEAD.unpack(head)
            self._identities[first] = identity
            end, after = self._scan(file.fileno(), first, size)
            if end < size:
                log.warning("%s is cut at %d of %d bytes: the rest was not written whole", path, end, size)
                file.truncate(end)
        self._sizes[first] = end
        self._next = max(self._next, after)

    def _scan(self, fd: int, first: int, size: int) -> tuple[int, int]:
        """Where the whole records of a file end, and the number after the last."""
        at, number = _HEAD.size, first
        while (entry := _entry(fd, at, size, b"")) is not None and entry.number == number:
            if self._first is None and number > self._acknowledged:
                self._first = Cursor(first, at, number)
            self._taken_ms = max(self._taken_ms, entry.taken_ms)
            at += _RECORD.size + len(entry.data)
            number += 1
        return at, number

    # -- what is in it

    @property
    def first(self) -> Cursor:
        """Where the records that were not acknowledged began when the log was opened."""
        assert self._first is not None
        return self._first

    @property
    def oldest(self) -> Cursor:
        """Where the oldest record begins that is still here."""
        with self._mutex:
            first = min(self._sizes, default=self._next)
        return Cursor(first, _HEAD.size, first)

    @property
    def next_number(self) -> int:
        """The number of the next record."""
        return self._next

    @property
    def acknowledged(self) -> int:
        """The last record up to which all are delivered; -1 before the first."""
        return self._acknowledged

    @property
    def identities(self) -> frozenset[bytes]:
        """The first 16 bytes of the names of all records in it."""
        return frozenset(self._identities.values())

    @property
    def size_bytes(self) -> int:
        """What the files hold, delivered records in the last files too."""
        return sum(self._sizes.values())

    # -- writing

    def append(self, records: Sequence[bytes]) -> int:
        """Add records, as many as there is room for; gives how many.

        Raises:
            SpoolFullError: there is room for none.
            SpoolError: the disk refused the write for another reason.
        """
        with self._mutex:
            taken_ms = self._taken_ms = max(self._taken_ms, self._now_ms())
            for done, data in enumerate(records):
                try:
                    self._append_somehow(data, taken_ms)
                except SpoolFullError:
                    if not done:
                        raise
                    return done
        return len(records)

    def _append_somehow(self, data: bytes, taken_ms: int) -> None:
        try:
            self._append(data, taken_ms)
        except SpoolFullError:
            if not self._make_room():
                raise
            self._append(data, taken_ms)

    def _make_room(self) -> bool:
        """Write to the last file no more, so that it goes as soon as it is delivered; whether a file went now."""
        before = len(self._sizes)
        self._close_file()
        self._remove_delivered()
        return len(self._sizes) < before

    def check_room(self, size: int) -> None:
        """Return when records of so many bytes would be taken now, or a quarter of what the log may hold.

        Raises:
            SpoolFullError: they would not; a quota of the disk is not known before a write.
        """
        with self._mutex:
            self._remove_delivered()
            self._check_room(min(size, self._limits.total // 4), on_disk=True)

    def _append(self, data: bytes, taken_ms: int) -> None:
        if len(data) > MAX_RECORD_BYTES:
            raise SpoolError(f"a record of {len(data)} bytes, expected at most {MAX_RECORD_BYTES}")
        checksum = zlib.crc32(data, zlib.crc32(_CHECKED.pack(self._next, taken_ms)))
        record = _RECORD.pack(len(data), checksum, self._next, taken_ms)
        self._check_room(len(record) + len(data))
        current = max(self._sizes, default=None)
        if self._fd is None or current is None or self._sizes[current] >= self._limits.file:
            current = self._open_file()
        self._write(current, (record, data))
        self._next += 1

    def _check_room(self, size: int, *, on_disk: bool = False) -> None:
        held = self.size_bytes
        if held + size > self._limits.total:
            raise SpoolFullError(f"the spool {self.directory} is full: it holds {held} of {self._limits.total} bytes")
        if self._limits.reserve or on_disk:
            disk = os.statvfs(self.directory)
            left = disk.f_bavail * disk.f_frsize
            if left - size < self._limits.reserve:
                raise SpoolFullError(
                    f"the disk of the spool {self.directory} has {left} bytes left, {self._limits.reserve} must stay"
                )

    def _open_file(self) -> int:
        self._close_file()
        path = self._path(self._next)
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._refused(error) from error
        self._sizes[self._next], self._identities[self._next] = 0, self._identity
        try:
            self._write(self._next, (_HEAD.pack(_MAGIC, self._identity, self._next),))
        except SpoolError:
            self._close_file()
            del self._sizes[self._next], self._identities[self._next]
            path.unlink()
            raise
        return self._next

    def _write(self, file: int, buffers: Sequence[bytes]) -> None:
        """Write all or nothing."""
        assert self._fd is not None
        before = self._sizes[file]
        data = b"".join(buffers)
        at = 0
        try:
            while at < len(data):
                at += os.pwrite(self._fd, memoryview(data)[at:], before + at)
        except OSError as error:
            os.ftruncate(self._fd, before)
            raise self._refused(error) from error
        self._sizes[file] = before + len(data)

    def _refused(self, error: OSError) -> SpoolError:
        if error.errno in _FULL:
            return SpoolFullError(f"the disk of the spool {self.directory} is full ({error.strerror})")
        return SpoolError(f"cannot write the spool {self.directory}: {error.strerror}")

    def sync(self) -> None:
        """Have the disk keep what was appended, over a loss of power too."""
        with self._mutex:
            fd = os.dup(self._fd) if self._fd is not None else None
        if fd is not None:
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def _close_file(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    # -- reading

    def read(self, cursor: Cursor, max_bytes: int) -> tuple[list[Entry], Cursor]:
        """The next records, at least one if there is one, and where the reader is then.

        A record that the disk has spoilt since ends its file: what can still be read goes on behind it.
        """
        with self._mutex:
            sizes = dict(self._sizes)
        entries: list[Entry] = []
        held = 0
        while held < max_bytes:
            found, cursor = self._read_file(cursor, sizes, max_bytes - held)
            entries += found
            held += sum(len(entry.data) for entry in found)
            following = min((first for first in sizes if first > cursor.file), default=None)
            if cursor.at < sizes.get(cursor.file, 0) or following is None:
                break
            cursor = Cursor(following, _HEAD.size, following)
        return entries, cursor

    def _read_file(self, cursor: Cursor, sizes: dict[int, int], max_bytes: int) -> tuple[list[Entry], Cursor]:
        entries: list[Entry] = []
        size, at, number = sizes.get(cursor.file, 0), cursor.at, cursor.number
        if at >= size:
            return [], cursor
        fd = os.open(self._path(cursor.file), os.O_RDONLY | os.O_CLOEXEC)
        try:
            held = 0
            while at < size and held < max_bytes:
                entry = _entry(fd, at, size, self._identities[cursor.file])
                if entry is None:
                    log.critical("%s is broken at byte %d: the rest of it is lost", self._path(cursor.file), at)
                    at = size
                    break
                entries.append(entry)
                held += len(entry.data)
                at += _RECORD.size + len(entry.data)
                number = entry.number + 1
        finally:
            os.close(fd)
        return entries, Cursor(cursor.file, at, number)

    # -- what is delivered

    def acknowledge(self, number: int) -> None:
        """Everything up to a record is delivered, and may go."""
        with self._mutex:
            if number > self._acknowledged:
                self._acknowledged = number
                self._remove_delivered()
                self._write_acknowledged()

    def _remove_delivered(self) -> None:
        firsts = sorted(self._sizes)
        for first, following in itertools.pairwise([*firsts, self._next]):
            if following - 1 > self._acknowledged or (self._fd is not None and first == firsts[-1]):
                break
            self._path(first).unlink(missing_ok=True)
            del self._sizes[first], self._identities[first]

    def _write_acknowledged(self) -> None:
        """Replace the file; on a full disk the old one stays, and what it costs is work."""
        if self._acknowledged == self._written_acknowledged:
            return
        data = _ACKNOWLEDGED.pack(_MAGIC, self._acknowledged + 1, 0)[:-4]
        path = self.directory / "acknowledged"
        new = path.with_suffix(".new")
        try:
            new.write_bytes(data + zlib.crc32(data).to_bytes(4, "big"))
            new.replace(path)
            self._written_acknowledged = self._acknowledged
        except OSError as error:
            log.warning("cannot write %s: %s", path, error.strerror)

    def _path(self, first: int) -> Path:
        return self.directory / f"{first:020}.spool"


def _entry(fd: int, at: int, size: int, identity: bytes) -> Entry | None:
    """The record at a byte of a file of this identity; None where there is no whole one."""
    head = os.pread(fd, _RECORD.size, at)
    if len(head) < _RECORD.size:
        return None
    length, checksum, number, taken_ms = _RECORD.unpack(head)
    if at + _RECORD.size + length > size:
        return None
    data = os.pread(fd, length, at + _RECORD.size)
    if zlib.crc32(data, zlib.crc32(head[8:])) != checksum:
        return None
    return Entry(identity + number.to_bytes(8, "big"), number, taken_ms, data)


@contextmanager
def first_free(directory: Path, limits: Limits, now_ms: Callable[[], int], most: int = 64) -> Iterator[SpoolLog]:
    """Open the first of the logs `0`, `1`, … in a directory that no process has: what a dead one left is taken up.

    Raises:
        SpoolInUseError: all `most` of them are in use.
        SpoolError: the directory cannot be used.
    """
    with ExitStack() as stack:
        for slot in range(most):
            try:
                spool = stack.enter_context(SpoolLog(directory / str(slot), limits, now_ms))
            except SpoolInUseError:
                continue
            yield spool
            return
    raise SpoolInUseError(f"{most} processes have spools in {directory}")
