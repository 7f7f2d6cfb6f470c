"""Dead letters: read from their topic, and their records put back on the topics that they came from.

A letter's id is its offset on `dead.letters`. What became of it is there too: `DeadLetterReplayed` is written in the same
transaction as the record that is put back, so a crash leaves both or none; and one who replays fences whoever did before, so
two at once do not put a record back twice. Blocking; used by a command.

Errors: `LogError`.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException, Message, Producer

from schemas.codec import CodecError, decode, encode
from schemas.dead_letter import DeadLetter, DeadLetterReplayed, Replay, replay_header
from schemas.events import Event
from schemas.topics import ALL_TOPICS, DEAD_LETTERS, MEDIA_SOURCE, Cleanup, Topic
from stores.kafka import LogError, transactional_config
from stores.read_back import SourceRecord, read_partition
from stores.settings import Settings

ROLE: Final = "letters"
PARTITION: Final = 0
CALL_S: Final = 10.0

Origin = tuple[str, int, int, str]
"""Topic without prefix, partition and offset of a record, and who rejected it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter and what became of it.

    Attributes:
        id: its offset on `dead.letters`.
        at_ms: Kafka's time of the letter.
        topic: where the record was, without the cluster's prefix.
        event: the letter; without the record's value where only an overview was asked for.
        size_bytes: of the record's value.
        replays: the times it, or another letter about the same record of the same app, was put back.
    """

    id: int
    at_ms: int
    topic: str
    event: DeadLetter
    size_bytes: int
    replays: tuple[DeadLetterReplayed, ...] = ()

    @property
    def origin(self) -> Origin:
        """What it is about, and whose it is."""
        return self.topic, self.event.partition, self.event.offset, self.event.app


def letters(settings: Settings, *, since_ms: int = 0, topic: str | None = None) -> list[Letter]:
    """The letters that the log has (of 30 days), oldest first, without their records' values.

    Args:
        settings: where the log is.
        since_ms: only letters that are not older, by Kafka's time of them.
        topic: only about records of this topic.

    Raises:
        LogError: Kafka does not answer, or there is no topic `dead.letters`.
    """
    found: list[Letter] = []
    replays: defaultdict[Origin, list[DeadLetterReplayed]] = defaultdict(list)
    for record, event in _events(settings, since_ms):
        if isinstance(event, DeadLetterReplayed):
            replays[event.topic, event.partition, event.offset, event.app].append(event)
            continue
        letter = _letter(settings, record, event)
        if letter.at_ms >= since_ms and topic in {None, letter.topic}:
            found.append(replace(letter, event=replace(event, value=None)))
    return [replace(letter, replays=tuple(replays[letter.origin])) for letter in found]


def with_values(settings: Settings, wanted: Iterable[Letter]) -> Iterator[Letter]:
    """The same letters with their records' values, one at a time: a value may have some megabytes.

    Raises:
        LogError: Kafka does not answer.
    """
    left = {letter.id: letter for letter in wanted}
    if not left:
        return
    for record, event in _events(settings, min(letter.at_ms for letter in left.values())):
        if record.offset in left and isinstance(event, DeadLetter):
            yield replace(left.pop(record.offset), event=event)


def _events(settings: Settings, since_ms: int) -> Iterator[tuple[SourceRecord, DeadLetter | DeadLetterReplayed]]:
    """What is on the topic; what is no letter of ours is passed over."""
    for record in read_partition(settings, DEAD_LETTERS, PARTITION, ROLE, since_ms=since_ms or None):
        try:
            event = decode(record.value or b"")
        except CodecError:
            continue
        if isinstance(event, DeadLetter | DeadLetterReplayed):
            yield record, event


def _letter(settings: Settings, record: SourceRecord, event: DeadLetter) -> Letter:
    topic = event.topic.removeprefix(settings.topic_prefix)
    return Letter(record.offset, record.timestamp_ms, topic, event, len(event.value or b""))


class Replayer:
    """Puts records back; a context manager. `by`: who does it, for the log."""

    def __init__(self, settings: Settings, by: str) -> None:
        self._settings = settings
        self._by = by
        self._topics = {topic.name: topic for topic in ALL_TOPICS}
        name = settings.topic(DEAD_LETTERS.name)
        self._producer = Producer(transactional_config(settings, ROLE, f"{name}-{ROLE}"))

    def __enter__(self) -> Self:
        try:
            self._producer.init_transactions(CALL_S)
        except KafkaException as error:
            raise LogError(f"Kafka does not take a replay: {error.args[0].str()}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.purge()

    def replay(self, letter: Letter) -> DeadLetterReplayed:
        """Put a letter's record, as it was, at the end of the partition that it came from, and say so: both or none.

        Raises:
            LogError: it was not put back; somebody else replays, or Kafka does not answer.
        """
        try:
            return self._replay(letter)
        except KafkaException as error:
            problem = error.args[0]
            if problem.txn_requires_abort():
                self._producer.abort_transaction(CALL_S)
            why = "somebody else replays letters now" if problem.fatal() else problem.str()
            raise LogError(f"letter {letter.id} was not put back: {why}") from error

    def _replay(self, letter: Letter) -> DeadLetterReplayed:
        event, delivered = letter.event, list[Message]()
        header = replay_header(Replay(event.app, letter.topic, event.partition, event.offset))
        self._producer.begin_transaction()
        self._producer.produce(
            self._settings.topic(letter.topic),
            event.value,
            event.key,
            partition=event.partition,
            headers=[*((one.name, one.value) for one in event.headers), header],
            on_delivery=lambda error, message: None if error is not None else delivered.append(message),
        )
        self._producer.flush(CALL_S)
        if not delivered:
            self._producer.abort_transaction(CALL_S)
            raise LogError(f"letter {letter.id} was not put back: Kafka did not take its record within {CALL_S:g} s")
        told = DeadLetterReplayed(
            letter=letter.id,
            topic=letter.topic,
            partition=event.partition,
            offset=event.offset,
            app=event.app,
            replayed_offset=delivered[0].offset() or 0,
            replayed_ms=time.time_ns() // 1_000_000,
            replayed_by=self._by,
        )
        key = self._settings.topic(letter.topic).encode()
        self._producer.produce(self._settings.topic(DEAD_LETTERS.name), encode(told), key, partition=PARTITION)
        self._producer.commit_transaction(CALL_S)
        return told


def objections(settings: Settings, chosen: Sequence[Letter], *, again: bool) -> dict[int, str]:
    """Why letters cannot be put back, by id; the others can.

    Raises:
        LogError: Kafka does not answer.
    """
    found: dict[int, str] = {}
    seen: dict[Origin, int] = {}
    for letter in chosen:
        if letter.replays and not again:
            last = letter.replays[-1]
            place = f"{last.topic}/{last.partition}@{last.replayed_offset}"
            found[letter.id] = f"was replayed already, by {last.replayed_by}, as {place} (--again does it once more)"
        elif (twin := seen.setdefault(letter.origin, letter.id)) != letter.id:
            found[letter.id] = f"is about the same record as letter {twin}"
        elif why := _unfit(settings, letter):
            found[letter.id] = why
    return found | _superseded(settings, [letter for letter in chosen if letter.id not in found])


def _unfit(settings: Settings, letter: Letter) -> str:
    topic = _topic(letter)
    if topic is None:
        return f"is of topic {letter.topic}, which this version does not know"
    if topic is MEDIA_SOURCE:
        video_id = (letter.event.key or b"").decode(errors="replace").partition("/")[0]
        return (
            "is of a GOP, which is made as a whole or not at all: what is missing of the video, and what mends it while "
            f"the log has the source, says `logcast verify {video_id}`"
        )
    if not 0 <= letter.event.partition < (topic.partitions or settings.partitions):
        return f"is of partition {letter.event.partition}, which {letter.topic} does not have any more"
    if letter.size_bytes == 0:
        return "has no bytes to put back"
    return ""


def _topic(letter: Letter) -> Topic | None:
    return next((topic for topic in ALL_TOPICS if topic.name == letter.topic), None)


def _superseded(settings: Settings, chosen: Iterable[Letter]) -> dict[int, str]:
    """Letters of compacted topics whose key has a newer record: put back, the old one would replace it."""
    found: dict[int, str] = {}
    by_place: defaultdict[tuple[str, int], list[Letter]] = defaultdict(list)
    for letter in chosen:
        topic = _topic(letter)
        if topic is not None and topic.cleanup is Cleanup.COMPACT:
            by_place[letter.topic, letter.event.partition].append(letter)
    for (name, partition), of_place in by_place.items():
        topic = next(topic for topic in ALL_TOPICS if topic.name == name)
        newest = {record.key: record.offset for record in read_partition(settings, topic, partition, ROLE)}
        for letter in of_place:
            offset, ours = newest.get(letter.event.key, -1), {told.replayed_offset for told in letter.replays}
            if offset > letter.event.offset and offset not in ours:
                found[letter.id] = f"is superseded: {name}/{partition}@{offset} is newer and has the same key"
    return found


def event_of(letter: DeadLetter) -> Event | None:
    """The event in a letter's record; None if this version cannot read it."""
    try:
        return decode(letter.value or b"")
    except CodecError:
        return None
