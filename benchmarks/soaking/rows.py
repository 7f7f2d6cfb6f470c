"""How many rows each table of a keyspace has, and how many tables and keyspaces there are."""

from types import TracebackType
from typing import Final, Self

from cassandra.cluster import Cluster

from stores.settings import Settings

TIMEOUT_S: Final = 60.0


class Rows:
    """One session; blocking. Counting reads all rows: for small keyspaces."""

    def __init__(self, settings: Settings) -> None:
        self._keyspace = settings.cassandra_keyspace
        self._cluster = Cluster([settings.cassandra_hosts], port=settings.cassandra_port)

    def __enter__(self) -> Self:
        self._session = self._cluster.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.shutdown()

    def counts(self) -> dict[str, float]:
        """Tables and keyspaces."""
        found = list(self._session.execute("SELECT keyspace_name, table_name FROM system_schema.tables"))
        return {"cassandra.tables": len(found), "cassandra.keyspaces": len({row[0] for row in found})}

    def rows(self) -> dict[str, float]:
        """Rows of each of our tables."""
        query = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s"
        names = [row[0] for row in self._session.execute(query, [self._keyspace])]
        return {f"rows.{name}": float(self._count(name)) for name in sorted(names)}

    def _count(self, table: str) -> int:
        counted = self._session.execute(f"SELECT count(*) FROM {self._keyspace}.{table}", timeout=TIMEOUT_S)
        return int(counted.one()[0])
