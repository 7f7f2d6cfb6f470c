"""Make the secrets of a cluster: passwords, tokens, an authority and certificates."""

from pathlib import Path

import click


@click.group("secrets")
def command() -> None:
    """The secrets of a cluster, each a file that only its owner reads. Keep the directory out of version control."""


@command.command("make")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host", "hosts", multiple=True, help="A name or address by which Kafka's nodes are reached. [default: localhost]"
)
def make(directory: Path, hosts: tuple[str, ...]) -> None:
    """Make what is absent in DIRECTORY; what is there stays, but a certificate that lacks a --host is made anew."""
    import datetime as dt

    from logcast.cluster_secrets import make_secrets
    from logcast.errors import LogcastError

    try:
        made = make_secrets(directory, hosts or ("localhost", "127.0.0.1"), dt.datetime.now(dt.UTC))
    except (OSError, ValueError) as error:
        raise LogcastError(f"cannot make secrets in {directory}: {error}") from error
    for name in made:
        click.echo(name)
    click.echo(f"{len(made)} made in {directory}")
