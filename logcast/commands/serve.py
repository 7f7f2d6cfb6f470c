"""Run one role in the foreground, for clusters."""

import click

ROLE_NAMES = ("ingest", "worker", "consumers", "gateway")


@click.command("serve")
@click.argument("role", type=click.Choice(ROLE_NAMES))
def command(role: str) -> None:
    """Run one role until SIGTERM or SIGINT. Settings come from LOGCAST_… variables and logcast.toml.

    The log goes to stderr. A second signal ends it at once.
    """
    from logcast.serve import serve

    serve(role)
