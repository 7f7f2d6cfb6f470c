"""Cassandra's tables out and in again, row by row with the time of every write, so that what is newer stays newer.

A line is the primary key and, for each write time, the columns that were written then, as Cassandra has them on the wire. Entries
of a map have write times of their own. The time of a row's key alone cannot be asked for: rows that are nothing else come back
with time 1, so that no later write, and no removal, loses to it. Tables are read by ranges of tokens, page by page. Blocking.

Errors: `CassandraError`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.metadata import TableMetadata
from cassandra.query import BoundStatement, PreparedStatement

from stores.backup_files import packed, unpacked
from stores.cassandra import PROTOCOL_VERSION, connected
from stores.settings import Settings

RANGES: Final = 16
PAGE_ROWS: Final = 1_000
AT_ONCE: Final = 64
TIMEOUT_S: Final = 60.0
KEY_ONLY_TIME: Final = 1

Line = list[Any]


class Tables:
    """The tables of a keyspace."""

    def __init__(self, session: Session, keyspace: str) -> None:
        self._session = session
        self._keyspace = keyspace
        self._prepared: dict[str, PreparedStatement] = {}

    @property
    def _tables(self) -> dict[str, TableMetadata]:
        found = self._session.cluster.metadata.keyspaces.get(self._keyspace)
        return dict(found.tables) if found is not None else {}

    def names(self) -> list[str]:
        """Which there are."""
        return sorted(self._tables)

    def columns(self, table: str) -> list[str]:
        """The columns of a table; none of a table that is not there."""
        return list(self._tables[table].columns) if table in self._tables else []

    def is_empty(self) -> bool:
        """Whether no table has a row."""
        return not any(
            list(self._session.execute(f"SELECT * FROM {self._keyspace}.{name} LIMIT 1"))  # noqa: S608  (names of ours)
            for name in self.names()
        )

    def ranges(self) -> list[tuple[int, int]]:
        """All tokens as ranges, each without its first and with its last."""
        step = 2**64 // RANGES
        edges = [-(2**63) + number * step for number in range(RANGES)] + [2**63 - 1]
        return list(pairwise(edges))

    def lines(self, table: str, tokens: tuple[int, int]) -> Iterator[Line]:
        """The rows of a range of tokens."""
        found = self._tables[table]
        key = [column.name for column in found.primary_key]
        others = [name for name in found.columns if name not in key]
        times = "".join(f", {name}, writetime({name})" for name in others)
        at = f"token({', '.join(column.name for column in found.partition_key)})"
        # The least token is no row's: Murmur3Partitioner never gives it.
        statement = self._statement(
            f"SELECT {', '.join(key)}{times} FROM {self._keyspace}.{table} WHERE {at} > ? AND {at} <= ?"  # noqa: S608
        )
        bound = statement.bind(tokens)
        bound.fetch_size = PAGE_ROWS
        types = [kind for _, _, _, kind in statement.result_metadata]
        for row in self._session.execute(bound, timeout=TIMEOUT_S):
            yield _line(row, types, len(key), others)

    def put(self, table: str, lines: Iterable[Line]) -> None:
        """Write rows as they were."""
        found = self._tables[table]
        key = [column.name for column in found.primary_key]
        maps = {name for name, column in found.columns.items() if column.cql_type.startswith("map<")}
        statements = [(one, None) for line in lines for one in self._writes(table, key, maps, line[0], line[1])]
        execute_concurrent(self._session, statements, concurrency=AT_ONCE, raise_on_first_error=True)

    def _writes(
        self, table: str, key: list[str], maps: set[str], key_values: list[str], groups: list[Any]
    ) -> Iterator[BoundStatement]:
        key_bytes = [unpacked(value) for value in key_values]
        for time, columns in groups or [[KEY_ONLY_TIME, {}]]:
            whole = {name: unpacked(value) for name, value in columns.items() if name not in maps}
            if whole or not columns:
                yield self._insert(table, key, key_bytes, whole, time)
            for name in columns.keys() & maps:
                where = " AND ".join(f"{one} = ?" for one in key)
                cql = f"UPDATE {self._keyspace}.{table} USING TIMESTAMP ? SET {name} = {name} + ? WHERE {where}"  # noqa: S608
                yield self._bound(cql, [_bigint(time), unpacked(columns[name]), *key_bytes])

    def _insert(
        self, table: str, key: list[str], key_bytes: list[bytes | None], whole: dict[str, bytes | None], time: int
    ) -> BoundStatement:
        names = [*key, *whole]
        marks = ", ".join("?" * len(names))
        cql = f"INSERT INTO {self._keyspace}.{table} ({', '.join(names)}) VALUES ({marks}) USING TIMESTAMP ?"  # noqa: S608
        return self._bound(cql, [*key_bytes, *whole.values(), _bigint(time)])

    def _bound(self, cql: str, values: list[bytes | None]) -> BoundStatement:
        bound = BoundStatement(self._statement(cql))
        bound.values = values
        bound.is_idempotent = True
        return bound

    def _statement(self, cql: str) -> PreparedStatement:
        if cql not in self._prepared:
            self._prepared[cql] = self._session.prepare(cql)
        return self._prepared[cql]


@contextmanager
def open_tables(settings: Settings) -> Iterator[Tables]:
    """Connect.

    Raises:
        CassandraAwayError: no node answers.
    """
    with connected(settings) as session:
        yield Tables(session, settings.cassandra_keyspace)


def _bigint(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def _line(row: tuple[Any, ...], types: list[Any], keys: int, others: list[str]) -> Line:
    """The key, and the columns by write time."""
    key = [packed(types[n].to_binary(row[n], PROTOCOL_VERSION)) for n in range(keys)]
    groups: defaultdict[int, dict[str, str | None]] = defaultdict(dict)
    for number, name in enumerate(others):
        at = keys + 2 * number
        value, time, kind = row[at], row[at + 1], types[at]
        if value is None or time is None:
            continue
        if isinstance(time, list):
            entries: defaultdict[int, dict[Any, Any]] = defaultdict(dict)
            for (entry, inside), of_entry in zip(value.items(), time, strict=True):
                entries[of_entry][entry] = inside
            for of_entries, some in entries.items():
                groups[of_entries][name] = packed(kind.to_binary(some, PROTOCOL_VERSION))
        else:
            groups[time][name] = packed(kind.to_binary(value, PROTOCOL_VERSION))
    return [key, list(groups.items())]
