"""Check whether this machine can run the stack."""

from pathlib import Path

import click

from logcast.commands._options import absolute_settings, data_option, port_options


@click.command("doctor")
@data_option
@port_options
@click.option("--cluster", is_flag=True, help="For `logcast up --cluster`.")
def command(data_dir: Path | None, http_port: int | None, rtmp_port: int | None, *, cluster: bool) -> None:
    """Check Python, Java, disk, memory, clock and ports beforehand. Exit code 1 when a check fails."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from logcast.stack.doctor import checks
    from logcast.stack.layout import CLUSTER, ONE

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("check", "", "found", "what to do"):
        table.add_column(title, overflow="fold")
    failed = 0
    settings = absolute_settings(data_dir, http_port=http_port, rtmp_port=rtmp_port)
    for check in checks(settings, CLUSTER if cluster else ONE):
        failed += not check.ok and not check.warning
        verdict = "[green]ok[/]" if check.ok else "[yellow]warning[/]" if check.warning else "[bold red]fails[/]"
        table.add_row(check.name, verdict, escape(check.found), "" if check.ok else escape(check.advice))
    console = Console()
    console.print(table)
    console.print(f"\n{failed} of the checks failed" if failed else "\neverything is as it should be")
    raise SystemExit(1 if failed else 0)
