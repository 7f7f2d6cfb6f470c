"""Cassandra from asyncio: one session a process, prepared statements, idempotent writes in batches, the schema.

The driver runs its own thread (libev); answers come back by `call_soon_threadsafe`, so no thread waits for a query.
Only connecting and preparing block, and those run in threads.

Errors: `CassandraError` is the base of
    CassandraAwayError: no answer, or not from enough replicas. Try again later; a write may or may not have happened.
    CassandraRefusedError: the statement or a value is wrong. Trying again does not help.
"""

import asyncio
import ssl
import struct
from collections import defaultdict, namedtuple
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any, Final, Self

from cassandra import ConsistencyLevel, DriverException, OperationTimedOut, RequestValidationException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, ResponseFuture, Session
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, RetryPolicy, TokenAwarePolicy
from cassandra.protocol import ErrorMessage
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, BoundStatement, PreparedStatement

from stores.settings import Settings

PROTOCOL_VERSION: Final = 5
CONNECT_TIMEOUT_S: Final = 5.0
REQUEST_TIMEOUT_S: Final = 10.0
SCHEMA_TIMEOUT_S: Final = 30.0
BATCH_ROWS: Final = 100
BATCH_BYTES: Final = 48 * 1024
"""Below batch_size_warn_threshold (64 KiB), and far below the size that Cassandra refuses."""
CONCURRENT_WRITES: Final = 64
PAGE_ROWS: Final = 1_000

RETRIES: Final = 2

Row = Any
"""A named tuple with the columns that were selected."""


class CassandraError(RuntimeError):
    """Cassandra did not do what was asked; the message says what to do."""


class CassandraAwayError(CassandraError):
    """No answer in time, or too few replicas: try again later."""


class CassandraRefusedError(CassandraError):
    """Cassandra, or the driver, does not take the statement or its values: trying again does not help."""


@dataclass(frozen=True, slots=True)
class Write:
    """One idempotent write, as a value.

    Attributes:
        cql: a statement with `?` for the values, `USING TIMESTAMP ?`, and `$keyspace.` before the table.
        values: in the order of the question marks; None leaves a column as it is.
        partition: the table and the partition key; writes that share it travel together.
        replaces_at: the write time, if the partition is one row that a later write replaces whole: of several with the
            same `cql` only the latest is sent.
    """

    cql: str
    values: tuple[Any, ...]
    partition: tuple[str | int, ...]
    replaces_at: int | None = None


class RetryIdempotent(RetryPolicy):  # type: ignore[misc]  # the driver has no types
    """Asks again when replicas were too slow; all our statements may be repeated."""

    def on_write_timeout(
        self, _query: Any, consistency: int, *_: Any, retry_num: int, **__: Any
    ) -> tuple[int, int | None]:
        """The driver's question after a write timed out at the replicas."""
        return (self.RETRY, consistency) if retry_num < RETRIES else (self.RETHROW, None)

    def on_read_timeout(
        self, _query: Any, consistency: int, *_: Any, retry_num: int, **__: Any
    ) -> tuple[int, int | None]:
        """The driver's question after a read timed out at the replicas."""
        return (self.RETRY, consistency) if retry_num < RETRIES else (self.RETHROW, None)


class Cassandra:
    """A session on the project's keyspace."""

    def __init__(self, session: Session, keyspace: str) -> None:
        self._session = session
        self._keyspace = keyspace
        self._prepared: dict[str, asyncio.Task[PreparedStatement]] = {}
        self._writing = asyncio.Semaphore(CONCURRENT_WRITES)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """Connect. Once open, the driver reconnects by itself for ever.

        Raises:
            CassandraAwayError: no contact point answers.
        """
        cluster = cluster_of(settings)
        try:
            yield cls(await asyncio.to_thread(_connect, cluster, settings), settings.cassandra_keyspace)
        finally:
            await asyncio.to_thread(cluster.shutdown)

    async def prepare(self, statements: Iterable[str]) -> None:
        """Prepare statements now rather than at their first use, so that a missing table shows at the start."""
        await asyncio.gather(*(self._statement(cql) for cql in statements))

    async def rows(self, cql: str, values: Sequence[Any] = (), *, limit: int = PAGE_ROWS) -> list[Row]:
        """The first `limit` rows of a query.

        Raises:
            CassandraAwayError, CassandraRefusedError.
        """
        bound = _bind(await self._statement(cql), values)
        bound.fetch_size = limit
        found, state = await self._answer(bound)
        while state is not None and len(found) < limit:
            more, state = await self._answer(bound, state)
            found += more
        return found[:limit]

    async def every_row(
        self, cql: str, values: Sequence[Any] = (), *, page_rows: int = PAGE_ROWS
    ) -> AsyncIterator[Row]:
        """All rows of a query, page by page. Errors as `rows`."""
        bound = _bind(await self._statement(cql), values)
        bound.fetch_size = page_rows
        state: bytes | None = None
        while True:
            page, state = await self._answer(bound, state)
            for row in page:
                yield row
            if state is None:
                return

    async def write(self, writes: Sequence[Write]) -> None:
        """Do all writes, in any order; returns when each is on enough replicas.

        Raises:
            CassandraRefusedError: some are wrong; the others may have happened.
            CassandraAwayError: some may not have happened; repeat all of them.
        """
        results = await asyncio.gather(*map(self._write_batch, batches(writes)), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise max(failures, key=lambda error: isinstance(error, CassandraAwayError))

    async def _write_batch(self, writes: Sequence[Write]) -> None:
        async with self._writing:
            statements = [_bind(await self._statement(write.cql), write.values) for write in writes]
            if len(statements) == 1:
                await self._answer(statements[0])
                return
            batch = BatchStatement(BatchType.UNLOGGED)
            batch.is_idempotent = True
            batch.add_all(statements, [()] * len(statements))
            await self._answer(batch)

    async def _statement(self, cql: str) -> PreparedStatement:
        task = self._prepared.get(cql)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._prepared[cql] = asyncio.create_task(asyncio.to_thread(self._prepare, cql))
        return await asyncio.shield(task)

    def _prepare(self, cql: str) -> PreparedStatement:
        with _translated():
            prepared = self._session.prepare(Template(cql).substitute(keyspace=self._keyspace))
        prepared.is_idempotent = True
        return prepared

    def _answer(
        self, statement: BoundStatement | BatchStatement, state: bytes | None = None
    ) -> asyncio.Future[tuple[list[Row], bytes | None]]:
        """A future of a page of rows and the state of the next page; cancelling it only stops the waiting."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[list[Row], bytes | None]] = loop.create_future()
        with _translated():
            response = self._session.execute_async(statement, paging_state=state)
        response.add_callbacks(
            lambda rows: _resolve(loop, answer, lambda: answer.set_result((list(rows or ()), _next_page(response)))),
            lambda error: _resolve(loop, answer, lambda: answer.set_exception(_translate(error) or error)),
        )
        return answer


def batches(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """The writes by partition, at most `BATCH_ROWS` and about `BATCH_BYTES` together."""
    partitions: dict[tuple[str | int, ...], list[Write]] = defaultdict(list)
    for write in _latest(writes):
        partitions[write.partition].append(write)
    for together in partitions.values():
        batch: list[Write] = []
        size = 0
        for write in together:
            size += _size(write)
            if batch and (len(batch) == BATCH_ROWS or size > BATCH_BYTES):
                yield batch
                batch, size = [], _size(write)
            batch.append(write)
        yield batch


def _latest(writes: Iterable[Write]) -> Iterator[Write]:
    """The writes without those that another one of them replaces whole."""
    latest: dict[tuple[str, tuple[str | int, ...]], tuple[int, Write]] = {}
    for write in writes:
        if write.replaces_at is None:
            yield write
        else:
            known = latest.get((write.cql, write.partition))
            if known is None or known[0] <= write.replaces_at:
                latest[write.cql, write.partition] = write.replaces_at, write
    yield from (write for _, write in latest.values())


def apply_schema(settings: Settings) -> None:
    """Create keyspace and tables where they are missing; blocking, for use in a thread. Twice changes nothing.

    Run it from one process first when a cluster of several nodes is new: Cassandra does not order concurrent changes of
    its schema.

    Raises:
        CassandraAwayError: no contact point answers, or the nodes do not agree on the schema.
        CassandraRefusedError: something else of that name is there, or the user may not create it.
    """
    cluster = cluster_of(settings)
    try:
        session = _connect(cluster, settings)
        for statement in schema_statements(settings):
            with _translated():
                done = session.execute(statement, timeout=SCHEMA_TIMEOUT_S)
            if not done.response_future.is_schema_agreed:
                raise CassandraAwayError("the Cassandra nodes do not agree on the schema yet; are all of them up?")
    finally:
        cluster.shutdown()


@contextmanager
def connected(settings: Settings) -> Iterator[Session]:
    """A blocking session, for what looks at tables as such.

    Raises:
        CassandraAwayError: no contact point answers.
    """
    cluster = cluster_of(settings)
    try:
        session = _connect(cluster, settings)
        with _translated():
            yield session
    finally:
        cluster.shutdown()


def schema_statements(settings: Settings) -> list[str]:
    """`schema.cql` with keyspace and replication filled in, statement by statement."""
    text = (files("stores") / "schema.cql").read_text("utf-8")
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    filled = Template(without_comments).substitute(
        keyspace=settings.cassandra_keyspace, replication=settings.copies_of_rows
    )
    return [statement.strip() for statement in filled.split(";") if statement.strip()]


def cluster_of(settings: Settings) -> Cluster:
    """The driver's view of the nodes, not yet connected; to be shut down."""
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.cassandra_local_dc)),
        retry_policy=RetryIdempotent(),
        consistency_level=_consistency(settings),
        request_timeout=REQUEST_TIMEOUT_S,
        row_factory=_rows,
    )
    return Cluster(
        [host.strip() for host in settings.cassandra_hosts.split(",")],
        port=settings.cassandra_port,
        protocol_version=PROTOCOL_VERSION,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ExponentialReconnectionPolicy(0.5, 10.0, max_attempts=None),
        connect_timeout=CONNECT_TIMEOUT_S,
        control_connection_timeout=CONNECT_TIMEOUT_S,
        idle_heartbeat_interval=10,
        monitor_reporting_enabled=False,
        **_credentials(settings),
    )


def _consistency(settings: Settings) -> int:
    chosen = settings.cassandra_consistency or ("LOCAL_ONE" if settings.copies_of_rows == 1 else "LOCAL_QUORUM")
    return int(getattr(ConsistencyLevel, chosen))


def _credentials(settings: Settings) -> dict[str, Any]:
    """Who we are, and how we know the nodes."""
    options: dict[str, Any] = {}
    if settings.cassandra_user:
        password = settings.cassandra_password.get_secret_value()
        options["auth_provider"] = PlainTextAuthProvider(settings.cassandra_user, password)
    if settings.cassandra_tls:
        options["ssl_context"] = ssl.create_default_context(cafile=settings.cassandra_ca_file)
        if (
            settings.cassandra_tls_name
        ):  # nodes tell one another's addresses, not names: those of containers come and go
            options["ssl_options"] = {"server_hostname": settings.cassandra_tls_name}
    return options


def _connect(cluster: Cluster, settings: Settings) -> Session:
    try:
        with _translated():
            return cluster.connect()
    except CassandraAwayError as error:
        raise CassandraAwayError(
            f"Cassandra at {settings.cassandra_hosts} port {settings.cassandra_port} does not answer "
            f"({error.__cause__}); is it up, and are LOGCAST_CASSANDRA_HOSTS and LOGCAST_CASSANDRA_PORT right?"
        ) from error.__cause__


def _bind(prepared: PreparedStatement, values: Sequence[Any]) -> BoundStatement:
    with _translated():
        return prepared.bind([UNSET_VALUE if value is None else value for value in values])


def _size(write: Write) -> int:
    return sum(len(value) if isinstance(value, str) else 16 for value in write.values)


def _rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Named tuples, as the driver makes by itself; but it makes a class for every answer, which takes longer than the rows."""
    return list(map(_row_type(tuple(columns))._make, rows))


@cache
def _row_type(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)  # noqa: PYI024  (its fields are known when it is asked for)


def _next_page(response: ResponseFuture) -> bytes | None:
    state: bytes | None = response._paging_state  # noqa: SLF001  (the driver has no public name for it outside a ResultSet)
    return state


def _resolve(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any], act: Callable[[], None]) -> None:
    """In the driver's thread: settle a future in its loop, if anybody waits still."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: None if answer.done() else act())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        ours = _translate(error)
        if ours is None:
            raise
        raise ours from error


def _translate(error: Exception) -> CassandraError | None:
    """The driver's error as one of ours, None if it is a mistake in the program."""
    ours: CassandraError
    if isinstance(error, RequestValidationException | TypeError | ValueError | struct.error | OverflowError):
        ours = CassandraRefusedError(f"Cassandra refuses: {error}")
    elif isinstance(error, NoHostAvailable | OperationTimedOut | DriverException | ErrorMessage | OSError):
        ours = CassandraAwayError(f"Cassandra does not answer: {error}")
    else:
        return None
    ours.__cause__ = error
    return ours
