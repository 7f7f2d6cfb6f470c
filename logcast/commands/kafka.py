"""Make Kafka's users and their rights."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from logcast.commands._options import absolute_settings
from logcast.errors import LogcastError

if TYPE_CHECKING:
    from schemas.rights import Rule


@click.group("kafka")
def command() -> None:
    """Users and rights on the cluster of LOGCAST_KAFKA_BOOTSTRAP, as LOGCAST_KAFKA_USER, who is its admin."""


@command.command("users")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def users(directory: Path) -> None:
    """Give each role's user the password that it has in DIRECTORY (`logcast secrets make`)."""
    from schemas.rights import ROLES
    from stores.kafka import LogError
    from stores.kafka_users import apply_users
    from stores.secret_files import UnreadableSecretError, secret_in

    try:
        passwords = {role: secret_in(directory / f"kafka-{role}.password", role) for role in ROLES}
        apply_users(absolute_settings(None), passwords)
    except (LogError, UnreadableSecretError) as error:
        raise LogcastError(str(error)) from error
    click.echo(f"{', '.join(passwords)} may log in")


@command.group("acls")
def acls() -> None:
    """What each role may read and write (docs/clusters.md)."""


@acls.command("apply")
def apply() -> None:
    """Make the rights that are absent, take away what is too much. Doing it twice changes nothing."""
    from stores.kafka import LogError
    from stores.kafka_users import apply_rights

    try:
        report = apply_rights(absolute_settings(None))
    except LogError as error:
        raise LogcastError(str(error)) from error
    for rule in report.added:
        click.echo(f"+ {_line(rule)}")
    for rule in report.taken:
        click.echo(f"- {_line(rule)}")
    click.echo(f"{len(report.added)} added, {len(report.taken)} taken away")


@acls.command("list")
def list_() -> None:
    """The rights as the cluster has them, one a line."""
    from stores.kafka import LogError
    from stores.kafka_users import rights_there

    try:
        found = rights_there(absolute_settings(None))
    except LogError as error:
        raise LogcastError(str(error)) from error
    for rule in sorted(found):
        click.echo(_line(rule))


@acls.command("table")
def table() -> None:
    """The rights as a Markdown table; asks no cluster."""
    from schemas.rights import rights_table

    click.echo(rights_table())


def _line(rule: "Rule") -> str:
    return f"{rule.user:<10} {rule.operation:<5} {rule.kind} {rule.name}{'*' if rule.prefixed else ''}"
