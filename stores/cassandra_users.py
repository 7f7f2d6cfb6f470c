"""Makes Cassandra's users on a cluster that asks for passwords, and locks the one that every new cluster has.

`logcast_admin` is the superuser, `logcast` what our roles log in as: it may make keyspaces and owns what it makes.
Doing it twice changes nothing. Blocking, for use in threads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cassandra import AuthenticationFailed, Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable, Session

from stores.cassandra import CassandraAwayError, cluster_of
from stores.settings import Settings

ADMIN: Final = "logcast_admin"
BORN_WITH: Final = "cassandra"
"""The user and the password of a new cluster."""

BORN_DEADLINE_S: Final = 60.0
"""A new node makes that user a little after it answers."""


def apply_cassandra_users(settings: Settings, admin_password: str) -> None:
    """Make the users with their passwords; `settings` name the nodes, our user and its password.

    Raises:
        CassandraAwayError: no node answers, or neither the admin nor the user of a new cluster may log in.
    """
    user, password = settings.cassandra_user, settings.cassandra_password.get_secret_value()
    if not _may_log_in(settings, ADMIN, admin_password):
        with _first_session(settings) as session:
            _make(session, ADMIN, admin_password, superuser=True)
    with _session(settings, ADMIN, admin_password) as session:
        copies = settings.copies_of_rows
        session.execute(
            "ALTER KEYSPACE system_auth WITH replication = "
            f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {copies}}}"
        )
        for name, secret, superuser in ((ADMIN, admin_password, True), (user, password, False)):
            _make(session, name, secret, superuser=superuser)
        session.execute(f"GRANT CREATE ON ALL KEYSPACES TO {user}")
        session.execute(f"ALTER ROLE {BORN_WITH} WITH SUPERUSER = false AND LOGIN = false")


def _make(session: Session, name: str, password: str, *, superuser: bool) -> None:
    """A role with all its columns written anew: copies that a change of replication left empty get them too."""
    options = f"WITH PASSWORD = %s AND LOGIN = true AND SUPERUSER = {str(superuser).lower()}"
    session.execute(f"CREATE ROLE IF NOT EXISTS {name} {options}", (password,))
    if superuser:  # nobody may take away or give himself what makes a superuser
        return
    session.execute(f"ALTER ROLE {name} {options}", (password,))


@contextmanager
def _first_session(settings: Settings) -> Iterator[Session]:
    deadline = time.monotonic() + BORN_DEADLINE_S
    while not _may_log_in(settings, BORN_WITH, BORN_WITH):
        if time.monotonic() > deadline:
            raise CassandraAwayError(
                f"neither {ADMIN} (with the password of its file) nor the user of a new cluster may log in at Cassandra"
            )
        time.sleep(0.5)
    with _session(settings, BORN_WITH, BORN_WITH) as session:
        yield session


def _may_log_in(settings: Settings, user: str, password: str) -> bool:
    try:
        with _session(settings, user, password):
            return True
    except NoHostAvailable as error:
        errors = [*error.errors.values()]
        if errors and all(isinstance(one, AuthenticationFailed | Unauthorized) for one in errors):
            return False
        raise CassandraAwayError(f"Cassandra at {settings.cassandra_hosts} does not answer: {error}") from error


@contextmanager
def _session(settings: Settings, user: str, password: str) -> Iterator[Any]:
    cluster = cluster_of(settings)
    cluster.auth_provider = PlainTextAuthProvider(user, password)
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()
