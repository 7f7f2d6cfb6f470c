"""How much each series of the soak may grow, in absolute terms, and what bounds it."""

from typing import Final

from benchmarks.soaking.verdict import Tolerance

JVMS: Final = frozenset({"kafka", "cassandra"})
FLAT: Final = Tolerance(0.0)

RULES: Final[tuple[tuple[str, Tolerance], ...]] = (
    # Of processes
    ("kafka.rss_mb", Tolerance(30, why="heap -Xmx256m, mapped indexes")),
    ("cassandra.rss_mb", Tolerance(30, why="heap -Xmx256m, direct memory 256m, mapped indexes")),
    ("kafka.uss_mb", Tolerance(30, why="heap -Xmx256m")),
    ("cassandra.uss_mb", Tolerance(30, why="heap -Xmx256m, direct memory 256m")),
    (".heap_mb", Tolerance(10, why="after collections; -Xmx256m")),
    (".rss_mb", Tolerance(6, why="folds and caches are bounded by settings")),
    (".uss_mb", Tolerance(6, why="folds and caches are bounded by settings")),
    ("kafka.fds", Tolerance(20, why="log segments by retention")),
    ("cassandra.fds", Tolerance(20, why="sstables by compaction")),
    (".fds", Tolerance(4)),
    (".threads", Tolerance(2)),
    (".sockets", Tolerance(4)),
    # On disk
    ("disk.logs_mb", Tolerance(1, cap=7 * 16, why="two files of 8 MiB a process")),
    ("disk.cassandra.commitlog_mb", Tolerance(2, cap=160, why="commitlog_total_space 128 MiB and a segment")),
    ("disk.cassandra.data_mb", Tolerance(10, per_broadcast=0.05, why="until compaction, after gc_grace_seconds")),
    ("disk.kafka.__cluster_metadata_mb", Tolerance(3, cap=100, why="snapshots and 100 MB of Kafka's metadata")),
    ("disk.kafka", Tolerance(8, why="retention and compaction")),
    ("disk.hot_mb", Tolerance(5, why="hot_retention_s")),
    ("disk.cold_mb", Tolerance(5, why="retention, and owners who remove")),
    ("disk.spool_mb", Tolerance(1, why="removed once Kafka has it")),
    ("disk.database_mb", Tolerance(1.5, why="a row for each account")),
    ("disk.files.hot", Tolerance(60, why="hot_retention_s")),
    ("disk.files.", Tolerance(60)),
    ("disk.", Tolerance(5)),
    # Counted
    ("kafka.topics", FLAT),
    ("kafka.partitions", FLAT),
    ("kafka.groups", FLAT),
    ("cassandra.tables", FLAT),
    ("cassandra.keyspaces", FLAT),
    ("sql.rows.users", Tolerance(70, why="an account a minute")),
    ("sql.rows.", Tolerance(20, why="sessions that are over are removed every five minutes")),
    ("keys.videos", Tolerance(10, why="videos of the last minutes: removed ones are forgotten")),
    ("keys.", Tolerance(60, why="videos of the last minutes: removed ones are forgotten")),
    ("rows.", Tolerance(100, why="videos of the last minutes: removed ones are forgotten")),
    (".series", Tolerance(4, why="label sets of Prometheus")),
    ("_blocks", Tolerance(30_000, why="some 3 MB of Python objects")),
    ("_cache_bytes", Tolerance(0, cap=2**25, why="gateway_memory_mb")),
    ("_tasks", Tolerance(8)),
    (".metric.", Tolerance(20)),
)


def tolerance_of(name: str) -> Tolerance:
    """The first rule whose text is in the name."""
    return next((tolerance for part, tolerance in RULES if part in name), Tolerance(5))
