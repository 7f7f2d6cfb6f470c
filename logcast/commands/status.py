"""Show what runs on a data directory."""

import json
import time
from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option


@click.command("status")
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for programs.")
def command(data_dir: Path | None, *, as_json: bool) -> None:
    """Show process, state, memory and port. Exit code 0 when all are ready, 1 when not, 3 when no stack runs."""
    from rich.console import Console
    from rich.markup import escape

    from logcast.stack.status import read_status
    from logcast.stack.table import stack_table

    status = read_status(absolute_settings(data_dir).data_dir, time.time())
    if as_json:
        click.echo(json.dumps(status.as_json(), indent=2))
    else:
        console = Console()
        rows = ((p.name, p.state, p.pid, p.port, p.age_s, escape(p.note)) for p in status.processes)
        console.print(stack_table(rows))
        for name, address in status.addresses.items():
            console.print(f"{name}  {address}", highlight=False)
    raise SystemExit(0 if status.ready else 1)
