"""Makes Cassandra's users on a cluster that asks for passwords, and locks the one that every new cluster has.

`logcast_admin` is the superuser, `logcast` what our roles log in as: it may make keyspaces and owns what it makes.
Doing it twice changes nothing. Blocking, for use in threads.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from cassandra import AuthenticationFailed, ConsistencyLevel, Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable, Session
from cassandra.query import SimpleStatement

from stores.cassandra import CassandraAwayError, cluster_of
from stores.settings import Settings

ADMIN: Final = "logcast_admin"
BORN_WITH: Final = "cassandra"
"""The user and the password of a new cluster."""

BORN_DEADLINE_S: Final = 60.0
"""A new node makes that user a little after it answers."""

PASSING_S: Final = 30.0

EVERYTHING: Final = (
    "SELECT * FROM system_auth.roles",
    "SELECT * FROM system_auth.role_members",
    "SELECT * FROM system_auth.role_permissions",
)


def apply_cassandra_users(settings: Settings, admin_password: str) -> None:
    """Make the users with their passwords; `settings` name the nodes, our user and its password, which may log in then.

    Raises:
        CassandraAwayError: no node answers, or neither the admin nor the user of a new cluster may log in.
    """
    user, password = settings.cassandra_user, settings.cassandra_password.get_secret_value()
    if not _may_log_in(settings, ADMIN, admin_password):
        with _first_session(settings) as session:
            _spread(session, settings.copies_of_rows)
            _make(session, ADMIN, admin_password, superuser=True)
    with _session(settings, ADMIN, admin_password) as session:
        _spread(session, settings.copies_of_rows)
        _make(session, user, password, superuser=False)
        session.execute(f"GRANT CREATE ON ALL KEYSPACES TO {user}")
        session.execute(f"ALTER ROLE {BORN_WITH} WITH SUPERUSER = false AND LOGIN = false")
    _until_it_may_log_in(settings, user, password)


def _spread(session: Session, copies: int) -> None:
    """As many copies of the users as of the rows; reading all of them from every node gives it what it lacks."""
    replication = f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': {copies}}}"
    session.execute(f"ALTER KEYSPACE system_auth WITH replication = {replication}")
    for query in EVERYTHING:
        statement = SimpleStatement(query, consistency_level=ConsistencyLevel.ALL)
        _until(partial(session.execute, statement), "not be granted")


def _make(session: Session, name: str, password: str, *, superuser: bool) -> None:
    """The role `name` with this password, whether or not it was there."""
    there = session.execute("SELECT role FROM system_auth.roles WHERE role = %s", (name,)).one()
    verb = "ALTER" if there else "CREATE"
    options = f"WITH PASSWORD = %s AND LOGIN = true AND SUPERUSER = {str(superuser).lower()}"
    _until(lambda: session.execute(f"{verb} ROLE {name} {options}", (password,)), "only be changed every")


def _until(act: Callable[[], Any], passing: str) -> None:
    """Do it; an error that says `passing` passes soon: rights that are cached, passwords that changed just now."""
    deadline = time.monotonic() + PASSING_S
    while True:
        try:
            act()
        except (NoHostAvailable, Unauthorized) as error:
            if passing not in str(error) or time.monotonic() > deadline:
                raise CassandraAwayError(f"Cassandra refuses: {error}") from error
            time.sleep(0.5)
        else:
            return


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


def _until_it_may_log_in(settings: Settings, user: str, password: str) -> None:
    """Nodes keep passwords for `credentials_validity` (2 s), so a changed one opens nothing at first."""
    deadline = time.monotonic() + PASSING_S
    while not _may_log_in(settings, user, password):
        if time.monotonic() > deadline:
            raise CassandraAwayError(f"{user} may not log in at Cassandra with its new password")
        time.sleep(0.5)


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
