"""Make Cassandra's keyspace and tables, and its users."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings
from logcast.errors import LogcastError


@click.group("keyspace")
def command() -> None:
    """The keyspace of Logcast on the nodes of LOGCAST_CASSANDRA_HOSTS."""


@command.command("apply")
@click.option(
    "--admin-password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make the users first: LOGCAST_CASSANDRA_USER, and a superuser `logcast_admin` with this password.",
)
def apply(admin_password_file: Path | None) -> None:
    """Create keyspace and tables where they are missing. Doing it twice changes nothing."""
    from stores.cassandra import CassandraError, apply_schema
    from stores.cassandra_users import apply_cassandra_users
    from stores.secret_files import UnreadableSecretError, secret_in

    settings = absolute_settings(None)
    try:
        if admin_password_file:
            apply_cassandra_users(settings, secret_in(admin_password_file, "--admin-password-file"))
        apply_schema(settings)
    except (CassandraError, UnreadableSecretError) as error:
        raise LogcastError(str(error)) from error
    click.echo(f"the keyspace {settings.cassandra_keyspace} is as it should be")
