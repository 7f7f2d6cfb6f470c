"""A log of a few partitions with one fold each, whose transactions happen or do not: restarts at any point, by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field

from processors.fold import Fold, Write
from schemas.codec import decode
from schemas.events import Event, VideoForgotten
from schemas.topics import Topic


@dataclass
class Partition:
    """Records of the source, the fold over them, how far it has committed, and what it wrote."""

    make: Callable[[], Fold]
    source: Topic
    state: Topic
    records: list[Event] = field(default_factory=list)
    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    results: list[Event] = field(default_factory=list)
    committed: int = 0

    def __post_init__(self) -> None:
        self.fold = self.make()

    def step(self, most: int, *, crashes: bool = False) -> list[Write]:
        """Fold some records and commit; a crash comes before the commit, and nothing of the step has happened.

        Returns:
            What was written to the source topic itself, for other partitions.
        """
        end = min(len(self.records), self.committed + most)
        for offset in range(self.committed, end):
            event = self.records[offset]
            if isinstance(event, VideoForgotten):
                self.fold.forget(event.video_id)
            else:
                self.fold.apply(self.source.name, offset, event)
        if crashes:
            self.restart()
            return []
        writes = self.fold.take()
        self.committed = end
        self.rows |= {w.key: w.value for w in writes if w.topic == self.state.name}
        theirs = {self.state.name, self.source.name}
        self.results += [decode(w.value) for w in writes if w.topic not in theirs and w.value is not None]
        return [w for w in writes if w.topic == self.source.name]

    def restart(self) -> None:
        """A new process: the state is what the compacted topic has, tombstones gone."""
        self.fold = self.make()
        self.fold.load([(key, value) for key, value in sorted(self.rows.items()) if value is not None])


class SmallLog:
    """All partitions of one exact agent."""

    def __init__(self, make: Callable[[], Fold], source: Topic, state: Topic, partitions: int) -> None:
        self.partitions = [Partition(make, source, state) for _ in range(partitions)]

    def step(self, number: int, most: int, *, crashes: bool = False) -> None:
        """One step of one partition; what it writes for others arrives."""
        for write in self.partitions[number].step(most, crashes=crashes):
            assert write.partition is not None
            assert write.value is not None
            self.partitions[write.partition].records.append(decode(write.value))

    def finish(self) -> None:
        """Fold everything, until nothing is left."""
        while any(p.committed < len(p.records) for p in self.partitions):
            for number in range(len(self.partitions)):
                self.step(number, 1_000_000)

    def results(self, partition: int) -> list[Event]:
        """What a partition has told."""
        return self.partitions[partition].results
