"""The secrets of a cluster as files in one directory: made once, read by everything that runs (docs/clusters.md)."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logcast.certificates import ensure_authority, hosts_in, issue
from schemas.rights import ROLES
from stores.link_keys import ensure_link_keys
from stores.secrets import ensure_secret

NODE: Final = "kafka"
"""The name in the certificate of Kafka's nodes, who may do everything."""

ADMIN: Final = "admin"
"""Kafka's user who makes the others."""

SERVERS: Final = ("cassandra", "redis")
"""Further servers that speak TLS. The name is in their certificate, whatever their addresses are."""

KAFKA_USERS: Final = (ADMIN, *ROLES)
PASSWORDS: Final = ("cassandra", "cassandra-admin", "redis", "postgresql", "s3", "grafana")
TOKENS: Final = ("admin.token", "guest.secret")


def password_file(directory: Path, user: str) -> Path:
    """Where the password of a user of Kafka is."""
    return directory / f"kafka-{user}.password"


def make_secrets(directory: Path, hosts: Sequence[str], now: dt.datetime) -> list[str]:
    """Make what is absent; a certificate that does not name all `hosts` is made anew.

    Returns:
        The names of the files that were made now.

    Raises:
        OSError: the directory cannot be written.
    """
    before = {path.name: path.stat().st_mtime_ns for path in directory.glob("*")}
    for user in KAFKA_USERS:
        ensure_secret(password_file(directory, user))
    for name in PASSWORDS:
        ensure_secret(directory / f"{name}.password")
    for name in TOKENS:
        ensure_secret(directory / name)
    ensure_link_keys(directory / "links.keys")
    ensure_authority(directory, now)
    if not (directory / f"{NODE}.pem").exists() or not set(hosts) <= hosts_in(directory / f"{NODE}.pem"):
        issue(directory, NODE, sorted(set(hosts)), now)
    for server in SERVERS:
        names = {server, *hosts}
        if not (directory / f"{server}.pem").exists() or not names <= hosts_in(directory / f"{server}.pem"):
            issue(directory, server, sorted(names), now)
    return sorted(path.name for path in directory.glob("*") if before.get(path.name) != path.stat().st_mtime_ns)
