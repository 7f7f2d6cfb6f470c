"""Restart processes of the running stack one after another, without a break for viewers."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option


@click.command("restart")
@click.argument("names", nargs=-1, metavar="[ROLE]...")
@data_option
def command(names: tuple[str, ...], data_dir: Path | None) -> None:
    """End each process of these roles in order and start it again; wait until it serves before the next one.

    ROLE is `worker`, `gateway`, … or one process, such as `worker-2`; without any: consumers, worker, standby, gateway,
    ingest. A new version of Logcast is taken up so; the settings stay those of `logcast up`.
    """
    from logcast.stack.rolling import Restarted, restart

    def tell(done: Restarted) -> None:
        click.echo(f"{done.name} serves again after {done.seconds:.1f} s")

    restart(absolute_settings(data_dir).data_dir, names, tell)
