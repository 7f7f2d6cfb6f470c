"""A backup as files: gzipped JSON lines of some megabytes each, and a manifest, written last, that says what belongs to it.

A backup without a manifest was not finished, and is none. Every file is there with its size and SHA-256; `manifest.sha256` has
that of the manifest itself. Bytes are base64 in the lines. Blocking; used in threads.

Errors: `BackupError`.
"""

import gzip
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import obstore
import orjson
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from stores.recordings import RecordingsError, object_store
from stores.settings import Settings

FORMAT: Final = 1
FILE_BYTES: Final = 8 * 1024 * 1024
"""Of lines in a file, before compression."""
LEVEL: Final = 3
MANIFEST: Final = "manifest.json"
CHECKSUM: Final = "manifest.sha256"

Report = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and how much there is."""


class BackupError(RuntimeError):
    """A backup cannot be made or restored; the message says what to do."""


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A file of a backup. `subject`: what it has lines of, such as `cassandra/comments`."""

    name: str
    subject: str
    rows: int
    size_bytes: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """What a backup is.

    Attributes:
        id: names this backup.
        began_ms, as_of_ms: wall clock; all that was on the log before `began_ms` is in it, nothing that came after `as_of_ms`.
        partitions: of every keyed topic.
        sql_revision: of the SQL tables.
        folded: state topic, its partition, source topic, the last offset that was folded, and what the source's offsets
            were raised by.
        recordings: objects and bytes of the cold store; whether they were copied.
        files: what belongs to it.
    """

    id: str
    began_ms: int
    as_of_ms: int = 0
    partitions: int = 0
    sql_revision: str = ""
    folded: list[tuple[str, int, str, int, int]] = field(default_factory=list)
    recordings: dict[str, Any] = field(default_factory=dict)
    files: list[BackupFile] = field(default_factory=list)
    format: int = FORMAT

    def of(self, subject: str) -> list[BackupFile]:
        """The files of a subject, or of all subjects below it, in order."""
        return [one for one in self.files if one.subject == subject or one.subject.startswith(f"{subject}/")]

    def counts(self) -> dict[str, int]:
        """Lines by subject."""
        counts: dict[str, int] = {}
        for one in self.files:
            counts[one.subject] = counts.get(one.subject, 0) + one.rows
        return counts


class BackupPlace:
    """Where a backup is: a directory, or a URL as of recordings (s3://, gs://, az://, file://)."""

    def __init__(self, settings: Settings, where: str) -> None:
        self.url: Final = where if "://" in where else f"file://{Path(where).expanduser().resolve()}"
        try:
            self._store: ObjectStore = object_store(settings, self.url)
        except RecordingsError as error:
            raise BackupError(str(error)) from error

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        try:
            obstore.put(self._store, name, data, use_multipart=False)
        except (BaseError, OSError) as error:
            raise BackupError(f"cannot write {name} to {self.url}: {error}") from error

    def get(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise BackupError(f"cannot read {name} of {self.url}: {error}") from error

    def is_empty(self) -> bool:
        """Whether nothing is there."""
        try:
            found = obstore.list_with_delimiter(self._store)
        except (BaseError, OSError) as error:
            raise BackupError(f"cannot list {self.url}: {error}") from error
        return not found["objects"] and not found["common_prefixes"]

    def write_manifest(self, manifest: Manifest) -> None:
        """Finish a backup."""
        data = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        self.put(CHECKSUM, sha256(data).hexdigest().encode() + b"\n")
        self.put(MANIFEST, data)

    def manifest(self) -> Manifest:
        """What is there.

        Raises:
            BackupError: nothing, half of a backup, a damaged one, or one of a newer version.
        """
        data, checksum = self.get(MANIFEST), self.get(CHECKSUM)
        if data is None:
            raise BackupError(f"{self.url} has no {MANIFEST}: there is no backup, or it was not finished")
        if checksum is None or sha256(data).hexdigest().encode() != checksum.strip():
            raise BackupError(f"{MANIFEST} of {self.url} is damaged: its SHA-256 is not that in {CHECKSUM}")
        values = orjson.loads(data)
        if values["format"] != FORMAT:
            raise BackupError(
                f"expected a backup of format {FORMAT}, found {values['format']}; use that version of Logcast"
            )
        files = [BackupFile(**one) for one in values.pop("files")]
        folded = [tuple(one) for one in values.pop("folded")]
        return Manifest(**values, files=files, folded=folded)

    def verified(self, one: BackupFile) -> bytes:
        """A file's bytes as they were written.

        Raises:
            BackupError: it is missing or damaged.
        """
        data = self.get(one.name)
        if data is None:
            raise BackupError(f"{one.name} is missing in {self.url}")
        if len(data) != one.size_bytes or sha256(data).hexdigest() != one.sha256:
            raise BackupError(
                f"{one.name} of {self.url} is damaged: expected {one.size_bytes} bytes with SHA-256 {one.sha256}, found "
                f"{len(data)} with {sha256(data).hexdigest()}"
            )
        return data

    def lines(self, one: BackupFile) -> list[Any]:
        """The lines of a file, verified."""
        return [orjson.loads(line) for line in gzip.decompress(self.verified(one)).splitlines()]


class FileWriter:
    """Lines of one subject into files; a context manager."""

    def __init__(self, place: BackupPlace, manifest: Manifest, subject: str) -> None:
        self._place = place
        self._manifest = manifest
        self._subject = subject
        self._lines: list[bytes] = []
        self._size = 0
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._lines:
            self._flush()

    def add(self, line: Any) -> None:
        """One line, as values that JSON has."""
        packed = orjson.dumps(line)
        self._lines.append(packed)
        self._size += len(packed)
        if self._size >= FILE_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = gzip.compress(b"\n".join(self._lines), LEVEL, mtime=0)
        name = f"{self._subject}.{self._number:06d}.jsonl.gz"
        self._place.put(name, data)
        self._manifest.files.append(
            BackupFile(name, self._subject, len(self._lines), len(data), sha256(data).hexdigest())
        )
        self._lines, self._size = [], 0
        self._number += 1


def packed(value: bytes | None) -> str | None:
    """Bytes as JSON has them."""
    return None if value is None else b64encode(value).decode("ascii")


def unpacked(value: str | None) -> bytes | None:
    """The bytes again."""
    return None if value is None else b64decode(value)


def verify(place: BackupPlace, manifest: Manifest, report: Report) -> Iterator[BackupFile]:
    """Read all of a backup; gives each file that is as it was written.

    Raises:
        BackupError: one is not.
    """
    total, done = sum(one.size_bytes for one in manifest.files), 0
    for one in manifest.files:
        place.verified(one)
        done += one.size_bytes
        report("verifying", done, total)
        yield one
