"""The hot segment store on Redis, for several machines.

Keys of a video share a hash tag (`{VIDEO}`), so that a script may touch them together:

    PREFIX{VIDEO}/480p/00000007.0002.m4s   string: a part. It ends by itself after the hot retention.
    PREFIX{VIDEO}/480p/inits               hash: file → bytes. Each part put makes it live on: it outlives the parts.
    PREFIX{VIDEO}/480p/files               sorted set: file → when it was put (seconds since 1970).
    PREFIXhot                              sorted set: VIDEO/RENDITION → when it was last put to.

A put is one round trip. A read from a Redis that stands still takes as long as its time limit: after two of these only one in
some seconds is tried (`stores.breaker`), so that the threads of a gateway are free for the recordings. Puts wait. Redis forgets parts without our help; the janitor takes the rest away and counts it.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.connection import BlockingConnectionPool
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004  (the client's own name for it)
    OutOfMemoryError,
    RedisError,
    TimeoutError,  # noqa: A004  (the same)
)
from redis.retry import Retry

from schemas.ids import VIDEO_ID
from stores.breaker import Breaker
from stores.segments import (
    BadSegmentNameError,
    Removed,
    SegmentStoreError,
    StoreFullError,
    check_size,
    checked_name,
)

T = TypeVar("T")

TIMEOUT_S: Final = 2.0
RETRIES: Final = 1
CONNECTIONS: Final = 16
VAIN_READS: Final = 2
READ_PAUSE_S: Final = 2.0
INIT_EXTRA_S: Final = 300
"""An init segment stays so much longer than the last part that needs it."""

BATCH: Final = 500
"""Files that one call of the script removes: Redis does nothing else meanwhile."""

_REMOVE: Final = """
-- KEYS: files, inits, hot; ARGV: prefix of part keys, put before (seconds), most files, VIDEO/RENDITION
-- gives: files removed, their bytes, 1 if there may be more
local files, inits, hot = KEYS[1], KEYS[2], KEYS[3]
local count, bytes = 0, 0
local old = redis.call('ZRANGEBYSCORE', files, '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
for _, file in ipairs(old) do
    if string.sub(file, 1, 5) ~= 'init-' then
        local key = ARGV[1] .. file
        local size = redis.call('STRLEN', key)
        if redis.call('UNLINK', key) == 1 then
            count, bytes = count + 1, bytes + size
        end
        redis.call('ZREM', files, file)
    end
end
local more = #old == tonumber(ARGV[3]) and count > 0
if not more then
    local left, names = false, redis.call('ZRANGE', files, 0, -1, 'WITHSCORES')
    for at = 1, #names, 2 do
        left = left or string.sub(names[at], 1, 5) ~= 'init-' or tonumber(names[at + 1]) >= tonumber(ARGV[2])
    end
    if not left then
        for _, file in ipairs(redis.call('HKEYS', inits)) do
            count, bytes = count + 1, bytes + redis.call('HSTRLEN', inits, file)
        end
        redis.call('UNLINK', files, inits)
        redis.call('ZREM', hot, ARGV[4])
    end
end
return {count, bytes, more and 1 or 0}
"""


class RedisSegmentStore:
    """Segments in Redis. Connections are made when needed, kept, and made again after an error.

    Args:
        url: `redis://[user:password@]host:port/number`, `rediss://…` or `unix://…`.
        retention_s: how long a part stays, in seconds.
        now_s: wall clock, seconds since 1970.
        prefix: before every key.
        monotonic_s: a clock that never jumps, seconds.

    Raises:
        SegmentStoreError: the address makes no sense. Nothing is connected yet.
    """

    def __init__(
        self,
        url: str,
        retention_s: int,
        now_s: Callable[[], float],
        prefix: str = "logcast:",
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                health_check_interval=15,
                retry=Retry(ExponentialBackoff(cap=0.4, base=0.05), RETRIES, (ConnectionError, TimeoutError)),
            )
        except ValueError as error:
            raise SegmentStoreError(f"LOGCAST_SEGMENT_URL: expected redis://HOST:PORT/NUMBER: {error}") from None
        options = pool.connection_kwargs
        self.address: Final = str(
            options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        )
        self._redis = Redis(connection_pool=pool)
        self._remove = self._redis.register_script(_REMOVE)
        self._retention_s = retention_s
        self._now_s = now_s
        self._prefix = prefix
        self._hot = f"{prefix}hot"
        self._reads = Breaker(VAIN_READS, READ_PAUSE_S, monotonic_s)

    def put(self, name: str, data: bytes) -> None:
        """See `SegmentStore.put`."""
        video, rendition, file = checked_name(name)
        check_size(name, data)
        below, now_s = self._below(video, rendition), self._now_s()
        lasts_s = self._retention_s + INIT_EXTRA_S
        with self._redis.pipeline(transaction=False) as batch:
            batch.zadd(self._hot, {f"{video}/{rendition}": now_s})
            batch.zadd(below + "files", {file: now_s})
            batch.expire(below + "files", lasts_s)
            if file.startswith("init-"):
                batch.hset(below + "inits", file, cast("str", data))  # the stubs know no bytes here
            else:
                batch.set(below + file, data, ex=self._retention_s)
            batch.expire(below + "inits", lasts_s)
            self._ask("write to", batch.execute)

    def get(self, name: str) -> bytes | None:
        """See `SegmentStore.get`."""
        video, rendition, file = checked_name(name)
        below = self._below(video, rendition)
        if file.startswith("init-"):
            found = self._read(lambda: self._redis.hget(below + "inits", file))
        else:
            found = self._read(lambda: self._redis.get(below + file))
        return cast("bytes | None", found)

    def size(self, name: str) -> int | None:
        """See `SegmentStore.size`."""
        video, rendition, file = checked_name(name)
        below = self._below(video, rendition)
        if file.startswith("init-"):
            found = self._read(lambda: self._redis.hstrlen(below + "inits", file))
        else:
            found = self._read(lambda: self._redis.strlen(below + file))
        return found or None

    def remove_video(self, video_id: str) -> Removed:
        """See `SegmentStore.remove_video`."""
        if not VIDEO_ID.fullmatch(video_id):
            raise BadSegmentNameError(f"expected a video id, found {video_id[:40]!r}")
        mine = [name for name in self._renditions() if name.startswith(f"{video_id}/")]
        return sum((self._remove_before(name, "inf") for name in mine), Removed())

    def remove_older(self, than_s: float, now_s: float) -> Removed:
        """See `SegmentStore.remove_older`."""
        before = f"{now_s - than_s:.6f}"
        return sum((self._remove_before(name, before) for name in self._renditions()), Removed())

    def check(self) -> None:
        """See `SegmentStore.check`."""
        self._ask("reach", self._redis.ping)

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        self._redis.connection_pool.disconnect(inuse_connections=False)

    def _below(self, video: str, rendition: str) -> str:
        return f"{self._prefix}{{{video}}}/{rendition}/"

    def _renditions(self) -> list[str]:
        found = self._ask("read from", lambda: self._redis.zrange(self._hot, 0, -1))
        return [name.decode() for name in cast("list[bytes]", found)]

    def _remove_before(self, rendition: str, before: str) -> Removed:
        """Forget a rendition's files that were put before a time."""
        below = self._below(*rendition.split("/"))
        removed, more = Removed(), 1
        while more:
            files, size, more = cast(
                "list[int]",
                self._ask(
                    "clean",
                    lambda: self._remove(
                        [below + "files", below + "inits", self._hot], [below, before, BATCH, rendition]
                    ),
                ),
            )
            removed += Removed(files, size)
        return removed

    def _read(self, call: Callable[[], T]) -> T:
        if not self._reads.may_ask():
            raise SegmentStoreError(f"Redis at {self.address} did not answer lately: it is asked again soon")
        try:
            found = self._ask("read from", call)
        except SegmentStoreError as error:
            if isinstance(error.__cause__, TimeoutError):
                self._reads.waited_in_vain()
            else:
                self._reads.answered()
            raise
        self._reads.answered()
        return found

    def _ask(self, verb: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except OutOfMemoryError as error:
            raise StoreFullError(
                f"Redis at {self.address} has no memory left for segments: raise its maxmemory, or lower "
                f"LOGCAST_HOT_RETENTION_S"
            ) from error
        except AuthenticationError as error:
            raise SegmentStoreError(
                f"Redis at {self.address} does not let us in ({error}): correct the user and password in LOGCAST_SEGMENT_URL"
            ) from error
        except (ConnectionError, TimeoutError) as error:
            raise SegmentStoreError(
                f"cannot {verb} Redis at {self.address} ({error}): start it, or correct LOGCAST_SEGMENT_URL"
            ) from error
        except RedisError as error:
            raise SegmentStoreError(f"cannot {verb} Redis at {self.address}: {error}") from error
