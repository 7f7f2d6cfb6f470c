"""Whether a process serves: asked of it in its own protocol, never guessed from a log line or an open port alone."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from stores.settings import Settings

PROBE_TIMEOUT_S = 5.0


def port_answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def kafka_serves(bootstrap: str, security: Mapping[str, Any] = {}) -> bool:
    """Whether a broker answers a metadata request (blocks up to `PROBE_TIMEOUT_S`); `security` as librdkafka has it."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    if not port_answers(int(port), host):  # else the client logs its failed connections
        return False
    try:
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **security})
        return bool(admin.list_topics(timeout=PROBE_TIMEOUT_S).brokers)
    except KafkaException:
        return False


def local_cluster(host: str, port: int) -> Any:
    """A driver `Cluster` of the one node there; a context manager once connected, else to be shut down."""
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
    from cassandra.policies import RoundRobinPolicy

    profile = ExecutionProfile(RoundRobinPolicy(), request_timeout=PROBE_TIMEOUT_S)
    return Cluster(
        [host],
        port=port,
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=PROBE_TIMEOUT_S,
        control_connection_timeout=PROBE_TIMEOUT_S,
        monitor_reporting_enabled=False,
    )


def cassandra_serves(host: str, port: int) -> bool:
    """Whether a node answers a query (blocks up to three times `PROBE_TIMEOUT_S`)."""
    from cassandra import AuthenticationFailed, DriverException, OperationTimedOut
    from cassandra.cluster import NoHostAvailable

    if not port_answers(port, host):
        return False
    cluster = local_cluster(host, port)
    try:
        cluster.connect().execute("SELECT release_version FROM system.local")
    except NoHostAvailable as error:  # one that asks who we are serves
        return bool(error.errors) and all(isinstance(one, AuthenticationFailed) for one in error.errors.values())
    except (OperationTimedOut, DriverException):
        return False
    finally:
        cluster.shutdown()
    return True


async def http_ok(port: int, path: str = "/readyz", host: str = "127.0.0.1") -> bool:
    """Whether `GET path` is answered with 200; by hand, for an HTTP client would cost the supervisor 20 MB."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return status.split()[1:2] == [b"200"]


async def kafka_ready(settings: Settings) -> bool:
    """`kafka_serves` at the bootstrap servers, as who the settings say, beside the event loop."""
    from stores.kafka_security import librdkafka_security

    return await asyncio.to_thread(kafka_serves, settings.kafka_bootstrap, librdkafka_security(settings))


async def cassandra_ready(host: str, port: int) -> bool:
    """`cassandra_serves`, beside the event loop."""
    return await asyncio.to_thread(cassandra_serves, host, port)
