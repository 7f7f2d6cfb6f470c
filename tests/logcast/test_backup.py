"""`logcast backup` and `logcast restore` on real stores: what there was is there, and everything goes on from it."""

import asyncio
import dataclasses
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result

from consumers.projections.table import TOPICS, writes_of_event
from logcast.cli import cli
from logcast.restore import JOURNAL, restore
from logcast.stack.environment import environment
from processors.comments import CommentsFold
from processors.fold import ExactAgent
from processors.ledger import Ledger
from processors.reactions import ReactionsFold, late_batch
from schemas import codec
from schemas.codec import decode, decode_counted
from schemas.events import (
    ChannelRules,
    CommentAccepted,
    CommentSubmitted,
    Event,
    Like,
    Reaction,
    ReactionsRecorded,
    TotalsChanged,
)
from schemas.ids import new_video_id
from schemas.topics import (
    COMMENTS_FEED,
    COMMENTS_STATE,
    COMMENTS_SUBMITTED,
    REACTIONS,
    REACTIONS_STATE,
    TOTALS,
    Topic,
    partition_of,
)
from stores import sql_copy
from stores.accounts import Accounts
from stores.backup_files import BackupPlace
from stores.cassandra import Cassandra, apply_schema
from stores.comments import CommentStore
from stores.engagement import EngagementStore
from stores.link_keys import ensure_link_keys, link_keys_path, read_link_keys
from stores.log_reader import now_ms
from stores.read_back import read_partition
from stores.recordings import open_recordings
from stores.secrets import ensure_secrets
from stores.settings import Settings
from stores.sql import open_engine
from stores.table_copy import open_tables
from stores.topics import apply_topics
from stores.users import Users
from tests.consumers.broadcast import publish
from tests.consumers.soundness.small_broadcast import SmallBroadcast

pytestmark = pytest.mark.integration

TALK = new_video_id(now_ms(), b"talking!")
PASSWORD = "correct horse battery"
COMMENTS = ExactAgent(
    "comments", (COMMENTS_SUBMITTED,), COMMENTS_STATE, lambda: CommentsFold(ChannelRules(slow_mode_ms=0))
)
COUNTS = ExactAgent("reactions", (REACTIONS,), REACTIONS_STATE, ReactionsFold, 0.0, (), decode_counted, late_batch)
Run = Callable[..., Result]


def comment(number: int) -> tuple[Topic, Event]:
    event = CommentSubmitted(
        video_id=TALK,
        channel="ann",
        comment_id=f"comment-{number}",
        user_id=f"g_{number}",
        name="Bob",
        text=f"text {number}",
        submitted_ms=now_ms(),
        gateway_id="g1",
    )
    return COMMENTS_SUBMITTED, event


def hearts(batch: int, count: int) -> tuple[Topic, Event]:
    event = ReactionsRecorded(
        video_id=TALK,
        channel="ann",
        gateway_id="g1",
        batch=batch,
        recorded_ms=now_ms(),
        likes=(Like(user_id=f"g_{batch}", liked=True, at_ms=now_ms()),),
        reactions=(Reaction(user_id="g_1", kind="heart", count=count),),
    )
    return REACTIONS, event


def fold_all(settings: Settings) -> None:
    """What the workers do: each partition, from its beginning, as after a restart."""
    for agent, topic in ((COMMENTS, COMMENTS_SUBMITTED), (COUNTS, REACTIONS)):
        for partition in range(settings.partitions):
            Ledger(settings, agent, partition).step(list(read_partition(settings, topic, partition, "test")))


async def index_all(settings: Settings) -> None:
    """What the consumers do."""
    async with Cassandra.open(settings) as cassandra:
        for topic in TOPICS:
            for partition in range(topic.partitions or settings.partitions):
                for record in await asyncio.to_thread(list, read_partition(settings, topic, partition, "test")):
                    if record.value is not None:
                        await cassandra.write(writes_of_event(codec.decode(record.value)))


def told(settings: Settings, topic: Topic, kind: type[Any]) -> list[Any]:
    partition = partition_of(TALK, settings.partitions)
    events = (decode(record.value or b"") for record in read_partition(settings, topic, partition, "test"))
    return [event for event in events if isinstance(event, kind) and event.video_id == TALK]


def rows(settings: Settings) -> dict[str, list[Any]]:
    """Every row of every table, with the times of its writes."""
    with open_tables(settings) as tables:
        return {
            name: sorted(
                [key, sorted([time, sorted(columns.items())] for time, columns in groups)]
                for tokens in tables.ranges()
                for key, groups in tables.lines(name, tokens)
            )
            for name in tables.names()
        }


async def accounts(settings: Settings) -> list[Any]:
    async with open_engine(settings.sql_url) as engine:
        return [row async for row in sql_copy.rows(engine)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@dataclasses.dataclass
class Source:
    """A system with something of everything; its backup is made while a comment waits to be folded."""

    settings: Settings
    video_id: str

    async def fill(self) -> None:
        settings = self.settings
        ensure_secrets(settings.data_dir)
        ensure_link_keys(link_keys_path(settings))
        async with open_engine(settings.sql_url) as engine:
            channel = await Accounts(engine).create_channel("ann")
            await Users(engine).create("ann", PasswordHasher().hash(PASSWORD))
        assert channel
        await publish(settings, [*map(comment, range(5)), hearts(1, 3), hearts(2, 4)])
        await asyncio.to_thread(fold_all, settings)
        await publish(settings, [comment(5), hearts(3, 5)])


@pytest.fixture
def source(kafka: str, cassandra: tuple[str, int], make_settings: Callable[..., Settings]) -> Source:
    assert kafka
    assert cassandra
    settings = make_settings(partitions=2, ladder="64:150", worker_threads=1)
    apply_topics(settings)
    apply_schema(settings)
    made = Source(settings, new_video_id(now_ms(), b"backup!"))
    asyncio.run(made.fill())
    return made


@pytest.fixture
def target(source: Source, tmp_path: Path, request: pytest.FixtureRequest) -> Iterable[Settings]:
    """A new place: nothing is there, no topic, no keyspace."""
    fresh = source.settings.model_copy(
        update={
            "data_dir": tmp_path / "new",
            "topic_prefix": source.settings.topic_prefix + "new.",  # is removed with the source's
            "cassandra_keyspace": f"t{secrets.token_hex(8)}",
        }
    )
    yield fresh
    request.getfixturevalue("drop_keyspace")(fresh.cassandra_keyspace)


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner(env=environment(settings)).invoke(cli, list(arguments))


def backed_up(source: Source, place: Path, *options: str) -> None:
    made = run(source.settings, "backup", "--to", str(place), *options)
    assert made.exit_code == 0, made.output


def check_same(source: Source, target: Settings) -> None:
    """What is in the new place is what was in the old one."""
    for settings in (source.settings, target):
        asyncio.run(index_all(settings))  # the writers, old and new, have done what was on the log
    assert rows(target) == rows(source.settings)
    assert asyncio.run(accounts(target)) == asyncio.run(accounts(source.settings))
    for name in ("admin.token", "guest.secret"):
        assert (target.data_dir / "keys" / name).read_text().strip() == getattr(
            source.settings, name.replace(".", "_")
        ).get_secret_value()
    assert read_link_keys(link_keys_path(target)) == read_link_keys(link_keys_path(source.settings))


def check_it_goes_on(source: Source, target: Settings) -> None:
    """Numbers and counts go on; new rows are seen in spite of the old ones' write times, and old ones stay."""
    before = told(source.settings, TOTALS, TotalsChanged)[-1]
    fold_all(target)
    asyncio.run(publish(target, [comment(6), hearts(4, 6)]))
    fold_all(target)
    asyncio.run(index_all(target))
    assert [(e.seq, e.comment_id) for e in told(target, COMMENTS_FEED, CommentAccepted)][-2:] == [
        (6, "comment-5"),
        (7, "comment-6"),
    ]
    totals = told(target, TOTALS, TotalsChanged)[-1]
    assert (totals.reactions["heart"], totals.likes) == (18, 4)
    assert totals.as_of_offset > before.as_of_offset

    async def look() -> None:
        async with Cassandra.open(target) as cassandra:
            entries = await CommentStore(cassandra).entries(TALK, 0, 100)
            assert [e.seq for e in entries] == list(range(1, 8))
            assert await CommentStore(cassandra).head(TALK) == 7
            counted = await EngagementStore(cassandra).totals(TALK)
            assert counted is not None
            assert counted.reactions["heart"] == 18
        async with open_engine(target.sql_url) as engine:
            found = await Users(engine).password_hash("ann")
            assert found is not None
            assert PasswordHasher().verify(found[1] or "", PASSWORD)
            assert (await Users(engine).create("bob", None)).number == found[0].number + 1
            assert await Accounts(engine).create_channel("bobs")

    asyncio.run(look())


def test_a_backup_is_restored_and_everything_goes_on(source: Source, target: Settings, place: Path) -> None:
    asyncio.run(SmallBroadcast(source.settings, source.video_id).happen())
    backed_up(source, place, "--media")
    assert (place.stat().st_mode & 0o077, run(source.settings, "backup", "--to", str(place)).exit_code) == (0, 1)
    done = run(target, "restore", "--from", str(place))
    assert done.exit_code == 0, done.output
    check_same(source, target)
    assert run(target, "verify", source.video_id, "--settle", "0").exit_code == 0
    assert asyncio.run(objects(target, source.video_id)) == asyncio.run(objects(source.settings, source.video_id))
    again = run(target, "restore", "--from", str(place))
    assert again.exit_code == 1
    assert "the place is not empty" in str(again.exception)
    check_it_goes_on(source, target)


async def objects(settings: Settings, video_id: str) -> dict[str, bytes | None]:
    async with open_recordings(settings) as cold:
        names = [found.name async for found in cold.of_video(video_id)]
        return {name: await cold.get(name) for name in sorted(names)}


def test_a_damaged_backup_is_refused_before_anything_is_written(source: Source, target: Settings, place: Path) -> None:
    backed_up(source, place)
    victim = place / "accounts.000000.jsonl.gz"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused = run(target, "restore", "--from", str(place))
    assert refused.exit_code == 1
    assert "accounts.000000.jsonl.gz" in str(refused.exception)
    victim.unlink()
    assert "is missing" in str(run(target, "restore", "--from", str(place)).exception)
    assert not (target.data_dir / JOURNAL).exists()
    assert not (target.data_dir / "keys").exists()
    manifest = place / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"partitions": 2', b'"partitions": 3'))
    assert "damaged" in str(run(target, "restore", "--from", str(place)).exception)


class Killed(BaseException):
    """As a kill: nothing is finished, nothing is cleared away."""


def test_a_restore_that_is_killed_again_and_again_goes_on_to_the_same_end(
    source: Source, target: Settings, place: Path
) -> None:
    backed_up(source, place)
    kills = 0
    while True:
        left = iter(range(2 * kills))  # each time it gets a little further

        def report(what: str, _done: int, _total: int, left: Iterator[int] = left) -> None:
            if what != "verifying" and next(left, None) is None:
                raise Killed

        try:
            asyncio.run(restore(target, BackupPlace(target, str(place)), report, force=False))
        except Killed:
            kills += 1
        else:
            break
    assert kills > 1
    assert not (target.data_dir / JOURNAL).exists()
    check_same(source, target)
    check_it_goes_on(source, target)


def test_a_place_that_has_something_is_refused(source: Source, place: Path, target: Settings) -> None:
    backed_up(source, place)
    apply_topics(target)
    asyncio.run(publish(target, [comment(1)]))
    refused = run(target, "restore", "--from", str(place))
    assert refused.exit_code == 1
    assert "(Kafka)" in str(refused.exception)
