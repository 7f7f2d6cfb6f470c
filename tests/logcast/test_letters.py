"""`logcast letters` on a real log: what an agent rejected is listed, shown, put back, and counted once."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from logcast.cli import cli
from logcast.stack.environment import environment
from processors.fold import ExactAgent
from processors.ledger import Ledger
from processors.reactions import ReactionsFold, late_batch
from schemas.codec import decode, decode_counted, encode
from schemas.dead_letter import REPLAY_HEADER, record_headers
from schemas.events import DeadLetter, Event, Reaction, ReactionsRecorded, TotalsChanged, VideoRemoved
from schemas.reaction_batch import ReactionBatch
from schemas.topics import DEAD_LETTERS, MEDIA_SOURCE, REACTIONS, REACTIONS_STATE, TOTALS, VIDEOS_SETTINGS, Topic
from stores.dead_letters import letters
from stores.kafka import producer_config
from stores.read_back import SourceRecord, read_partition
from stores.settings import Settings

pytestmark = pytest.mark.integration

VIDEO = "0123456789abcdefghj0"
PARTITION = 1
KEPT = [("trace", b"\x01"), ("trace", b"\x02")]
Run = Callable[..., Result]


class FragileFold(ReactionsFold):
    """Breaks at a batch of so many hearts."""

    def apply(self, topic: str, offset: int, event: Event | ReactionBatch) -> None:
        super().apply(topic, offset, event)
        if isinstance(event, ReactionBatch) and event.reactions[("heart", 7)]:
            raise ZeroDivisionError("a mistake of ours")


FRAGILE = ExactAgent("reactions", (REACTIONS,), REACTIONS_STATE, FragileFold, 0.0, (), decode_counted, late_batch)
MENDED = ExactAgent("reactions", (REACTIONS,), REACTIONS_STATE, ReactionsFold, 0.0, (), decode_counted, late_batch)


def batch(number: int, hearts: int) -> bytes:
    return encode(
        ReactionsRecorded(
            video_id=VIDEO,
            channel="ann",
            gateway_id="g1",
            batch=number,
            recorded_ms=number,
            likes=(),
            reactions=(Reaction(user_id="g_1", kind="heart", count=hearts),),
        )
    )


def put(settings: Settings, topic: Topic, values: Iterable[bytes], partition: int, key: bytes = VIDEO.encode()) -> None:
    producer = Producer(producer_config(settings, "test"))
    for value in values:
        producer.produce(settings.topic(topic.name), value, key, partition=partition, headers=list(KEPT))
    assert producer.flush(30) == 0


def on_the_log(settings: Settings, topic: Topic, partition: int = PARTITION) -> list[SourceRecord]:
    return list(read_partition(settings, topic, partition, "test"))


def hearts(settings: Settings) -> int:
    """What is counted now."""
    events = [decode(record.value or b"") for record in on_the_log(settings, TOTALS)]
    return [event for event in events if isinstance(event, TotalsChanged)][-1].reactions["heart"]


def counted_anew(settings: Settings, agent: ExactAgent = MENDED) -> int:
    """A worker starts, reads all there is (much of it again), and ends."""
    Ledger(settings, agent, PARTITION).step(on_the_log(settings, REACTIONS))
    return hearts(settings)


@pytest.fixture
def run(topics: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, with the test's settings."""
    for name, value in environment(topics).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(cli, ["letters", *arguments])


@pytest.fixture
def rejected(topics: Settings) -> int:
    """The id of the letter about the second of three batches, whose neighbours are counted."""
    put(topics, REACTIONS, [batch(1, 1), batch(2, 7), batch(3, 2)], PARTITION)
    assert counted_anew(topics, FRAGILE) == 3
    (letter,) = letters(topics)
    return letter.id


def rejected_record(topic: Topic, offset: int, key: bytes | None, value: bytes | None) -> DeadLetter:
    """A letter of the Cassandra writer about partition 0."""
    return DeadLetter(
        topic=topic.name,
        partition=0,
        offset=offset,
        app="logcast-cassandra",
        cause="Cassandra refuses",
        failed_ms=1,
        key=key,
        value=value,
    )


def listed(run: Run, *options: str) -> list[dict[str, Any]]:
    result = run("list", "--json", *options)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_batch_that_was_passed_by_is_counted_once_however_often_it_is_put_back(
    run: Run, topics: Settings, rejected: int
) -> None:
    assert run("replay", str(rejected)).exit_code == 0
    assert counted_anew(topics) == 10
    again = run("replay", str(rejected))
    assert again.exit_code == 1
    assert f"letter {rejected} was replayed already" in again.stderr
    assert run("replay", str(rejected), "--again").exit_code == 0
    assert counted_anew(topics) == 10
    put(topics, REACTIONS, [batch(4, 1)], PARTITION)
    assert counted_anew(topics) == 11
    records = on_the_log(topics, REACTIONS)
    replayed = [r for r in records if any(name == REPLAY_HEADER for name, _ in r.headers)]
    assert [(r.key, r.value, record_headers(r.headers)) for r in replayed] == [
        (VIDEO.encode(), batch(2, 7), record_headers(KEPT))
    ] * 2


def test_a_record_that_another_rejected_is_not_counted_again(run: Run, topics: Settings) -> None:
    put(topics, REACTIONS, [batch(1, 5)], PARTITION)
    assert counted_anew(topics) == 5
    (record,) = on_the_log(topics, REACTIONS)
    letter = replace(rejected_record(REACTIONS, record.offset, record.key, record.value), partition=PARTITION)
    put(topics, DEAD_LETTERS, [encode(letter)], 0)
    assert run("replay", "--all").exit_code == 0
    assert counted_anew(topics) == 5


def test_what_fails_once_more_is_a_letter_of_its_own(run: Run, topics: Settings, rejected: int) -> None:
    assert run("replay", "--topic", "reactions").exit_code == 0
    assert counted_anew(topics, FRAGILE) == 3
    first, second = listed(run)
    assert first["replayed"][0]["offset"] == second["offset"]
    assert second["replayed"] == []
    assert run("replay", "--all").stdout.startswith(f"letter {second['id']}: ")
    assert counted_anew(topics) == 10


def test_letters_are_listed_and_shown(run: Run, topics: Settings, rejected: int) -> None:
    put(topics, REACTIONS, [b"\0\0\0\0\x07no record"], PARTITION)
    counted_anew(topics)
    one, other = listed(run)
    assert (one["id"], one["topic"], one["partition"], one["app"]) == (
        rejected,
        "reactions",
        PARTITION,
        "logcast/reactions",
    )
    assert "ZeroDivisionError: a mistake of ours" in one["cause"]
    assert listed(run, "--limit", "1") == [other]
    assert listed(run, "--topic", "media.parts") == []
    assert listed(run, "--since", "1h") == [one, other]
    assert listed(run, "--since", "2999-01-01") == []
    table = run("list").stdout
    assert "2 dead letters" in table
    assert "ZeroDivisionError: a mistake of ours" in table
    shown = run("show", str(rejected)).stdout
    for words in ("rejected by  logcast/reactions", f"key          {VIDEO}", "ReactionsRecorded", "'gateway_id': 'g1'"):
        assert words in shown
    assert shown.count("header       trace: ") == 2
    assert "00000000  00 00 00 00 07 6e 6f 20" in run("show", str(other["id"])).stdout
    values = json.loads(run("show", str(rejected), "--json").stdout)
    assert bytes.fromhex(values["value_hex"]) == batch(2, 7)
    assert values["written_ms"] > 0
    assert run("show", "999999").exit_code == 1


def test_a_dry_run_puts_nothing_back(run: Run, topics: Settings, rejected: int) -> None:
    before = on_the_log(topics, REACTIONS)
    result = run("replay", "--all", "--dry-run")
    assert result.exit_code == 0
    assert "1 records would be put back" in result.stdout
    assert on_the_log(topics, REACTIONS) == before
    assert listed(run)[0]["replayed"] == []


def test_what_would_do_harm_is_refused_and_the_rest_is_put_back(run: Run, topics: Settings, rejected: int) -> None:
    removed = [
        VideoRemoved(
            video_id=VIDEO,
            channel="ann",
            reason="expired",
            files=files,
            size=1,
            removed_ms=files,
            title="",
            removed_by="test",
        )
        for files in (1, 2)
    ]
    put(topics, VIDEOS_SETTINGS, map(encode, removed), 0)
    old, _ = on_the_log(topics, VIDEOS_SETTINGS, 0)
    superseded = rejected_record(VIDEOS_SETTINGS, old.offset, old.key, old.value)
    chunk = rejected_record(MEDIA_SOURCE, 5, b"v/1", b"bytes")
    put(topics, DEAD_LETTERS, map(encode, (superseded, chunk)), 0)
    result = run("replay", "--all")
    assert result.exit_code == 1
    assert "is superseded: videos.settings/0@" in result.stderr
    assert "is of a GOP" in result.stderr
    assert "1 records are back" in result.stdout
    assert counted_anew(topics) == 10
    assert len(on_the_log(topics, VIDEOS_SETTINGS, 0)) == 2


def test_ids_and_all_do_not_go_together(run: Run) -> None:
    assert run("replay").exit_code == 2
    assert run("replay", "1", "--all").exit_code == 2
