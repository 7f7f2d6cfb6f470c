"""Making a backup while everything runs on. The order is what makes it whole: each thing before what it follows from.

How far the Cassandra writer is, is noted; then Cassandra, then the folds' states, then what they and others told, last what is
waiting to be folded. So whatever a copy shows is explained by the copies that were made after it, and a restore loses and
doubles nothing of what was on the log when the last of it was read: that is the moment the backup is *as of* (ADR 38).
"""

import secrets
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Final

from consumers.cassandra_writer import GROUP
from consumers.projections.table import TOPICS
from schemas.rights import STATES
from schemas.topics import Cleanup, Topic
from stores import log_copy, sql_copy
from stores.backup_files import BackupError, BackupPlace, FileWriter, Manifest, Report, packed
from stores.link_keys import link_keys_path
from stores.recordings import Recordings, open_recordings
from stores.settings import Settings
from stores.sql import open_engine
from stores.table_copy import open_tables

LINKS: Final = "links.keys"
INDEX: Final = tuple(topic for topic in TOPICS if topic.cleanup is Cleanup.DELETE)
"""Topics that may end before Cassandra's rows do, and that Cassandra may be behind of."""


async def make_backup(settings: Settings, place: BackupPlace, report: Report, *, media: bool) -> Manifest:
    """Copy all that cannot be derived to a place that is empty.

    Raises:
        BackupError, and what the stores raise.
    """
    if not place.is_empty():
        raise BackupError(f"{place.url} is not empty: give each backup a place of its own")
    manifest = Manifest(id=secrets.token_hex(8), began_ms=_now_ms(), partitions=settings.partitions)
    written = log_copy.committed(settings, GROUP, INDEX)
    _keys(settings, place, manifest)
    await _accounts(settings, place, manifest)
    _tables(settings, place, manifest, report)
    tasks = log_copy.committed(settings, settings.worker_group, (log_copy.TASKS,))
    _states(settings, place, manifest, report)
    _index(settings, place, manifest, report, written)
    for topic in log_copy.WHOLE:
        for partition in range(log_copy.partitions_of(settings, topic)):
            report("log", 0, 1)
            _copy(settings, place, manifest, f"log/{topic.name}/{partition}", topic, partition)
    _pending(settings, place, manifest, tasks)
    manifest.as_of_ms = _now_ms()
    await _recordings(settings, place, manifest, report, media=media)
    place.write_manifest(manifest)
    return manifest


def _keys(settings: Settings, place: BackupPlace, manifest: Manifest) -> None:
    """The files of secrets, and those that only the settings have."""
    directory, links = settings.data_dir / "keys", link_keys_path(settings)
    found = {path.name: path.read_bytes() for path in sorted(directory.glob("*")) if path.is_file()}
    if links.is_file():
        found[LINKS] = links.read_bytes()
    for name, secret in (("admin.token", settings.admin_token), ("guest.secret", settings.guest_secret)):
        if value := secret.get_secret_value():
            found[name] = value.encode() + b"\n"
    with FileWriter(place, manifest, "keys") as out:
        for name, data in found.items():
            out.add([name, packed(data)])


async def _accounts(settings: Settings, place: BackupPlace, manifest: Manifest) -> None:
    async with open_engine(settings.sql_url) as engine:
        manifest.sql_revision = await sql_copy.revision(engine)
        with FileWriter(place, manifest, "accounts") as out:
            async with aclosing(sql_copy.rows(engine)) as rows:
                async for table, values in rows:
                    out.add([table, values])


def _tables(settings: Settings, place: BackupPlace, manifest: Manifest, report: Report) -> None:
    with open_tables(settings) as tables:
        names = tables.names()
        for number, name in enumerate(names):
            with FileWriter(place, manifest, f"cassandra/{name}") as out:
                ranges = tables.ranges()
                for done, tokens in enumerate(ranges):
                    report(f"table {name}", number * len(ranges) + done, len(names) * len(ranges))
                    for line in tables.lines(name, tokens):
                        out.add(line)


def _states(settings: Settings, place: BackupPlace, manifest: Manifest, report: Report) -> None:
    """The folds' states, and how far each source is folded."""
    for number, state in enumerate(STATES):
        report("states", number, len(STATES))
        for partition in range(log_copy.partitions_of(settings, state)):
            own: list[Any] = []
            with FileWriter(place, manifest, f"log/{state.name}/{partition}") as out:
                for line in log_copy.lines(settings, state, partition):
                    out.add(line)
                    if log_copy.is_ledgers(line):
                        own.append(line)
            manifest.folded += [(*one,) for one in log_copy.folded_of(state, partition, own)]


def _index(
    settings: Settings, place: BackupPlace, manifest: Manifest, report: Report, written: dict[tuple[str, int], int]
) -> None:
    """What Cassandra may not have had yet when its tables were read."""
    topics = {topic.name: topic for topic in INDEX}
    for number, ((name, partition), offset) in enumerate(written.items()):
        report("index", number, len(written))
        _copy(settings, place, manifest, f"index/{name}/{partition}", topics[name], partition, offset)


def _pending(settings: Settings, place: BackupPlace, manifest: Manifest, tasks: dict[tuple[str, int], int]) -> None:
    """What no fold and no worker has had yet."""
    starts = {(one.source, one.partition): one.next_offset for one in folded(manifest)}
    for topic in (*log_copy.PENDING, log_copy.TASKS):
        for partition in range(log_copy.partitions_of(settings, topic)):
            known = tasks if topic is log_copy.TASKS else starts
            start = known.get((topic.name, partition), 0)
            _copy(settings, place, manifest, f"pending/{topic.name}/{partition}", topic, partition, start)


def _copy(
    settings: Settings,
    place: BackupPlace,
    manifest: Manifest,
    subject: str,
    topic: Topic,
    partition: int,
    from_offset: int = 0,
) -> None:
    with FileWriter(place, manifest, subject) as out:
        for line in log_copy.lines(settings, topic, partition, from_offset):
            out.add(line)


def folded(manifest: Manifest) -> list[log_copy.Folded]:
    """How far each source was folded."""
    return [log_copy.Folded(*one) for one in manifest.folded]


async def _recordings(
    settings: Settings, place: BackupPlace, manifest: Manifest, report: Report, *, media: bool
) -> None:
    """Names and sizes of the cold store's objects; their bytes, if they are wanted."""
    objects = size = 0
    async with open_recordings(settings) as cold:
        videos = await cold.videos()
        with FileWriter(place, manifest, "recordings") as out:
            for number, video_id in enumerate(videos):
                report("recordings", number, len(videos))
                async for name, size_bytes, checksum in _objects(cold, place, video_id, media=media):
                    out.add([name, size_bytes, checksum])
                    objects, size = objects + 1, size + size_bytes
    manifest.recordings = {"objects": objects, "size_bytes": size, "copied": media}


async def _objects(
    cold: Recordings, place: BackupPlace, video_id: str, *, media: bool
) -> AsyncGenerator[tuple[str, int, str], None]:
    """Name, size and, where it was copied, SHA-256 of each object; what retention removes meanwhile is left out."""
    async for found in cold.of_video(video_id):
        if not media:
            yield found.name, found.size_bytes, ""
        elif (data := await cold.get(found.name)) is not None:
            place.put(f"media/{found.name}", data)
            yield found.name, len(data), sha256(data).hexdigest()


def summary(manifest: Manifest) -> Iterator[str]:
    """What is in a backup, for people."""
    counts = manifest.counts()
    groups: dict[str, int] = {}
    for subject, rows in counts.items():
        kind = subject.split("/", 1)[0]
        groups[kind] = groups.get(kind, 0) + rows
    words = {
        "accounts": "rows of accounts",
        "cassandra": "rows of Cassandra",
        "log": "records of topics",
        "index": "records that Cassandra had not got for certain",
        "pending": "records that wait to be processed",
        "keys": "files of keys and secrets",
    }
    yield from (f"{groups.get(kind, 0):>10,} {what}" for kind, what in words.items())
    objects, copied = manifest.recordings, "copied" if manifest.recordings["copied"] else "named only"
    yield f"{objects['objects']:>10,} recorded objects, {objects['size_bytes'] / 1e6:,.1f} MB, {copied}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
