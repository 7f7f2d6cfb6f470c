"""What a Kafka node listens on: without security on one port for all, with it on one for clients and one for brokers.

With security (`BrokerFiles`) clients come by TLS and prove themselves by SCRAM, brokers and controllers by certificates of
our own authority; whoever has no right by an ACL is refused. docs/clusters.md has the table of rights.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logcast.cluster_secrets import ADMIN, NODE

MECHANISM: Final = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """PEM files of a node: its key with its certificate, who signed it; and the file of the admin's password."""

    keystore: Path
    truststore: Path
    admin_password: Path


def listener_lines(host: str, port: int, controller_port: int, files: BrokerFiles | None) -> str:
    """The part of server.properties about listeners, TLS, users and rights. Brokers speak on `controller_port` + 1."""
    return "\n".join(
        _plain(host, port, controller_port) if files is None else _secure(host, port, controller_port, files)
    )


def _plain(host: str, port: int, controller_port: int) -> list[str]:
    return [
        f"listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}",
        f"advertised.listeners=PLAINTEXT://{host}:{port}",
        "inter.broker.listener.name=PLAINTEXT",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    ]


def _secure(host: str, port: int, controller_port: int, files: BrokerFiles) -> list[str]:
    ours = f"CLIENTS://{host}:{port},BROKERS://{host}:{controller_port + 1}"
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return [
        f"listeners={ours},CONTROLLER://{host}:{controller_port}",
        f"advertised.listeners={ours}",
        "inter.broker.listener.name=BROKERS",
        "listener.security.protocol.map=CLIENTS:SASL_SSL,BROKERS:SSL,CONTROLLER:SSL",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={files.keystore}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={files.truststore}",
        "listener.name.brokers.ssl.client.auth=required",
        "listener.name.controller.ssl.client.auth=required",
        "ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        f"sasl.enabled.mechanisms={MECHANISM}",
        f"listener.name.clients.{MECHANISM.lower()}.sasl.jaas.config={login}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found=false",
        f"super.users=User:{NODE};User:{ADMIN}",
    ]
