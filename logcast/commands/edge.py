"""Write the nginx configuration of an edge, and change the keys of signed links."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError


@click.group("edge")
def command() -> None:
    """The edge: nginx before the gateways (docs/edge.md)."""


@command.command("rotate-key")
@click.option(
    "--keep", type=click.IntRange(1, 100), default=3, show_default=True, help="Keys that stay, the new one too."
)
@data_option
def rotate_key(keep: int, data_dir: Path | None) -> None:
    """Sign new links with a new key. Links of the keys that stay go on working; those of a dropped key end at once."""
    from stores.link_keys import LinkKeysError, link_keys_path, rotate_link_keys

    path = link_keys_path(absolute_settings(data_dir))
    try:
        ids = rotate_link_keys(path, keep)
    except (LinkKeysError, OSError) as error:
        raise LogcastError(str(error)) from error
    click.echo(
        f"{path}: {ids[0]} signs from now on"
        + (f"; {', '.join(ids[1:])} still open what they signed" if ids[1:] else "")
    )
