"""Writes what of docker/ is made by code: the nodes' configurations and Grafana's dashboards.

`python docker/generate.py` after a change of the stack's templates or of the rows below; a test holds the files to it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.java import Java
from logcast.stack.kafka_listeners import BrokerFiles
from logcast.stack.kafka_node import KafkaNode

HERE: Final = Path(__file__).parent
COUNT: Final = 3
NO_JAVA: Final = Java(Path("java"), "the image")
SECRETS: Final = Path("/run/secrets")

WIDTH, HEIGHT = 8, 7


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: `query` in PromQL, `by` what its lines are called, the unit as Grafana names it."""

    title: str
    query: str
    by: str
    unit: str = "short"


def _quantile(metric: str, share: float, by: str) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[1m])))"


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[1m]))"


ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "Viewers": (
        Panel("Newest part, after its capture", "logcast_gateway_newest_part_age_seconds", "{{instance}}", "s"),
        Panel("Feed connections", "logcast_feed_subscribers", "{{instance}}"),
        Panel("Requests that wait for media", "logcast_gateway_parked_requests", "{{instance}}"),
        Panel("Feed messages a second", _rate("logcast_feed_messages_total", "instance"), "{{instance}}"),
        Panel("Viewers cut off a second", _rate("logcast_feed_cut_off_total", "instance"), "{{instance}}"),
        Panel(
            "Memory caches", "sum by (instance, cache) (logcast_gateway_cache_bytes)", "{{instance}} {{cache}}", "bytes"
        ),
    ),
    "Publishers": (
        Panel("Publishers", "logcast_ingest_publishers", "{{instance}}"),
        Panel("Received", _rate("logcast_ingest_received_bytes_total", "instance"), "{{instance}}", "Bps"),
        Panel("Held back a second", _rate("logcast_ingest_held_back_total", "why"), "{{why}}"),
        Panel("Refused a second", _rate("logcast_ingest_refused_total", "why"), "{{why}}"),
        Panel("Spool", "logcast_spool_bytes", "{{instance}}", "bytes"),
        Panel("Oldest record that Kafka has not", "logcast_spool_age_seconds", "{{instance}}", "s"),
    ),
    "Workers": (
        Panel("Behind the source", "logcast_worker_transcode_lag_seconds", "{{instance}}", "s"),
        Panel("Chunk to part, 95 %", _quantile("logcast_worker_part_seconds", 0.95, "rendition"), "{{rendition}}", "s"),
        Panel("Parts a second", _rate("logcast_worker_parts_total", "rendition"), "{{rendition}}"),
        Panel("Encoding, cores", _rate("logcast_worker_encode_cpu_seconds_total", "instance"), "{{instance}}"),
        Panel("Open GOPs", "logcast_worker_gops_open", "{{instance}}"),
        Panel("GOPs left out a second", _rate("logcast_worker_gops_skipped_total", "instance"), "{{instance}}"),
    ),
    "Comments and reactions": (
        Panel("Records a second", _rate("logcast_exact_records_total", "agent"), "{{agent}}"),
        Panel("Transaction, 95 %", _quantile("logcast_exact_commit_seconds", 0.95, "agent"), "{{agent}}", "s"),
        Panel("Repeats a second", _rate("logcast_exact_repeats_total", "agent"), "{{agent}}"),
    ),
    "Stores": (
        Panel("Not in Cassandra, not recorded", "sum by (group) (logcast_group_lag_records)", "{{group}}"),
        Panel(
            "Cassandra write, 95 %", _quantile("logcast_cassandra_write_seconds", 0.95, "instance"), "{{instance}}", "s"
        ),
        Panel(
            "Segment to the cold store, 95 %",
            _quantile("logcast_archive_segment_seconds", 0.95, "instance"),
            "{{instance}}",
            "s",
        ),
        Panel("Recorded", _rate("logcast_archive_bytes_total", "instance"), "{{instance}}", "Bps"),
        Panel("Tries again a second", _rate("logcast_archive_retries_total", "instance"), "{{instance}}"),
        Panel("Dead letters", "sum by (job) (increase(logcast_worker_dead_letters_total[15m]))", "{{job}}"),
    ),
    "Edge, Redis, PostgreSQL": (
        Panel("Edge: media requests a second", _rate("logcast_edge_requests_total", "cache"), "{{cache}}"),
        Panel("Edge: sent", _rate("logcast_edge_sent_bytes_total", "instance"), "{{instance}}", "Bps"),
        Panel("Edge: connections", "sum by (state) (logcast_edge_connections)", "{{state}}"),
        Panel("Redis: memory", "redis_memory_used_bytes", "{{instance}}", "bytes"),
        Panel("Redis: commands a second", _rate("redis_commands_processed_total", "instance"), "{{instance}}"),
        Panel("PostgreSQL: connections", "sum by (datname) (pg_stat_database_numbackends)", "{{datname}}"),
    ),
    "Processes": (
        Panel("Answering", "sum by (job) (up)", "{{job}}"),
        Panel("CPU, cores", "sum by (job, instance) (rate(process_cpu_seconds_total[1m]))", "{{job}} {{instance}}"),
        Panel("Memory", "sum by (job, instance) (process_resident_memory_bytes)", "{{job}} {{instance}}", "bytes"),
    ),
}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "uid": "logcast",
        "title": "Logcast",
        "tags": ["logcast"],
        "timezone": "browser",
        "schemaVersion": 41,
        "version": 1,
        "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"},
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": []} | _place(0, y, 24, 1)
        y += 1
        for index, panel in enumerate(panels):
            number += 1
            yield _graph(number, panel) | _place(index % 3 * WIDTH, y + index // 3 * HEIGHT, WIDTH, HEIGHT)
        y += -(-len(panels) // 3) * HEIGHT


def _graph(number: int, panel: Panel) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "datasource": source, "expr": panel.query, "legendFormat": panel.by}],
    }


def _place(x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"gridPos": {"x": x, "y": y, "w": width, "h": height}}


def files() -> dict[Path, str]:
    """Every file that is made, with its text."""
    brokers = tuple(f"kafka-{n}" for n in range(1, COUNT + 1))
    nodes = tuple(f"cassandra-{n}" for n in range(1, COUNT + 1))
    secrets = BrokerFiles(SECRETS / "kafka.pem", SECRETS / "ca.pem", SECRETS / "kafka-admin.password")
    made = {HERE / "grafana" / "dashboards" / "logcast.json": json.dumps(dashboard(), indent=1) + "\n"}
    for number in range(1, COUNT + 1):
        home = Path("/var/lib/kafka")
        kafka = KafkaNode(home, 9092, 9093, NO_JAVA, (), hosts=brokers, number=number, security=secrets)
        made[HERE / "kafka" / f"server-{number}.properties"] = kafka.server_properties()
        home = Path("/var/lib/cassandra")
        cassandra = CassandraNode(
            home,
            9042,
            7000,
            NO_JAVA,
            (),
            hosts=nodes,
            number=number,
            passwords=True,
            tls=SECRETS / "cassandra.pem",
        )
        made[HERE / "cassandra" / f"cassandra-{number}.yaml"] = cassandra.yaml()
    return made


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, "utf-8")
