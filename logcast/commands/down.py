"""Stop what `logcast up` started."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option


@click.command("down")
@data_option
def command(data_dir: Path | None) -> None:
    """Stop the stack of this data directory in order, and wait until no process is left."""
    from logcast.stack.down import stop_stack

    stop_stack(absolute_settings(data_dir).data_dir)
    click.echo("stopped, no process is left")
