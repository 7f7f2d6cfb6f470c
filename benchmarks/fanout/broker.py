"""The Kafka that a benchmark runs on: one that is there already, or one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logcast.stack.java import find_java
from logcast.stack.kafka_node import KafkaNode
from logcast.stack.probes import kafka_serves
from tests.conftest import faster, free_ports, jars_of, server


@contextmanager
def broker(directory: Path, given: str = "") -> Iterator[str]:
    """Bootstrap servers: `given`, else of a broker that runs in `directory` for as long."""
    if given:
        yield given
        return
    directory.mkdir()
    port, controller_port = free_ports(2)
    node = KafkaNode(directory, port, controller_port, find_java(), jars_of("kafka"))
    node.prepare()
    bootstrap = f"127.0.0.1:{port}"
    with server(faster(node, "kafka"), directory, lambda: kafka_serves(bootstrap)):
        yield bootstrap
