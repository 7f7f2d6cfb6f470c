"""How evenly the GOPs of some streams, weighted by what they cost, are spread over workers; what goes first within one."""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from processors.encoder_pool import EncoderPool
from processors.transform import LOW_PRIORITY, _go_last
from schemas.topics import MEDIA_SOURCE, source_partition

GOPS = 96
"""A multiple of every number of partitions here."""


@dataclass(frozen=True)
class Cluster:
    """As much of aiokafka's as the assignor asks for."""

    partitions: int

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set(range(self.partitions))


@dataclass(frozen=True)
class Stream:
    """A stream of GOPs of 2 s."""

    video_id: str
    width: int
    height: int
    fps: int

    @property
    def cost(self) -> int:
        """Of a GOP: the pixels to decode."""
        return self.width * self.height * self.fps * 2


HEAVY = Stream("0heavyheavyheavyheav", 1920, 1080, 60)
LIGHT = [Stream(f"{number}ightlightlightligh", 1280, 720, 30) for number in range(1, 7)]


def owners(partitions: int, workers: int) -> dict[int, str]:
    """Who has which partition, by the assignor that the workers use."""
    metadata = ConsumerProtocolMemberMetadata(0, [MEDIA_SOURCE.name], b"")
    members = {f"logcast-{number}": metadata for number in range(workers)}
    assigned = RangePartitionAssignor.assign(Cluster(partitions), members)
    return {partition: member for member, of in assigned.items() for _, mine in of.assignment for partition in mine}


def shares(streams: list[Stream], partitions: int, workers: int) -> dict[str, float]:
    """The share of each worker in the cost of all GOPs."""
    owner, costs = owners(partitions, workers), Counter[str]()
    for stream in streams:
        for gop in range(GOPS):
            costs[owner[source_partition(stream.video_id, gop, partitions)]] += stream.cost
    return {member: cost / costs.total() for member, cost in sorted(costs.items())}


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("partitions", [8, 12])
def test_every_worker_has_the_share_of_its_partitions_whatever_the_streams(
    workers: int, partitions: int, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Counter(owners(partitions, workers).values())
    with capsys.disabled():
        for name, streams in (("one heavy stream", [HEAVY]), ("six light, one heavy", [*LIGHT, HEAVY])):
            found = shares(streams, partitions, workers)
            told = "  ".join(f"{share:6.1%}" for share in found.values())
            print(f"\n{workers} workers, {partitions:2} partitions, {name:20}  {told}", end="")  # noqa: T201
            assert found == pytest.approx({member: count / partitions for member, count in mine.items()})


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_a_heavy_stream_goes_from_worker_to_worker_with_each_gop(workers: int) -> None:
    partitions = 8
    owner = owners(partitions, workers)
    turns = [owner[source_partition(HEAVY.video_id, gop, partitions)] for gop in range(GOPS)]
    again = sum(a == b for a, b in pairwise(turns))
    assert again / GOPS <= 1 / 4
    assert not any(a == b == c for a, b, c in zip(turns, turns[1:], turns[2:], strict=False))


def test_within_a_worker_live_goes_before_catching_up_and_both_before_what_somebody_asked_for() -> None:
    pool, gate, done = EncoderPool(1), threading.Event(), list[str]()
    pool.submit(gate.wait)
    waiting = [pool.later.submit(done.append, f"catching up {n}") for n in range(3)]
    waiting += [pool.submit(done.append, f"live {n}") for n in range(3)]
    gate.set()
    for future in waiting:
        future.result(60)
    assert done == [f"live {n}" for n in range(3)] + [f"catching up {n}" for n in range(3)]
    on_request = ThreadPoolExecutor(1, initializer=_go_last)

    def nice() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    usual = pool.submit(nice).result(60)
    assert (
        on_request.submit(nice).result(60) == LOW_PRIORITY > usual
    )  # the system's order: the encoders are asked first
    on_request.shutdown()
    pool.shutdown()
