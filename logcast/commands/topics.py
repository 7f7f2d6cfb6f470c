"""Make, list and describe the topics."""

from typing import TYPE_CHECKING

import click

from logcast.commands._options import absolute_settings
from logcast.errors import LogcastError

if TYPE_CHECKING:
    from stores.topics import TopicState


@click.group("topics")
def command() -> None:
    """The topics of Logcast on the cluster of LOGCAST_KAFKA_BOOTSTRAP."""


@command.command("apply")
def apply() -> None:
    """Create what is missing and set what differs. Doing it twice changes nothing."""
    from stores.kafka import LogError
    from stores.topics import apply_topics

    try:
        report = apply_topics(absolute_settings(None))
    except LogError as error:
        raise LogcastError(str(error)) from error
    for name in report.created:
        click.echo(f"created    {name}")
    for name in report.altered:
        click.echo(f"altered    {name}")
    click.echo(f"{len(report.created)} created, {len(report.altered)} altered, {len(report.unchanged)} as they were")


@command.command("list")
def list_() -> None:
    """The names of the topics that exist, one a line."""
    for state in _described():
        click.echo(state.name)


@command.command("describe")
def describe() -> None:
    """Partitions, replication and settings of each topic."""
    for state in _described():
        click.echo(f"{state.name}  partitions={state.partitions} replication={state.replication}")
        for key, value in sorted(state.config.items()):
            click.echo(f"    {key}={value}")


def _described() -> "list[TopicState]":
    from stores.kafka import LogError
    from stores.topics import describe_topics

    try:
        return describe_topics(absolute_settings(None))
    except LogError as error:
        raise LogcastError(str(error)) from error
