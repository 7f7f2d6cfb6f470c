"""What only Redis can do: end by itself, be full, be away, want a password."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from stores.hot_tier import open_segment_store
from stores.redis_segments import INIT_EXTRA_S, READ_PAUSE_S, VAIN_READS, RedisSegmentStore
from stores.segments import LocalSegmentStore, Removed, SegmentStoreError, StoreFullError, init_name, part_name
from stores.settings import Settings, SettingsError, load_settings
from tests.conftest import free_ports, server
from tests.waiting import eventually_blocking

VIDEO = "0123456789abcdefghjk"
PART = part_name(VIDEO, "480p", 0, 0)


@pytest.fixture
def redis(redis_server: int) -> Iterator[Redis]:
    client = Redis(port=redis_server)
    yield client
    client.close()


@pytest.fixture
def make_store(redis_server: int, tmp_path: Path) -> Iterator[Callable[..., RedisSegmentStore]]:
    opened: list[RedisSegmentStore] = []

    def make(
        retention_s: int = 3600, port: int = redis_server, now_s: Callable[[], float] = time.time, password: str = ""
    ) -> RedisSegmentStore:
        opened.append(RedisSegmentStore(f"redis://:{password}@127.0.0.1:{port}/0", retention_s, now_s, f"{tmp_path}:"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def test_a_part_ends_by_itself_and_its_init_segment_outlives_it(
    make_store: Callable[..., RedisSegmentStore], redis: Redis, tmp_path: Path
) -> None:
    store = make_store(retention_s=1)
    init = init_name(VIDEO, "480p", b"init")
    store.put(init, b"init")
    store.put(PART, b"part")
    assert 1 < redis.ttl(f"{tmp_path}:{{{VIDEO}}}/480p/inits") <= 1 + INIT_EXTRA_S
    eventually_blocking(lambda: store.get(PART) is None)
    assert store.get(init) == b"init"


def test_each_part_makes_the_init_segment_live_on(
    make_store: Callable[..., RedisSegmentStore], redis: Redis, tmp_path: Path
) -> None:
    store = make_store()
    store.put(init_name(VIDEO, "480p", b"init"), b"init")
    redis.expire(f"{tmp_path}:{{{VIDEO}}}/480p/inits", 5)
    store.put(PART, b"part")
    assert redis.ttl(f"{tmp_path}:{{{VIDEO}}}/480p/inits") > 3600


def test_an_init_segment_stays_while_a_part_is_young(make_store: Callable[..., RedisSegmentStore]) -> None:
    hour_ago, now = make_store(now_s=lambda: time.time() - 3600), make_store()
    init, young = init_name(VIDEO, "480p", b""), part_name(VIDEO, "480p", 1, 0)
    hour_ago.put(init, b"data")
    hour_ago.put(PART, b"data")
    now.put(young, b"data")
    assert now.remove_older(60, time.time()) == Removed(1, 4)
    assert now.get(PART) is None
    assert now.get(init) == now.get(young) == b"data"


def test_nothing_is_left_when_all_is_removed(
    make_store: Callable[..., RedisSegmentStore], redis: Redis, tmp_path: Path
) -> None:
    store = make_store()
    store.put(init_name(VIDEO, "480p", b"init"), b"init")
    store.put(PART, b"part")
    store.remove_video(VIDEO)
    assert redis.keys(f"{tmp_path}:*") == []


def test_a_full_redis_is_said_in_a_sentence_and_spoils_nothing(
    make_store: Callable[..., RedisSegmentStore], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--maxmemory", "4mb"]
    with server([*argv, "--maxmemory-policy", "noeviction"], tmp_path, lambda: _answers(port)):
        store = make_store(port=port)
        store.put(PART, b"before")
        with pytest.raises(StoreFullError, match="LOGCAST_HOT_RETENTION_S"):
            _fill(store)
        assert store.get(PART) == b"before"
        store.remove_video(VIDEO)
        store.put(PART, b"room again")
        store.close()


def test_a_redis_that_comes_back_is_found_again(make_store: Callable[..., RedisSegmentStore], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--requirepass", "geheim"]
    store = make_store(port=port, password="geheim")
    with pytest.raises(SegmentStoreError, match=f"cannot reach Redis at 127.0.0.1:{port}.*start it"):
        store.check()
    for _ in range(2):
        with server(argv, tmp_path, lambda: _answers(port)):
            store.put(PART, b"part")
            assert store.get(PART) == b"part"
        with pytest.raises(SegmentStoreError, match="cannot write to Redis") as caught:
            store.put(PART, b"part")
        assert "geheim" not in str(caught.value)
    with server(argv, tmp_path, lambda: _answers(port)):
        assert store.get(PART) is None, "it keeps nothing over a restart here"
        with pytest.raises(SegmentStoreError, match="does not let us in"):
            make_store(port=port, password="wrong").check()


def test_a_redis_that_does_not_answer_is_not_waited_for_for_ever(make_store: Callable[..., RedisSegmentStore]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started_s = time.monotonic()
        with pytest.raises(SegmentStoreError, match="cannot read from Redis"):
            make_store(port=silent.getsockname()[1]).get(PART)
        assert time.monotonic() - started_s < 30


def test_readers_of_a_redis_that_stands_still_stop_waiting_for_it_and_find_it_again(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    now = [0.0]
    store = RedisSegmentStore(f"redis://127.0.0.1:{port}/0", 3600, time.time, monotonic_s=lambda: now[0])
    with server(argv, tmp_path, lambda: _answers(port)):
        store.put(PART, b"part")
        with Redis(port=port) as client:
            info: Any = client.info("server")
        pid = int(info["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(VAIN_READS):
                with pytest.raises(SegmentStoreError, match="cannot read from Redis"):
                    store.get(PART)
            with pytest.raises(SegmentStoreError, match="did not answer lately"):
                store.get(PART)
        finally:
            os.kill(pid, signal.SIGCONT)
        now[0] += READ_PAUSE_S
        assert store.get(PART) == b"part"
        assert store.get(PART) == b"part"
    store.close()


def test_the_setting_chooses_the_store_and_keeps_its_password(make_settings: Callable[..., Settings]) -> None:
    assert isinstance(open_segment_store(make_settings()), LocalSegmentStore)
    settings = make_settings(segment_url="redis://:geheim@redis.example:6380/1")
    store = open_segment_store(settings)
    assert isinstance(store, RedisSegmentStore)
    assert store.address == "redis.example:6380"
    assert "geheim" not in repr(settings)
    with pytest.raises(SettingsError, match=r"segment_url: .*expected redis://") as caught:
        load_settings(segment_url="http://:geheim@redis.example")
    assert "geheim" not in str(caught.value)


def _fill(store: RedisSegmentStore) -> None:
    for number in range(1, 20):
        store.put(part_name(VIDEO, "480p", number, 0), bytes(1_000_000))


def _answers(port: int) -> bool:
    from logcast.stack.probes import port_answers

    return port_answers(port)
