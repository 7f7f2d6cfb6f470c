"""The ports that the local stack listens on, and who has one that is taken."""

import errno
import socket
from dataclasses import dataclass

import psutil

from logcast.errors import CannotStartError
from logcast.stack.layout import ONE, Layout
from stores.settings import Settings


@dataclass(frozen=True, slots=True)
class PortClaim:
    """A port of ours: where, what for, and how to choose another."""

    port: int
    host: str
    purpose: str
    option: str


def port_claims(settings: Settings, layout: Layout = ONE) -> tuple[PortClaim, ...]:
    """Every port that `logcast up` with these settings listens on.

    Raises:
        CannotStartError: the settings are not for a stack of this machine.
    """
    if layout.is_cluster and settings.bind_host != layout.homes[0]:
        raise CannotStartError(
            f"`logcast up --cluster` serves on {' and '.join(layout.homes)}, but bind_host is {settings.bind_host}: "
            f"unset LOGCAST_BIND_HOST, and let an edge (docs/edge.md) listen on other addresses"
        )
    nodes = (claim for host in layout.nodes for claim in _node_claims(settings, host))
    homes = [layout.settings_at(settings, place) for place in range(len(layout.homes))]
    roles = (claim for home in homes for claim in _role_claims(home))
    standby = (_standby_claim(home) for home in homes if layout.standby)
    return (*roles, *standby, *nodes)


def _node_claims(settings: Settings, local: str) -> tuple[PortClaim, ...]:
    kafka = kafka_port(settings)
    return (
        PortClaim(kafka, local, "Kafka", "LOGCAST_KAFKA_BOOTSTRAP=127.0.0.1:PORT"),
        PortClaim(kafka + 1, local, "Kafka's controller", "LOGCAST_KAFKA_BOOTSTRAP=127.0.0.1:PORT (it is PORT + 1)"),
        PortClaim(settings.cassandra_port, local, "Cassandra", "LOGCAST_CASSANDRA_PORT"),
        PortClaim(settings.cassandra_storage_port, local, "Cassandra's storage", "LOGCAST_CASSANDRA_STORAGE_PORT"),
    )


def _role_claims(settings: Settings) -> tuple[PortClaim, ...]:
    return (
        PortClaim(settings.http_port, settings.bind_host, "the page and the API", "--http-port"),
        PortClaim(settings.rtmp_port, settings.bind_host, "RTMP", "--rtmp-port"),
        PortClaim(settings.health_port_ingest, settings.bind_host, "ingest's health", "LOGCAST_HEALTH_PORT_INGEST"),
        PortClaim(settings.health_port_worker, settings.bind_host, "worker's health", "LOGCAST_HEALTH_PORT_WORKER"),
        PortClaim(
            settings.health_port_consumers, settings.bind_host, "consumers' health", "LOGCAST_HEALTH_PORT_CONSUMERS"
        ),
    )


def _standby_claim(settings: Settings) -> PortClaim:
    name = "LOGCAST_HEALTH_PORT_STANDBY"
    return PortClaim(settings.health_port_standby, settings.bind_host, "standby's health", name)


def kafka_port(settings: Settings) -> int:
    """The port of the one broker that the local stack runs.

    Raises:
        CannotStartError: the bootstrap servers are not one address of this machine.
    """
    host, _, port = settings.kafka_bootstrap.rpartition(":")
    if host not in {"127.0.0.1", "localhost"} or not port.isdecimal() or not 0 < int(port) < 65_535:
        raise CannotStartError(
            f"`logcast up` runs a Kafka of its own on 127.0.0.1:PORT (PORT up to 65534), but kafka_bootstrap is "
            f"{settings.kafka_bootstrap!r}: set LOGCAST_KAFKA_BOOTSTRAP=127.0.0.1:9092, or, for a cluster, "
            f"run the roles with `logcast serve`"
        )
    return int(port)


def port_problem(claim: PortClaim) -> str | None:
    """Why a port cannot be had, as a sentence; None when it is free."""
    family = socket.AF_INET6 if ":" in claim.host else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what only lingers is no hindrance
        try:
            attempt.bind((claim.host, claim.port))
            attempt.listen()
        except OSError as error:
            return _sentence(claim, error)
    return None


def _sentence(claim: PortClaim, error: OSError) -> str:
    what = f"port {claim.port} for {claim.purpose}"
    if error.errno == errno.EADDRINUSE:
        return f"{what} is taken by {_owner(claim.port)}: stop that, or choose another port with {claim.option}"
    if error.errno == errno.EACCES:
        return f"{what} needs rights that you do not have: choose one above 1023 with {claim.option}"
    return f"{what} cannot be opened on {claim.host} ({error.strerror}): check LOGCAST_BIND_HOST, or {claim.option}"


def _owner(port: int) -> str:
    """The process that listens on a port, as far as we may see it."""
    try:
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process"
