"""Show what runs on a data directory."""

import json
import time
from dataclasses import asdict
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

    from logcast.stack.spool_view import read_spool
    from logcast.stack.status import read_status
    from logcast.stack.table import stack_table
    from logcast.stack.workload import worker_notes
    from stores.hot_tier import hot_tier_place, hot_tier_problem

    settings = absolute_settings(data_dir)
    status = read_status(settings.data_dir, time.time())
    ready = [
        (p.name, p.port) for p in status.processes if p.name.startswith(("worker", "standby")) and p.state == "ready"
    ]
    status = status.with_notes(worker_notes(settings, ready))
    place, problem = hot_tier_place(settings), hot_tier_problem(settings)
    spool = read_spool(settings.health_port_ingest, settings.local_host)
    if as_json:
        hot_store = {"place": place, "ready": not problem, "note": problem}
        more = {"hot_store": hot_store, "spool": asdict(spool) if spool else None}
        click.echo(json.dumps(status.as_json() | more, indent=2))
    else:
        console = Console()
        rows = ((p.name, p.state, p.pid, p.port, p.age_s, escape(p.note)) for p in status.processes)
        console.print(stack_table(rows))
        for name, address in status.addresses.items():
            console.print(f"{name}  {address}", highlight=False)
        console.print(f"hot store  {place}", highlight=False)
        if spool:
            console.print(f"spool  {spool.sentence}", highlight=False)
        if problem:
            console.print(f"[bold red]{escape(problem)}[/]", highlight=False)
    raise SystemExit(0 if status.ready and not problem else 1)
