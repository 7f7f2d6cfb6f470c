"""One partition of an exact agent, kept by transactions: reads state back, folds, writes. Blocking; used in a thread.

What a step writes (results, changed state rows, the offsets up to which all is folded) is one Kafka transaction, so that
after any crash the log holds all of a step or nothing of it. The offsets are state rows like the others, `@TOPIC`. The
group's committed offset may lag behind them, and what comes again is passed over.

A dead letter that is put back has a header that says whom it is for, and where it was first. This ledger folds it if it had
rejected it, once: the row `@replayed/TOPIC/OFFSET` is written in the same transaction. Others' it has folded before.

After a restore the sources begin at 0 again, and what was counted does not: the row `@base/TOPIC` says by how much an offset
is raised, so that offsets in state, totals and tables rise on (ADR 38).

The transactional id names the state topic's partition, whichever group or worker serves it: whoever opens the ledger
ends what the former owner left open and fences it. A fenced ledger raises `KafkaException`, and its process must end:
its state is no longer the log's.

`VideoForgotten` on a source makes the fold forget a video. What comes about the video after it (a gateway that was cut off
for long) is passed over, so that it brings nothing back: the ledger keeps a row for each such video until the time that
the event names, by the clock of the next one that comes.
"""

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException, Producer
from prometheus_client import Counter, Histogram

from processors.fold import ExactAgent, Fold, FoldError, Row, Write, pack_row, unpack_row
from schemas.codec import CodecError, encode
from schemas.dead_letter import Replay, record_headers, replay_of
from schemas.events import DeadLetter, VideoForgotten
from schemas.topics import DEAD_LETTERS, HOUR_MS, Cleanup
from stores.kafka import transactional_config
from stores.read_back import SourceRecord, read_partition
from stores.settings import Settings

log = logging.getLogger(__name__)

OFFSET_ROW: Final = "@"
FORGOTTEN_ROW: Final = f"{OFFSET_ROW}forgotten/"
"""A worker of before takes it for an offset of a topic that it does not read, and writes it again as it was."""
REPLAYED_ROW: Final = "@replayed/"
BASE_ROW: Final = "@base/"
REPLAYS_REMEMBERED: Final = 10_000
REPLAY_MS: Final = HOUR_MS
"""How far back a replayed topic is read when a ledger opens, by record timestamp."""
RETRY_S: Final = 45.0
"""How long a call is repeated while the brokers do not answer."""
CALL_S: Final = 10.0
MAX_CAUSE: Final = 4_000

FOLDED = Counter("logcast_exact_records_total", "Records folded", ["agent"])
REPEATED = Counter("logcast_exact_repeats_total", "Records that came again and were passed over", ["agent"])
MISSING = Counter("logcast_exact_missing_total", "Offsets that were passed by: retention, or a loss", ["agent"])
LATE = Counter("logcast_exact_late_total", "Records about videos that were forgotten", ["agent"])
LETTERS = Counter("logcast_exact_dead_letters_total", "Records that could not be folded", ["agent"])
COMMIT = Histogram("logcast_exact_commit_seconds", "Time of one transaction", ["agent"])


@dataclass(frozen=True, slots=True)
class Unfit:
    """A record that cannot be folded, and why."""

    record: SourceRecord
    cause: str


class ForgottenVideos:
    """The videos that are not to come back, and the rows of that which changed."""

    def __init__(self) -> None:
        self._until_ms: dict[str, int] = {}
        self._changed: dict[str, int | None] = {}

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._until_ms

    def load(self, video_id: str, value: bytes | None) -> None:
        """Take a row."""
        self._until_ms.pop(video_id, None)
        if value is not None:
            (self._until_ms[video_id],) = unpack_row(value)

    def add(self, event: VideoForgotten) -> None:
        """A video is forgotten; those whose time is over by now are not remembered as such any more."""
        over = [video_id for video_id, until_ms in self._until_ms.items() if until_ms <= event.forgotten_ms]
        for video_id in over:
            del self._until_ms[video_id]
            self._changed[video_id] = None
        self._until_ms[event.video_id] = self._changed[event.video_id] = event.until_ms

    def take(self) -> list[Row]:
        """The rows that changed since the last time."""
        changed, self._changed = self._changed, {}
        return [
            (f"{FORGOTTEN_ROW}{video_id}".encode(), None if until_ms is None else pack_row(until_ms))
            for video_id, until_ms in changed.items()
        ]


class PoisonError(RuntimeError):
    """A record broke the fold half-way: the state in memory is worth nothing."""

    def __init__(self, unfit: Unfit) -> None:
        super().__init__(unfit.cause)
        self.unfit = unfit


class Ledger:
    """The fold of one partition and its transactional producer; made lazily, used by one thread at a time.

    `role` names it in logs. Every method raises what only a new process heals: `KafkaException` (fenced, or no answer in time), `LogError` and
    `RowError` (the state cannot be read back).
    """

    def __init__(self, settings: Settings, agent: ExactAgent, partition: int) -> None:
        self._settings = settings
        self._agent = agent
        self._partition = partition
        self.role = f"{agent.name}-{partition}"
        self._dense = {topic.name for topic in agent.sources if topic.cleanup is Cleanup.DELETE}
        self._producer: Producer | None = None
        self._fold: Fold | None = None
        self._app = f"{settings.worker_group}/{agent.name}"
        self._folded: dict[str, int] = {}
        self._forgotten = ForgottenVideos()
        self._bases: dict[str, int] = {}
        self._replayed: dict[str, int] = {}
        self._rows_changed: dict[str, int | None] = {}
        self._unfit: list[Unfit] = []
        self._poison: dict[tuple[str, int], str] = {}

    def step(self, records: Sequence[SourceRecord]) -> None:
        """Fold the records and write what follows from them, all or nothing. The first step reads the state back."""
        producer = self._producer or self._open()
        while True:
            try:
                fold = self._fold or self._load()
                self._unfit += self._fold_all(fold, records)
                break
            except PoisonError as error:
                log.exception("%s: a record broke the fold and becomes a dead letter", self.role)
                self._poison[error.unfit.record.topic, error.unfit.record.offset] = error.unfit.cause
                self._fold = None
        marks = [Write(self._agent.state.name, *row) for row in self._forgotten.take()] + self._replayed_rows()
        writes = fold.take() + [self._dead_letter(unfit) for unfit in self._unfit] + marks
        if writes:
            with COMMIT.labels(self._agent.name).time():
                self._commit(producer, writes + self._offset_rows())
        FOLDED.labels(self._agent.name).inc(len(records))
        self._unfit.clear()
        self._poison.clear()
        self._rows_changed.clear()

    def close(self) -> None:
        """Let go of memory and connection; a further step would read the state back again."""
        self._producer = self._fold = None

    def _open(self) -> Producer:
        """Fence the former owner."""
        transactional_id = f"{self._settings.topic(self._agent.state.name)}-{self._partition}"
        producer = Producer(transactional_config(self._settings, self.role, transactional_id))
        _until_answered(producer.init_transactions)
        self._producer = producer
        return producer

    def _load(self) -> Fold:
        """A fold that is where the log says it was."""
        started = time.monotonic()
        fold = self._agent.make()
        self._folded.clear()
        self._forgotten = ForgottenVideos()
        self._bases.clear()
        self._replayed.clear()
        self._rows_changed.clear()
        self._unfit.clear()
        fold.load(self._rows())
        for topic in self._agent.replayed:
            told = self._folded.pop(topic.name, -1)
            since_ms = int(time.time() * 1000) - REPLAY_MS
            again = read_partition(self._settings, topic, self._partition, self.role, since_ms=since_ms)
            self._unfit += [unfit for unfit in self._fold_all(fold, again) if self._at(unfit.record) > told]
        log.info("%s: state read back in %.2f s", self.role, time.monotonic() - started)
        self._fold = fold
        return fold

    def _rows(self) -> Iterator[Row]:
        """The state rows, without the ledger's own, which are noted."""
        for record in read_partition(self._settings, self._agent.state, self._partition, self.role):
            key = record.key or b""
            if not key.startswith(OFFSET_ROW.encode()):
                yield key, record.value
            elif key.startswith(FORGOTTEN_ROW.encode()):
                self._forgotten.load(key.decode().removeprefix(FORGOTTEN_ROW), record.value)
            elif key.startswith(REPLAYED_ROW.encode()):
                self._replayed.pop(key.decode(), None)
                if record.value is not None:
                    (self._replayed[key.decode()],) = unpack_row(record.value)
            elif key.startswith(BASE_ROW.encode()):
                (self._bases[key.decode().removeprefix(BASE_ROW)],) = unpack_row(record.value or b"")
            elif record.value is not None:
                (self._folded[key.decode().removeprefix(OFFSET_ROW)],) = unpack_row(record.value)

    def _at(self, record: SourceRecord) -> int:
        """A record's offset as the fold knows it."""
        return record.offset + self._bases.get(record.topic, 0)

    def _offset_rows(self) -> list[Write]:
        return [
            Write(self._agent.state.name, f"{OFFSET_ROW}{topic}".encode(), pack_row(offset))
            for topic, offset in self._folded.items()
        ]

    def _replayed_rows(self) -> list[Write]:
        state = self._agent.state.name
        return [
            Write(state, key.encode(), None if offset is None else pack_row(offset))
            for key, offset in self._rows_changed.items()
        ]

    def _is_for_us(self, replay: Replay, offset: int) -> bool:
        """Whether a replayed record is folded now; it counts as folded from now on."""
        if replay.app != self._app or replay.partition != self._partition:
            return False
        if any(topic.name == replay.topic for topic in self._agent.replayed):
            return True  # the fold keeps no rows of it, and is given it again whenever a ledger opens
        key = f"{REPLAYED_ROW}{replay.topic}/{replay.offset}"
        if key in self._replayed:
            return False
        self._replayed[key] = self._rows_changed[key] = offset
        if len(self._replayed) > REPLAYS_REMEMBERED:
            oldest = next(iter(self._replayed))
            del self._replayed[oldest]
            self._rows_changed[oldest] = None
        return True

    def _fold_all(self, fold: Fold, records: Iterable[SourceRecord]) -> list[Unfit]:
        """Fold what was not folded before; gives what cannot be."""
        unfit = []
        for record in records:
            last = self._folded.get(record.topic)
            at = self._at(record)
            if last is not None and at <= last:
                REPEATED.labels(self._agent.name).inc()
                continue
            if last is not None and at > last + 2 and record.topic in self._dense:  # + 1: the end of a transaction
                MISSING.labels(self._agent.name).inc(at - last - 1)
            if cause := self._fold_one(fold, record):
                unfit.append(Unfit(record, cause))
            self._folded[record.topic] = at
        return unfit

    def _fold_one(self, fold: Fold, record: SourceRecord) -> str:
        """Fold one record; gives why it cannot be folded, or nothing."""
        if record.value is None:  # a deleted key: nothing happened that a fold counts
            return ""
        replay = replay_of(record.headers)
        if replay is not None and not self._is_for_us(replay, record.offset):
            REPEATED.labels(self._agent.name).inc()
            return ""
        if cause := self._poison.get((record.topic, record.offset)):
            return cause
        try:
            event = self._agent.read(record.value)
            if isinstance(event, VideoForgotten):
                fold.forget(event.video_id)
                self._forgotten.add(event)
            elif getattr(event, "video_id", "") in self._forgotten:
                LATE.labels(self._agent.name).inc()
            else:
                at = self._at(record)
                fold.apply(record.topic, at, event if replay is None else self._agent.late(event, at))
        except (CodecError, FoldError) as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:
            raise PoisonError(Unfit(record, traceback.format_exc())) from error
        return ""

    def _dead_letter(self, unfit: Unfit) -> Write:
        topic = self._settings.topic(unfit.record.topic)
        LETTERS.labels(self._agent.name).inc()
        log.error("%s: %s@%d becomes a dead letter: %s", self.role, topic, unfit.record.offset, unfit.cause)
        letter = DeadLetter(
            topic=topic,
            partition=self._partition,
            offset=unfit.record.offset,
            app=self._app,
            cause=unfit.cause[-MAX_CAUSE:],
            failed_ms=int(time.time() * 1000),
            key=unfit.record.key,
            value=unfit.record.value,
            headers=record_headers(unfit.record.headers),
            written_ms=unfit.record.timestamp_ms,
        )
        return Write(DEAD_LETTERS.name, topic.encode(), encode(letter), partition=0)

    def _commit(self, producer: Producer, writes: list[Write]) -> None:
        """Write all in one transaction; one that the brokers gave up is ended, and made again with the same writes."""
        deadline = time.monotonic() + RETRY_S
        while True:
            try:
                producer.begin_transaction()
                self._produce(producer, writes)
                _until_answered(producer.commit_transaction)
            except KafkaException as error:
                if not error.args[0].txn_requires_abort() or time.monotonic() > deadline:
                    raise
                log.warning("%s: making a transaction again: %s", self.role, error.args[0].str())
                _until_answered(producer.abort_transaction)
            else:
                return

    def _produce(self, producer: Producer, writes: Iterable[Write]) -> None:
        prefix, own, produce = self._settings.topic(""), self._partition, producer.produce
        for write in writes:
            partition = own if write.partition is None else write.partition
            while True:
                try:
                    produce(prefix + write.topic, write.value, write.key, partition)
                    break
                except BufferError:  # the local queue is full: let it send
                    producer.poll(0.1)


def _until_answered(call: Callable[[float], object]) -> None:
    """Repeat a transactional call while it only timed out."""
    deadline = time.monotonic() + RETRY_S
    while True:
        try:
            call(CALL_S)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return
