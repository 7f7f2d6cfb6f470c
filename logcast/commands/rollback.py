"""Take back what moderators did on a channel."""

import time
from pathlib import Path
from typing import Any

import click

from logcast.commands._options import absolute_settings, data_option
from logcast.commands.link import Duration
from logcast.errors import LogcastError

TIMEOUT_S = 60.0


@click.command("rollback")
@click.argument("channel")
@click.option("--by", help="Only the acts of this user id (or `operator`, or the channel's name for its stream key).")
@click.option("--since", "since_s", type=Duration(), help="Only the acts of the last 90s, 30m, 2h, 7d.")
@click.option("--act", "acts", multiple=True, help="Only this act; may be given more than once.")
@click.option("--reason", default="", help="Why, for the log.")
@click.option("--dry-run", is_flag=True, help="Only show what would be taken back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--server", help="The gateway. [default: http://HOST:PORT of the settings]")
@click.option("--key", envvar="LOGCAST_TOKEN", help="A token of the channel's owner. [default: the local operator's]")
@data_option
def command(
    channel: str,
    by: str | None,
    since_s: int | None,
    acts: tuple[str, ...],
    reason: str,
    *,
    dry_run: bool,
    yes: bool,
    server: str | None,
    key: str | None,
    data_dir: Path | None,
) -> None:
    """Take back acts of moderation on CHANNEL: of somebody, of a time, or by id. The log keeps both; the feed follows."""
    if by is None and since_s is None and not acts:
        raise click.UsageError("give at least one of --by, --since, --act")
    wanted: dict[str, Any] = {"reason": reason}
    if by is not None:
        wanted["by"] = by
    if since_s is not None:
        wanted["from_ms"] = int((time.time() - since_s) * 1000)
    if acts:
        wanted["acts"] = list(acts)
    settings = absolute_settings(data_dir)
    token = key or settings.admin_token.get_secret_value() or _local_token(settings.data_dir)
    if not token:
        raise LogcastError(f"no right to channel {channel}: give --key, or run it where the stack's data directory is")
    base = server or f"http://{settings.public_host}:{settings.http_port}"
    url = f"{base}/v1/channels/{channel}/moderation/rollback"
    meant = _asked(url, token, wanted | {"dry_run": True})["acts"]
    _show(channel, meant)
    if dry_run or not meant:
        return
    if not yes:
        click.confirm(f"take back {len(meant)} acts?", abort=True, err=True)
    done = _asked(url, token, {"acts": [act["act_id"] for act in meant], "reason": reason})["undoing"]
    click.echo(f"{len(done)} acts of channel {channel} are taken back")


def _local_token(data_dir: Path) -> str | None:
    from stores.secrets import read_secret

    return read_secret(data_dir / "keys" / "admin.token")


def _asked(url: str, token: str, wanted: dict[str, Any]) -> dict[str, Any]:
    import httpx

    try:
        found = httpx.post(url, json=wanted, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise LogcastError(f"{url} does not answer: {error}; is `logcast up` running?") from error
    values: dict[str, Any] = found.json()
    if found.is_error:
        raise LogcastError(str(values.get("detail", found.text)))
    return values


def _show(channel: str, acts: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("act", "when (UTC)", "what", "about", "by", "why", title=f"acts of channel {channel} that hold")
    for act in acts:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(act["at_ms"] / 1000))
        about = act["comment_id"] or act["user_id"] or ("an address" if "address" in act["kind"] else "")
        table.add_row(act["act_id"], when, act["kind"], about, act["by_name"] or act["by"], act["reason"])
    Console().print(table if acts else f"no act of channel {channel} that holds is meant")
