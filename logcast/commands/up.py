"""Start everything on this machine and watch over it."""

import time
from dataclasses import replace
from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option, port_options


@click.command("up")
@data_option
@port_options
@click.option("--demo", is_flag=True, help="Push a moving test picture with a tone to the channel `demo`.")
@click.option(
    "--cluster", is_flag=True, help="Three nodes of Kafka and Cassandra, two of each of ours (docs/clusters.md)."
)
@click.option(
    "--standby", is_flag=True, help="Every GOP is transcoded twice: a worker that dies costs viewers nothing."
)
@click.option("--stores", is_flag=True, help="Kafka and Cassandra alone, for `logcast restore`.")
@click.option("--secure", is_flag=True, help="TLS, users and rights on Kafka, passwords on Cassandra.")
def command(
    data_dir: Path | None,
    http_port: int | None,
    rtmp_port: int | None,
    *,
    demo: bool,
    cluster: bool,
    standby: bool,
    secure: bool,
    stores: bool,
) -> None:
    """Start Kafka, Cassandra, consumers, worker, gateway and ingest on this machine, and watch over them.

    Ctrl-C, SIGTERM or `logcast down` stop everything in order. The first start fetches Kafka and Cassandra (110 MB).
    Every other setting is an environment variable LOGCAST_… or a line in logcast.toml.
    """
    began = time.monotonic()
    if stores and demo:
        raise click.UsageError("--stores runs nothing that --demo could push to")
    if secure and cluster:
        raise click.UsageError("--secure and --cluster together: not yet; docker/ has a cluster with security")
    from rich.console import Console

    from logcast.stack.layout import CLUSTER, ONE
    from logcast.stack.run import run_stack

    settings = absolute_settings(data_dir, http_port=http_port, rtmp_port=rtmp_port)
    layout = replace(CLUSTER if cluster else ONE, standby=standby, roles=not stores)
    run_stack(settings, Console(), demo=demo, began=began, layout=layout, secure=secure)
