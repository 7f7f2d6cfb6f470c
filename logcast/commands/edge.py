"""Write the nginx configuration of an edge, and change the keys of signed links."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.errors import LogcastError


@click.group("edge")
def command() -> None:
    """The edge: nginx before the gateways (docs/edge.md)."""


@command.command("config")
@click.option(
    "--origin", "origins", multiple=True, help="A gateway, HOST:PORT; may come again. [default: the local one]"
)
@click.option("--listen", default="8088", show_default=True, help="PORT or HOST:PORT.")
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), help="[default: DATA/edge]")
@click.option("--keys", type=click.Path(dir_okay=False, path_type=Path), help="[default: those of the gateway]")
@click.option("--workers", default="auto", show_default=True, help="nginx's worker processes.")
@click.option("--cache-size", default="10g", show_default=True, help="The most that is kept on disk.")
@click.option("--log", default="off", show_default=True, help="A file for one line a request.")
@click.option("--metrics", default="", help="PORT or HOST:PORT of /metrics for Prometheus. [default: none]")
@data_option
def config(
    origins: tuple[str, ...],
    listen: str,
    directory: Path | None,
    keys: Path | None,
    workers: str,
    cache_size: str,
    log: str,
    metrics: str,
    data_dir: Path | None,
) -> None:
    """Write nginx.conf and its parts, and print the command that runs them."""
    import shlex

    from logcast.edge_config import Edge, write_edge
    from stores.link_keys import link_keys_path

    settings = absolute_settings(data_dir)
    edge = Edge(
        directory=(directory or settings.data_dir / "edge").resolve(),
        origins=origins or (f"{settings.public_host}:{settings.http_port}",),
        listen=listen,
        keys=(keys or link_keys_path(settings)).resolve(),
        workers=workers,
        cache_size=cache_size,
        log=log,
        metrics=metrics,
    )
    write_edge(edge)
    click.echo(shlex.join(edge.argv))


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
