"""Putting a backup into a place that is empty, so that everything goes on from there.

Steps, each repeatable: check every file; keys; accounts (one transaction); Cassandra's rows with their write times, and what was
still on its way to them; topics; the bases of the folds' offsets; what waits to be folded. A journal in the data directory notes
what is done, so that a restore that was killed goes on. The bases are noted before anything that they do not count is written.
"""

import json
import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from consumers.archiver import GROUP as ARCHIVER
from consumers.cassandra_writer import GROUP, plan
from logcast.backup import LINKS, folded
from schemas.topics import ALL_TOPICS
from stores import log_copy, sql_copy
from stores.backup_files import BackupError, BackupFile, BackupPlace, Manifest, Report, unpacked, verify
from stores.cassandra import Cassandra, apply_schema
from stores.kafka import LogError
from stores.link_keys import link_keys_path
from stores.log_group import RawRecord
from stores.recordings import RecordingsError, open_recordings
from stores.secrets import write_secret
from stores.settings import Settings
from stores.sql import open_engine
from stores.table_copy import Tables, open_tables
from stores.topics import apply_topics

JOURNAL: Final = "restore.json"


class Journal:
    """What is done of a restore, in a file of the data directory."""

    def __init__(self, path: Path, backup_id: str) -> None:
        self._path = path
        self._known: dict[str, Any] = {"backup": backup_id, "done": [], "bases": None}
        self.resumes = False
        if path.exists():
            found = json.loads(path.read_text())
            if found["backup"] == backup_id:
                self._known, self.resumes = found, True
        self._done = set(self._known["done"])

    def once(self, step: str, act: Callable[[], None]) -> None:
        """Do a step, unless it was done."""
        if step not in self._done:
            act()
            self.done(step)

    def is_done(self, step: str) -> bool:
        """Whether it was done before."""
        return step in self._done

    def done(self, step: str) -> None:
        """It is done."""
        self._done.add(step)
        self._known["done"].append(step)
        self._write()

    def ends(self, ask: Callable[[], dict[str, int]]) -> dict[str, int]:
        """The ends of the sources before anything was written that is not folded; asked for once."""
        if self._known["bases"] is None:
            self._known["bases"] = ask()
            self._write()
        found: dict[str, int] = self._known["bases"]
        return found

    def close(self) -> None:
        """All is done."""
        self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".tmp")
        with fresh.open("w") as file:
            file.write(json.dumps(self._known))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


async def restore(
    settings: Settings, place: BackupPlace, report: Report, *, force: bool, checked: Callable[[], None] = lambda: None
) -> Manifest:
    """Restore a backup.

    Args:
        settings: of the place; its Kafka and Cassandra run, and nothing else.
        place: where the backup is.
        report: told of progress.
        force: also into a place that has something.
        checked: called when the backup is found whole, before anything is written.

    Raises:
        BackupError: the backup is damaged, or does not fit the place; nothing was written. And what the stores raise.
    """
    manifest = place.manifest()
    if manifest.partitions != settings.partitions:
        raise BackupError(
            f"the backup has {manifest.partitions} partitions: set LOGCAST_PARTITIONS={manifest.partitions}"
        )
    for _ in verify(place, manifest, report):
        pass
    journal = Journal(settings.data_dir / JOURNAL, manifest.id)
    if running := log_copy.members(settings, (settings.worker_group, GROUP, ARCHIVER)):
        raise BackupError(f"services run there (group {', '.join(running)}): stop all but Kafka and Cassandra")
    if not force and not journal.resumes:
        await _require_empty(settings)
    checked()
    journal.once("begun", lambda: None)
    apply_topics(settings)
    apply_schema(settings)
    journal.once("keys", lambda: _keys(settings, place, manifest, force=force))
    if not journal.is_done("accounts"):
        await _accounts(settings, place, manifest)
        journal.done("accounts")
    await _cassandra(settings, place, manifest, journal, report)
    _log(settings, place, manifest, journal, report)
    await _media(settings, place, manifest, report)
    journal.close()
    return manifest


async def _require_empty(settings: Settings) -> None:
    async with open_engine(settings.sql_url) as engine:
        found = [] if await sql_copy.is_empty(engine) else ["accounts"]
    with open_tables(settings) as tables:
        found += [] if tables.is_empty() else ["Cassandra"]
    try:
        ends = log_copy.ends(settings, ALL_TOPICS)
    except LogError:  # topics that are not there have nothing
        ends = {}
    found += ["Kafka"] if any(ends.values()) else []
    if found:
        raise BackupError(f"the place is not empty ({', '.join(found)}): restore into a new one, or merge with --force")


def _keys(settings: Settings, place: BackupPlace, manifest: Manifest, *, force: bool) -> None:
    found = {
        name: (unpacked(data) or b"").decode("ascii").rstrip("\n") for name, data in _lines(place, manifest, "keys")
    }
    targets = {
        name: link_keys_path(settings) if name == LINKS else settings.data_dir / "keys" / Path(name).name
        for name in found
    }
    for name, path in targets.items():
        if path.exists() and path.read_text("ascii").rstrip("\n") != found[name] and not force:
            raise BackupError(f"{path} is there and is another one; --force puts the backup's in its place")
    for name, path in targets.items():
        write_secret(path, found[name])


async def _accounts(settings: Settings, place: BackupPlace, manifest: Manifest) -> None:
    async with open_engine(settings.sql_url) as engine:
        await sql_copy.replace_all(engine, _lines(place, manifest, "accounts"))


async def _cassandra(
    settings: Settings, place: BackupPlace, manifest: Manifest, journal: Journal, report: Report
) -> None:
    files = [one for one in manifest.of("cassandra") if not journal.is_done(one.name)]
    with open_tables(settings) as tables:
        for number, one in enumerate(files):
            report(one.subject, number, len(files))
            _put(tables, one, place)
            journal.done(one.name)
    async with Cassandra.open(settings) as cassandra:
        for one in manifest.of("index"):
            if not journal.is_done(one.name):
                planned, _ = plan([_raw(one, line) for line in place.lines(one)])
                await cassandra.write([write for _, writes in planned for write in writes])
                journal.done(one.name)


def _put(tables: Tables, one: BackupFile, place: BackupPlace) -> None:
    table = one.subject.split("/", 1)[1]
    lines = place.lines(one)
    known = set(tables.columns(table))
    if any(columns.keys() - known for _, groups in lines for _, columns in groups) or not known:
        raise BackupError(f"the backup's table {table} is of a newer version; upgrade Logcast")
    tables.put(table, lines)


def _raw(one: BackupFile, line: log_copy.Line) -> RawRecord:
    _, topic, partition = one.subject.split("/")
    return RawRecord(topic, int(partition), line[0], line[1], unpacked(line[2]), unpacked(line[3]))


def _log(settings: Settings, place: BackupPlace, manifest: Manifest, journal: Journal, report: Report) -> None:
    """What was folded, then the bases that say so, then what was not."""
    known = {(one.source, one.partition): one for one in folded(manifest)}
    writer = log_copy.LogWriter(settings)

    def put(one: BackupFile, wanted: Callable[[int, log_copy.Folded | None], bool], at_ms: int | None = None) -> None:
        _, topic, partition = one.subject.split("/")
        source = known.get((topic, int(partition)))
        for line in place.lines(one):
            if wanted(line[0], source):
                writer.put(topic, int(partition), line, at_ms=at_ms)
        writer.flush()

    files = manifest.of("log")
    for number, one in enumerate(files):
        report("log", number, len(files))
        journal.once(one.name, partial(put, one, lambda offset, source: not source or offset < source.next_offset))
    sources = [topic for topic in ALL_TOPICS if any(topic.name == name for name, _ in known)]
    ends = journal.ends(lambda: {f"{name}/{p}": end for (name, p), end in log_copy.ends(settings, sources).items()})
    for (name, partition), one_folded in known.items():
        writer.base(one_folded, ends[f"{name}/{partition}"])
    writer.flush()
    for one in files:
        later = partial(put, one, lambda offset, source: source is not None and offset >= source.next_offset)
        journal.once(f"later {one.name}", later)
    for one in manifest.of("pending"):
        report("pending", 0, 1)
        journal.once(one.name, partial(put, one, lambda *_: True, 0))


async def _media(settings: Settings, place: BackupPlace, manifest: Manifest, report: Report) -> None:
    """Recorded objects that were copied and are not there; a missing object of a backup without them is told by `verify`."""
    if not manifest.recordings.get("copied"):
        return
    async with open_recordings(settings) as cold:
        objects = _lines(place, manifest, "recordings")
        for number, (name, size_bytes, checksum) in enumerate(objects):
            report("recordings", number, len(objects))
            if await cold.size(name) == size_bytes:
                continue
            data = place.get(f"media/{name}")
            if data is None or sha256(data).hexdigest() != checksum:
                raise RecordingsError(f"media/{name} of the backup is missing or damaged")
            await cold.put(name, data)


def _lines(place: BackupPlace, manifest: Manifest, subject: str) -> list[Any]:
    return [line for one in manifest.of(subject) for line in place.lines(one)]
